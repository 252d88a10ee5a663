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

// Those that docs/operating.md lists, and no other, ever end a pipeline for a whole command.
constexpr int kTerminal[] = {13, 18,  11,  8000, 31, 33,  214, 334, 392, 20,
                             73, 166, 167, 148,  59, 101, 188, 61,  79,  323};

// By the server's own categories (RetriableError, NotPrimaryError, NetworkError, Interruption, ShutdownError,
// ExceededTimeLimitError, SnapshotError, StaleShardVersionError, CursorInvalidatedError, CancellationError,
// SystemOverloadedError, TwoPhaseDecisionAckError), and what its manual says of the rest.
constexpr int kTransient[] = {
    6,    7,     24,    43,    46,    50,    63,    64,    70,    74,    82,    83,   89,  90,  91,  94,  95,
    100,  107,   112,   117,   123,   133,   134,   141,   143,   145,   146,   149,  150, 175, 189, 199, 200,
    202,  203,   204,   205,   206,   210,   211,   215,   216,   225,   237,   239,  246, 249, 250, 251, 261,
    262,  264,   267,   272,   276,   279,   281,   282,   285,   290,   310,   314,  317, 319, 333, 337, 338,
    342,  343,   355,   358,   363,   365,   371,   384,   391,   402,   404,   406,  407, 412, 414, 433, 449,
    9001, 10058, 10107, 11600, 11601, 11602, 12586, 12587, 13388, 13435, 13436, 14031};

TEST(Classify, WaitsForWhatPasses) {
  for (const int code : kTransient) {
    EXPECT_EQ(server(code).react, React::kRetry) << code;
    EXPECT_FALSE(server(code).unknown) << code;
    EXPECT_EQ(classify_document(code, "x", "y").react, React::kRetry) << code;
  }
}

TEST(Classify, EndsOrIsPatientForWhatTheOperatorMustChange) {
  for (const int code : kTerminal) {
    EXPECT_EQ(server(code).react, code == 73 ? React::kConfig : React::kDenied) << code;
    EXPECT_FALSE(server(code).hint.empty()) << code;
  }
  EXPECT_EQ(server(13).hint, "grant readWrite");
}

TEST(Classify, NoOtherCodeOfAServerEverEndsAPipeline) {
  for (int code = 0; code < 60'000; ++code) {
    const Error error = server(code);
    const bool terminal = std::find(std::begin(kTerminal), std::end(kTerminal), code) != std::end(kTerminal);
    const bool known =
        terminal || std::find(std::begin(kTransient), std::end(kTransient), code) != std::end(kTransient);
    ASSERT_EQ(error.react != React::kRetry, terminal) << code;
    ASSERT_EQ(error.unknown, !known) << code;
    ASSERT_EQ(error.hint.find("does not know") != std::string::npos, !known) << code;
  }
}

TEST(Classify, BelievesALabelBeforeACode) {
  EXPECT_TRUE(server(99999).unknown);
  EXPECT_FALSE(server(99999, {"RetryableWriteError"}).unknown);
  EXPECT_FALSE(server(99999, {"TransientTransactionError"}).unknown);
  EXPECT_TRUE(server(99999, {"SomethingElse"}).unknown);
  EXPECT_EQ(server(13, {"TransientTransactionError"}).react, React::kRetry);
}

Error driver(Origin origin, std::string_view message = {}) {
  Failure failure;
  failure.origin = origin;
  failure.message = message;
  return classify(failure, "here");
}

TEST(Classify, KnowsTheDriversOwnLayers) {
  EXPECT_EQ(driver(Origin::kNetwork).react, React::kRetry);
  EXPECT_EQ(driver(Origin::kSelection).react, React::kRetry);
  EXPECT_EQ(driver(Origin::kIncompatible).react, React::kDenied);
  EXPECT_EQ(driver(Origin::kDriver).react, React::kRetry);
  EXPECT_TRUE(driver(Origin::kDriver).unknown);
}

TEST(Classify, OnlyTheServersOwnRefusalIsAWrongPassword) {
  for (const char* refusal : {"Authentication failed.", "bad auth : Authentication failed.",
                              "There is no x.509 client certificate matching the user.",
                              "Received authentication for mechanism SCRAM-SHA-1 which is not enabled"}) {
    EXPECT_EQ(driver(Origin::kAuthentication, refusal).react, React::kDenied) << refusal;
    EXPECT_FALSE(driver(Origin::kAuthentication, refusal).hint.empty());
  }
  for (const char* other : {"Cache Reader No keys found for HMAC that is valid for time: { ts: "
                            "Timestamp(1700000000, 1) } with id: 7",
                            "Failed to send \"saslContinue\" command with database \"admin\": Failed to read "
                            "4 bytes: socket error or "
                            "timeout",
                            "SCRAM Failure: invalid channel", ""})
    EXPECT_EQ(driver(Origin::kAuthentication, other).react, React::kRetry) << other;
  EXPECT_EQ(
      driver(Origin::kSelection, "No suitable servers found: [Authentication failed. calling hello]").react,
      React::kDenied);
}

TEST(Classify, ACertificateThatIsNotTrustedIsRefusedAndABrokenHandshakeWaits) {
  for (const Origin origin : {Origin::kNetwork, Origin::kSelection}) {
    const Error untrusted = driver(origin,
                                   "TLS handshake failed: error:0A000086:SSL routines::certificate verify "
                                   "failed calling hello on 'h:1'");
    EXPECT_EQ(untrusted.react, React::kDenied);
    EXPECT_NE(untrusted.hint.find("tlsCAFile"), std::string::npos);
    EXPECT_EQ(driver(origin, "TLS handshake failed: Failed certificate verification").react, React::kDenied);
    const Error broken = driver(origin, "TLS handshake failed: unexpected eof while reading");
    EXPECT_EQ(broken.react, React::kRetry);
    EXPECT_NE(broken.hint.find("tlsCertificateKeyFile"), std::string::npos);
  }
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
