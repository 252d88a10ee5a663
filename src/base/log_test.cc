#include "base/log.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(RedactUri, HidesThePasswordAndKeepsTheRest) {
  EXPECT_EQ(redact_uri("mongodb://app:s3cret@db1:27017,db2/?replicaSet=rs0"),
            "mongodb://app:***@db1:27017,db2/?replicaSet=rs0");
  EXPECT_EQ(redact_uri("postgres://app:s3cret@db/shop"), "postgres://app:***@db/shop");
}

TEST(RedactUri, HidesAPasswordThatHoldsAnAtSign) {
  EXPECT_EQ(redact_uri("mongodb://app:a@b@db1/"), "mongodb://app:***@db1/");
}

TEST(RedactUri, HidesPasswordsInParameters) {
  EXPECT_EQ(redact_uri("postgres://db/shop?user=app&password=s3cret&sslmode=require"),
            "postgres://db/shop?user=app&password=***&sslmode=require");
  EXPECT_EQ(redact_uri("host=db password=s3cret user=app"), "host=db password=*** user=app");
}

TEST(RedactUri, LeavesAUriWithoutSecretsAlone) {
  EXPECT_EQ(redact_uri("mongodb://db1:27017,db2:27017/shop?replicaSet=rs0"),
            "mongodb://db1:27017,db2:27017/shop?replicaSet=rs0");
}

}  // namespace
}  // namespace tidemark
