#include "mongo/client.h"

#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::mongo {
namespace {

using ::testing::HasSubstr;

Result<std::unique_ptr<Client>> client(const std::string& uri) {
  return Client::create({uri, "mongodb sink", ""});
}

TEST(MongoClient, NamesTheFileOfTlsThatCanNotBeUsed) {
  const auto absent = client("mongodb://h/?tls=true&tlsCAFile=/no/such/ca.pem");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().react, React::kConfig);
  EXPECT_THAT(absent.error().what, HasSubstr("/no/such/ca.pem"));
  EXPECT_THAT(absent.error().what, HasSubstr("No such file"));
  const auto own = client("mongodb://h/?tls=true&tlsCertificateKeyFile=/etc/hostname");
  ASSERT_FALSE(own);
  EXPECT_THAT(own.error().what, HasSubstr("/etc/hostname"));
  EXPECT_TRUE(client("mongodb://h/")) << "nobody asked for TLS";
}

}  // namespace
}  // namespace tidemark::mongo
