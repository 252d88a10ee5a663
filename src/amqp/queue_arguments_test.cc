#include "amqp/queue_arguments.h"

#include <gtest/gtest.h>

namespace tidemark::amqp {
namespace {

constexpr const char* kBefore =
    "rabbitmq source 'p': the broker says PRECONDITION_FAILED - inequivalent arg ";

TEST(QueueArguments, AreReadFromTheBrokersRefusal) {
  const auto number =
      read_mismatch(std::string(kBefore) +
                    "'x-delivery-limit' for queue 'a 'b'' in vhost '/': received the value "
                    "'2147483646' of type 'long' but current is the value '20' of type 'signedint' [406]");
  ASSERT_TRUE(number);
  EXPECT_EQ(number->name, "x-delivery-limit");
  EXPECT_EQ(number->number(), 20);
  const auto both = read_mismatch(
      std::string(kBefore) +
      "'x-delivery-limit' for queue 'q' in vhost '/': received '2147483646' but current is '20' "
      "[406]");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->number(), 20);
  const auto none =
      read_mismatch(std::string(kBefore) +
                    "'x-delivery-limit' for queue 'q' in vhost '/': received the value '5' of type "
                    "'signedint' but current is none [406]");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->value);
  const auto text =
      read_mismatch(std::string(kBefore) +
                    "'x-dead-letter-exchange' for queue 'q' in vhost '/': received none but current is the "
                    "value '' of type 'longstr' [406]");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->value, "");
  EXPECT_FALSE(text->number());
  for (const char* other :
       {"", "PRECONDITION_FAILED - unknown delivery tag 7", "inequivalent arg 'x", "inequivalent arg 'x'"})
    EXPECT_FALSE(read_mismatch(other)) << other;
}

TEST(QueueArguments, LearnWhatTheQueueHas) {
  QueueArguments guess;
  guess.texts.push_back({"x-queue-type", "quorum"});
  EXPECT_TRUE(guess.learn({"x-overflow", "reject-publish", "longstr"}));
  EXPECT_TRUE(guess.learn({"x-max-length", "5", "signedint"}));
  EXPECT_TRUE(guess.learn({"x-single-active-consumer", "true", "bool"}));
  EXPECT_EQ(guess.texts.size(), 2u);
  EXPECT_EQ(guess.numbers.front().second, 5);
  EXPECT_TRUE(guess.booleans.front().second);
  EXPECT_TRUE(guess.learn({"x-max-length", {}, {}})) << "it has none";
  EXPECT_TRUE(guess.numbers.empty());
  EXPECT_FALSE(guess.learn({"x-odd", "[]", "array"}));
}

}  // namespace
}  // namespace tidemark::amqp
