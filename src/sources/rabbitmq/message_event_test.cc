#include "sources/rabbitmq/message_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "bson/json.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

class MessageEvents : public ::testing::Test {
 protected:
  const Event& of(const amqp::Delivery& message) {
    return append_message_event(message, kNow, parser_, batch_);
  }
  static amqp::Delivery message(std::string body) {
    amqp::Delivery message;
    message.body = std::move(body);
    message.content_type = "application/cloudevents+json";
    message.message_id = "m-1";
    return message;
  }

  static constexpr WallMs kNow = 1'700'000'000'000;
  static constexpr const char* kEvent = R"({"specversion":"1.0","id":"1","source":"/s","type":"t"})";
  cloudevents::Parser parser_;
  EventBatch batch_;
};

TEST_F(MessageEvents, CarryTheMessagesHistory) {
  auto sent = message(kEvent);
  sent.headers = {{"x-received-ms", int64_t{1'600'000'000'000}}, {"x-retry-count", int64_t{2}}};
  const Event& event = of(sent);
  EXPECT_EQ(event.id, "/s 1");
  EXPECT_EQ(event.payload, kEvent);
  EXPECT_EQ(event.wall_time_ms, 1'600'000'000'000);
  EXPECT_EQ(event.attempts, 2);
  EXPECT_FALSE(event.malformed);
}

TEST_F(MessageEvents, AreReceivedNowWhenNoHeaderSaysOtherwise) {
  EXPECT_EQ(of(message(kEvent)).wall_time_ms, kNow);
  auto sent = message(kEvent);
  sent.headers = {{"x-received-ms", std::string("yesterday")}, {"x-retry-count", int64_t{-5}}};
  EXPECT_EQ(of(sent).wall_time_ms, kNow);
  EXPECT_EQ(of(sent).attempts, 0);
  sent.headers = {{"x-received-ms", int64_t{-1}}, {"x-retry-count", int64_t{1} << 40}};
  EXPECT_EQ(of(sent).wall_time_ms, kNow);
  EXPECT_EQ(of(sent).attempts, 65535);
}

TEST_F(MessageEvents, TheContentTypeIsNoReasonToRefuseACloudEvent) {
  for (const char* type : {"", "application/json", "application/octet-stream", "nonsense"}) {
    auto sent = message(kEvent);
    sent.content_type = type;
    EXPECT_FALSE(of(sent).malformed) << type;
  }
}

TEST_F(MessageEvents, WhatIsNoCloudEventIsMalformedAndWhole) {
  const Event& event = of(message(R"({"specversion":"1.0","id":"1","source":"/s"})"));
  EXPECT_TRUE(event.malformed);
  EXPECT_THAT(std::string(event.reject_reason), HasSubstr("type is missing"));
  EXPECT_EQ(event.id, "m-1");
  EXPECT_EQ(event.payload, R"({"specversion":"1.0","id":"1","source":"/s"})");

  auto nameless = message("\xff");
  nameless.message_id.clear();
  EXPECT_EQ(of(nameless).id, "sha256:" + to_hex(sha256("\xff")));
  nameless.message_id = "\xfe";
  EXPECT_EQ(of(nameless).id, "sha256:" + to_hex(sha256("\xff")));
  EXPECT_EQ(bson::to_json(batch_.events().back().after),
            R"({"body":"/w==","contentType":"application/cloudevents+json"})");
  EXPECT_TRUE(of(message("")).malformed);
}

TEST_F(MessageEvents, ABatchInOneMessageIsMalformed) {
  auto sent = message("[]");
  sent.content_type = "application/cloudevents-batch+json";
  EXPECT_THAT(std::string(of(sent).reject_reason), HasSubstr("a batch"));
}

}  // namespace
}  // namespace tidemark
