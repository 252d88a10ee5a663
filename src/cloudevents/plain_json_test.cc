#include "cloudevents/plain_json.h"

#include <gtest/gtest.h>

#include "bson/json.h"

namespace tidemark::cloudevents {
namespace {

TEST(PlainObject, KeepsEveryValueAsItIsWritten) {
  const auto read = read_plain_object(
      R"( {"n":18446744073709551615,"i":1,"d":0.5,"literal":{"$numberInt":"1"},"a":[{"x":null}],"t":"é"} )");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->view().find("n")->type(), BSON_TYPE_DECIMAL128);
  EXPECT_EQ(read->view().find("i")->type(), BSON_TYPE_INT64);
  EXPECT_TRUE(read->view().find("literal")->is_document());
  EXPECT_TRUE(read_plain_object("{}"));
}

TEST(PlainObject, IsNothingElse) {
  for (const char* json : {"", "1", "[1]", "{}{}", "{},{}", "{\"a\":1", "{\"a\":1,\"a\":2}", "{\"a\":1e9999}",
                           "{} x", "{\"a\":\"\xff\"}", "]{", "{}]["}) {
    const auto read = read_plain_object(json);
    ASSERT_FALSE(read) << json;
    EXPECT_EQ(read.error().react, React::kReject) << json;
  }
}

}  // namespace
}  // namespace tidemark::cloudevents
