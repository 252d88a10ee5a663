#include "amqp/errors.h"

#include <amqp.h>
#include <gtest/gtest.h>

namespace tidemark::amqp {
namespace {

TEST(AmqpErrors, SayHowToReactToWhatTheBrokerCloses) {
  struct Case {
    int code;
    const char* text;
    React react;
  };
  const Case cases[] = {
      {320, "CONNECTION_FORCED - broker forced connection closure", React::kRetry},
      {403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN", React::kDenied},
      {404, "NOT_FOUND - no queue 'q' in vhost '/'", React::kRetry},
      {404, "NOT_FOUND - no exchange 'x' in vhost '/'", React::kRetry},
      {405, "RESOURCE_LOCKED - cannot obtain exclusive access", React::kRetry},
      {406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue", React::kConfig},
      {406, "PRECONDITION_FAILED - message size 9 is larger than configured max size 8", React::kReject},
      {406, "PRECONDITION_FAILED - unknown delivery tag 7", React::kRetry},
      {406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out", React::kRetry},
      {312, "NO_ROUTE", React::kRetry},
      {530, "NOT_ALLOWED - vhost nope not found", React::kDenied},
      {540, "NOT_IMPLEMENTED", React::kConfig},
      {541, "INTERNAL_ERROR", React::kRetry},
      {501, "FRAME_ERROR", React::kRetry},
      {506, "RESOURCE_ERROR", React::kRetry},
      {999, "something new", React::kRetry},
  };
  for (const Case& each : cases) {
    const Error error = close_error(each.code, each.text, "here");
    EXPECT_EQ(error.react, each.react) << each.text;
    EXPECT_EQ(error.code, each.code);
    EXPECT_NE(error.what.find(each.text), std::string::npos);
    EXPECT_EQ(error.what.rfind("here: ", 0), 0u);
    EXPECT_TRUE((each.react != React::kConfig && each.react != React::kDenied) || !error.hint.empty())
        << each.text;
  }
}

TEST(AmqpErrors, AMissingVhostIsARefusalAndAMissingQueueMayStillCome) {
  EXPECT_EQ(close_error(404, "NOT_FOUND - no queue 'q' in vhost '/'", "x").react, React::kRetry);
  EXPECT_EQ(close_error(530, "NOT_ALLOWED - access to vhost 'v' refused for user 'u'", "x").react,
            React::kDenied);
}

TEST(AmqpErrors, SayHowToReactToTheLibrary) {
  struct Case {
    int status;
    React react;
  };
  const Case cases[] = {
      {AMQP_STATUS_HEARTBEAT_TIMEOUT, React::kRetry},
      {AMQP_STATUS_SOCKET_ERROR, React::kRetry},
      {AMQP_STATUS_CONNECTION_CLOSED, React::kRetry},
      {AMQP_STATUS_TIMEOUT, React::kRetry},
      {AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, React::kRetry},
      {AMQP_STATUS_SSL_CONNECTION_FAILED, React::kRetry},
      {AMQP_STATUS_SSL_PEER_VERIFY_FAILED, React::kDenied},
      {AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, React::kDenied},
      {AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD, React::kConfig},
      {AMQP_STATUS_TABLE_TOO_BIG, React::kReject},
      {-0x7fff, React::kRetry},
  };
  for (const Case& each : cases) {
    const Error error = library_error(each.status, "waiting", "here");
    EXPECT_EQ(error.react, each.react) << error.what;
    EXPECT_EQ(error.what.rfind("here: waiting: ", 0), 0u);
  }
}

}  // namespace
}  // namespace tidemark::amqp
