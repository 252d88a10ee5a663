#include "mongo/classify.h"

#include <gtest/gtest.h>

namespace tidemark::mongo {
namespace {

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

Error server(int code, std::vector<std::string> labels = {}) {
  Failure failure;
  failure.code = code;
  failure.labels = labels;
  failure.message = "words of the server";
  return classify(failure, "mongodb sink", "grant readWrite");
}

TEST(Classify, WaitsForWhatPasses) {
  for (const int code :
       {6,   7,    24,    43,    46,    50,    63,    64,    89,    91,    94,    100,   112,  117,
        133, 134,  150,   189,   202,   211,   237,   239,   246,   251,   262,   276,   290,  314,
        391, 9001, 10058, 10107, 11600, 11601, 11602, 12586, 12587, 13388, 13435, 13436, 14031}) {
    EXPECT_EQ(server(code).react, React::kRetry) << code;
    EXPECT_EQ(classify_document(code, "x", "y").react, React::kRetry) << code;
  }
}

TEST(Classify, StopsForWhatTheOperatorMustChange) {
  for (const int code : {13, 18, 11, 8000, 20, 73, 166, 79}) {
    EXPECT_EQ(server(code).react, React::kConfig) << code;
    EXPECT_FALSE(server(code).hint.empty()) << code;
  }
  EXPECT_EQ(server(13).hint, "grant readWrite");
}

TEST(Classify, BelievesALabelBeforeACode) {
  EXPECT_EQ(server(99999).react, React::kFatal);
  EXPECT_EQ(server(99999, {"RetryableWriteError"}).react, React::kRetry);
  EXPECT_EQ(server(99999, {"TransientTransactionError"}).react, React::kRetry);
  EXPECT_EQ(server(99999, {"SomethingElse"}).react, React::kFatal);
}

TEST(Classify, KnowsTheDriversOwnLayers) {
  const auto of = [](Origin origin) {
    Failure failure;
    failure.origin = origin;
    return classify(failure, "here").react;
  };
  EXPECT_EQ(of(Origin::kNetwork), React::kRetry);
  EXPECT_EQ(of(Origin::kSelection), React::kRetry);
  EXPECT_EQ(of(Origin::kAuthentication), React::kConfig);
  EXPECT_EQ(of(Origin::kIncompatible), React::kConfig);
  EXPECT_EQ(of(Origin::kDriver), React::kFatal);
}

TEST(Classify, SaysWhereAndWithWhichCode) {
  EXPECT_EQ(server(112).what, "mongodb sink: words of the server [code 112]");
  EXPECT_EQ(server(112).code, 112);
}

TEST(Classify, RejectsADocumentForWhatIsNotKnownToPass) {
  for (const int code : {121, 2, 10334, 17419, 66, 52, kDuplicateKey})
    EXPECT_EQ(classify_document(code, "x", "y").react, React::kReject) << code;
}

TEST(WriteErrors, AreReadInOrderWithTheIndexThatRefused) {
  const auto errors = write_errors(doc(R"({"n": 1, "writeErrors": [
      {"index": 4, "code": 121, "errmsg": "Document failed validation"},
      {"index": 2, "code": 11000, "keyPattern": {"raw.id": 1}, "keyValue": {"raw.id": "1"},
       "errmsg": "E11000 duplicate key error collection: d.c index: raw.id_1 dup key: { raw.id: \"1\" }"}],
      "ok": 1})"));
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].index, 2u);
  EXPECT_EQ(errors[0].index_name, "raw.id_1");
  EXPECT_EQ(errors[0].key_pattern.view(), doc(R"({"raw.id": 1})").view());
  EXPECT_EQ(errors[1].index, 4u);
  EXPECT_EQ(errors[1].code, 121);
  EXPECT_TRUE(errors[1].index_name.empty());
}

TEST(WriteErrors, TakeAnythingForAReply) {
  for (const char* reply : {"{}", R"({"writeErrors": 3})", R"({"writeErrors": [7, {}, {"code": "x"}]})"})
    for (const WriteError& error : write_errors(doc(reply))) EXPECT_EQ(error.code, 0);
}

}  // namespace
}  // namespace tidemark::mongo
