#include "sandbox/server/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::sandbox {
namespace {

using testing::Contains;
using testing::IsEmpty;

LabelQuestion about(int code, std::string_view command = "insert") { return {code, command, {7, 0}}; }

TEST(ErrorLabels, MarkRetryableWritesThatMeetNoPrimary) {
  auto question = about(10107);
  EXPECT_THAT(error_labels(question), IsEmpty());
  question.retryable_write = true;
  EXPECT_THAT(error_labels(question), Contains("RetryableWriteError"));
  question.code = 11000;
  EXPECT_THAT(error_labels(question), IsEmpty());
}

TEST(ErrorLabels, AreLeftToTheDriverByOldServers) {
  auto question = about(10107);
  question.retryable_write = true;
  question.version = {4, 2};
  EXPECT_THAT(error_labels(question), IsEmpty());
}

TEST(ErrorLabels, MarkTransientErrorsOfTransactions) {
  auto question = about(112, "commitTransaction");
  question.in_transaction = true;
  EXPECT_THAT(error_labels(question), Contains("TransientTransactionError"));
  question.code = 10107;
  EXPECT_THAT(error_labels(question), testing::ElementsAre("RetryableWriteError"))
      << "whether a commit happened is unknown: it is repeated, the transaction is not";
  question.command = "insert";
  EXPECT_THAT(error_labels(question), Contains("TransientTransactionError"));
}

TEST(ErrorLabels, MarkResumableErrorsOfChangeStreams) {
  auto question = about(11602, "getMore");
  question.change_stream_get_more = true;
  EXPECT_THAT(error_labels(question), Contains("ResumableChangeStreamError"));
  question.code = 286;
  EXPECT_THAT(error_labels(question), IsEmpty());
}

}  // namespace
}  // namespace tidemark::sandbox
