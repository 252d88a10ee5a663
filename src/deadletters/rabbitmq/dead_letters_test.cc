// The store against a broker of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "amqp/types.h"
#include "bson/document.h"
#include "deadletters/rabbitmq/component.h"
#include "env/posix/clock.h"
#include "support/process.h"
#include "support/rabbitmq.h"

namespace tidemark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RabbitMessage;
using testing::RabbitServer;

class RabbitLetters : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
    use(RabbitServer::shared());
  }
  void use(RabbitServer& server) {
    server_ = &server;
    retry_ = server.unique("events");
    dead_ = server.unique("events.dead");
    server.declare_queue(retry_);
    settings_.set("uri", server.uri());
    settings_.set("queue", dead_);
    settings_.set("retry_queue", retry_);
    settings_.set("attempts_max", int64_t{3});
    settings_.set("scan_max", int64_t{10'000});
    settings_.set("declare", true);
    settings_.set("queue_type", "classic");
    settings_.set("heartbeat", int64_t{30'000});
    settings_.set("connect_timeout", int64_t{10'000});
    settings_.set("tls_verify", true);
  }
  std::unique_ptr<DeadLetterStore> make() {
    ComponentContext context;
    context.pipeline = "process";
    context.clock = &clock_;
    auto store = rabbitmq_dead_letters_component().make(settings_, context);
    EXPECT_TRUE(store) << store.error().describe();
    return std::move(*store);
  }
  std::unique_ptr<DeadLetterStore> opened() {
    auto store = make();
    const Status status = store->open({});
    EXPECT_TRUE(status) << status.error().describe();
    return store;
  }
  static DeadLetter letter(const std::string& id, int attempts = 3) {
    DeadLetter letter;
    letter.id = id;
    letter.pipeline = "process";
    letter.reason = "the sink said no to " + id;
    letter.event =
        R"({"_id":{"_data":")" + id + R"("},"wallTime":{"$date":{"$numberLong":"1600000000000"}}})";
    letter.payload = R"({"specversion":"1.0","id":")" + id + R"("})";
    letter.at_ms = 1'700'000'000'123;
    letter.attempts = attempts;
    return letter;
  }
  LetterFate fate(DeadLetterStore& store, const DeadLetter& letter) {
    const auto fate = store.put(letter, {});
    EXPECT_TRUE(fate) << fate.error().describe();
    return fate.value_or(LetterFate::kKept);
  }
  static std::vector<std::string> ids(const Result<std::vector<DeadLetter>>& letters) {
    std::vector<std::string> ids;
    EXPECT_TRUE(letters) << letters.error().describe();
    if (letters)
      for (const DeadLetter& each : *letters) ids.push_back(each.id);
    return ids;
  }
  std::vector<std::string> dead_ids() {
    std::vector<std::string> ids;
    for (const RabbitMessage& each : server_->drain(dead_)) ids.push_back(each.message_id);
    return ids;
  }

  RabbitServer* server_ = nullptr;
  PosixClock clock_;
  std::string retry_, dead_;
  config::Settings settings_;
};

TEST_F(RabbitLetters, AnEventHasThreeTries) {
  auto store = opened();
  EXPECT_TRUE(store->redelivers());
  EXPECT_EQ(fate(*store, letter("a", 1)), LetterFate::kRetried);
  EXPECT_EQ(fate(*store, letter("a", 2)), LetterFate::kRetried);
  EXPECT_EQ(fate(*store, letter("a", 3)), LetterFate::kKept);
  const auto retried = server_->drain(retry_);
  ASSERT_EQ(retried.size(), 2u);
  EXPECT_EQ(retried[0].body, letter("a").payload);
  EXPECT_EQ(retried[0].headers.at("x-retry-count"), "1");
  EXPECT_EQ(retried[1].headers.at("x-retry-count"), "2");
  EXPECT_EQ(retried[0].headers.at("x-received-ms"), "1600000000000");
  EXPECT_EQ(retried[0].content_type, "application/cloudevents+json");
  EXPECT_EQ(retried[0].delivery_mode, 2);
  const auto dead = server_->drain(dead_);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].body, letter("a").payload);
  EXPECT_EQ(dead[0].message_id, "a");
  EXPECT_EQ(dead[0].delivery_mode, 2);
  EXPECT_EQ(dead[0].headers.at("x-reason"), "the sink said no to a");
  EXPECT_EQ(dead[0].headers.at("x-origin"), "queue " + retry_);
  EXPECT_EQ(dead[0].headers.at("x-rejected-at"), "1700000000123");
  EXPECT_EQ(dead[0].headers.at("x-retry-count"), "3");
  EXPECT_EQ(dead[0].headers.at("x-event-id"), "a");
  EXPECT_EQ(dead[0].headers.at("x-pipeline"), "process");
}

TEST_F(RabbitLetters, WhatCantBeReadIsDeadAtOnce) {
  auto store = opened();
  DeadLetter malformed = letter("a", 1);
  malformed.malformed = true;
  malformed.payload = std::string("\xff\0{", 3);
  EXPECT_EQ(fate(*store, malformed), LetterFate::kKept);
  const auto found = store->find("process", "a");
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE((*found)->malformed);
  EXPECT_EQ((*found)->payload, malformed.payload);
  EXPECT_EQ((*found)->event, R"({"body":null,"bytes":3})");
  EXPECT_EQ(server_->depth(retry_), 0u);
  EXPECT_EQ(server_->drain(dead_).at(0).body, malformed.payload);
}

TEST_F(RabbitLetters, ComeBackWithEveryPart) {
  auto store = opened();
  DeadLetter put = letter("https://example.com/source id");
  put.reason = std::string(5000, 'r') + "é";
  put.origin = "elsewhere";
  ASSERT_EQ(fate(*store, put), LetterFate::kKept);
  auto other = opened();
  const auto letters = other->list("process", "", 10);
  ASSERT_EQ(ids(letters), std::vector<std::string>{put.id});
  const DeadLetter& got = letters->front();
  EXPECT_EQ(got.pipeline, put.pipeline);
  EXPECT_EQ(got.reason, std::string(4096, 'r'));
  EXPECT_EQ(got.origin, "elsewhere");
  EXPECT_EQ(got.event, put.payload);
  EXPECT_EQ(got.payload, put.payload);
  EXPECT_EQ(got.at_ms, put.at_ms);
  EXPECT_EQ(got.attempts, 3);
  EXPECT_FALSE(got.malformed);
}

TEST_F(RabbitLetters, AreListedInTheQueuesOrderAndStayInIt) {
  auto store = opened();
  for (const char* id : {"c", "a", "b", "d"}) fate(*store, letter(id));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(ids(store->list("process", "", 2)), ElementsAre("c", "a"));
    EXPECT_THAT(ids(store->list("process", "a", 10)), ElementsAre("b", "d"));
    EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("c", "a", "b", "d"));
    EXPECT_THAT(ids(store->list("process", "gone", 10)), IsEmpty());
    EXPECT_THAT(ids(store->list("process", "", 0)), IsEmpty());
    EXPECT_TRUE(testing::eventually([&] { return store->count("process").value() == 4u; }));
    EXPECT_FALSE(store->find("process", "nobody")->has_value());
  }
  store.reset();
  EXPECT_THAT(dead_ids(), ElementsAre("c", "a", "b", "d"));
}

TEST_F(RabbitLetters, BelongToTheirPipeline) {
  auto store = opened();
  DeadLetter other = letter("x");
  other.pipeline = "other";
  fate(*store, other);
  fate(*store, letter("a"));
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a"));
  EXPECT_THAT(ids(store->list("other", "", 10)), ElementsAre("x"));
  EXPECT_FALSE(store->find("process", "x")->has_value());
  ASSERT_TRUE(store->remove("process", "x"));
  EXPECT_TRUE(testing::eventually([&] { return store->count("process").value() == 2u; }));
}

TEST_F(RabbitLetters, AreRemovedOneByOne) {
  auto store = opened();
  for (const char* id : {"a", "b", "c"}) fate(*store, letter(id));
  ASSERT_TRUE(store->remove("process", "b"));
  ASSERT_TRUE(store->remove("process", "no such letter"));
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a", "c"));
  // The broker counts a letter that was only looked at again a moment after it was given back.
  EXPECT_TRUE(testing::eventually([&] { return store->count("process").value() == 2u; }));
}

TEST_F(RabbitLetters, ARetriedOneIsBackBeforeTheSourceWithNoTriesCounted) {
  auto store = opened();
  for (const char* id : {"a", "b"}) fate(*store, letter(id));
  ASSERT_TRUE(store->redeliver("process", "b", {}));
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a"));
  const auto back = server_->drain(retry_);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].body, letter("b").payload);
  EXPECT_EQ(back[0].headers.at("x-retry-count"), "0");
  EXPECT_EQ(back[0].headers.at("x-received-ms"), "1600000000000");
  EXPECT_EQ(back[0].content_type, "application/cloudevents+json");
  const Status again = store->redeliver("process", "b", {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().react, React::kReject);
}

TEST_F(RabbitLetters, ALetterThatCantGoBackStays) {
  auto store = opened();
  fate(*store, letter("a"));
  server_->delete_queue(retry_);
  const Status refused = store->redeliver("process", "a", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kRetry);
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a"));
}

TEST_F(RabbitLetters, AFullOrMissingRetryQueueBlocksNothing) {
  auto store = opened();
  server_->delete_queue(retry_);
  EXPECT_EQ(fate(*store, letter("a", 1)), LetterFate::kKept);
  server_->declare_queue(retry_, {{"x-max-length", "1"}, {"x-overflow", "reject-publish"}});
  server_->publish("", retry_, {"x"});
  EXPECT_EQ(fate(*store, letter("b", 1)), LetterFate::kKept);
  const auto letters = store->list("process", "", 10);
  EXPECT_THAT(ids(letters), ElementsAre("a", "b"));
  EXPECT_THAT(letters->at(0).reason, HasSubstr("another try was refused"));
  EXPECT_EQ(letters->at(0).attempts, 1);
}

TEST_F(RabbitLetters, WithoutARetryQueueTheWholeEventIsKept) {
  settings_.set("retry_queue", "");
  auto store = opened();
  EXPECT_FALSE(store->redelivers());
  EXPECT_EQ(fate(*store, letter("a", 1)), LetterFate::kKept);
  const auto found = store->find("process", "a");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->event, letter("a").event);
  EXPECT_FALSE(store->redeliver("process", "a", {}));
}

TEST_F(RabbitLetters, WhatOthersPutThereIsListedToo) {
  auto store = opened();
  server_->publish("", dead_, {"plain text \"quoted\"", "{\"a\":1}", ""}, {}, "");
  const auto letters = store->list("process", "", 10);
  ASSERT_EQ(ids(letters).size(), 3u);
  EXPECT_EQ(letters->at(0).event, R"({"body":"plain text \"quoted\""})");
  EXPECT_EQ(letters->at(1).event, R"({"a":1})");
  EXPECT_EQ(letters->at(2).event, R"({"body":""})");
  for (const DeadLetter& each : *letters) EXPECT_FALSE(each.id.empty());
  ASSERT_TRUE(store->remove("process", letters->at(1).id));
  EXPECT_TRUE(testing::eventually([&] { return store->count("process").value() == 2u; }));
}

TEST_F(RabbitLetters, ASearchIsBounded) {
  settings_.set("scan_max", int64_t{2});
  auto store = opened();
  for (const char* id : {"a", "b", "c"}) fate(*store, letter(id));
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a", "b"));
  EXPECT_FALSE(store->find("process", "c")->has_value());
  const Status missed = store->redeliver("process", "c", {});
  ASSERT_FALSE(missed);
  EXPECT_THAT(missed.error().hint, HasSubstr("scan_max"));
  EXPECT_TRUE(testing::eventually([&] { return store->count("process").value() == 3u; }));
}

TEST_F(RabbitLetters, SurviveACrashOfTheBroker) {
  RabbitServer server;
  use(server);
  auto store = opened();
  fate(*store, letter("a"));
  server.kill();
  const auto lost = store->put(letter("b"), {});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().react, React::kRetry);
  EXPECT_EQ(store->list("process", "", 10).error().react, React::kRetry);
  server.start();
  // Without another open(): the runner opens a store once.
  Result<LetterFate> kept = store->put(letter("b"), {});
  for (int i = 0; i < 600 && !kept; ++i) {
    clock_.sleep_until(clock_.now() + std::chrono::milliseconds(50), {});
    kept = store->put(letter("b"), {});
  }
  ASSERT_TRUE(kept) << kept.error().describe();
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a", "b"));
  // A session that died while nothing was asked of it is found out by the next listing.
  server.restart();
  EXPECT_THAT(ids(store->list("process", "", 10)), ElementsAre("a", "b"));
}

TEST_F(RabbitLetters, AStopEndsAPut) {
  auto store = opened();
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = store->put(letter("a"), stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().react, React::kCancelled);
  EXPECT_EQ(fate(*store, letter("a")), LetterFate::kKept);
}

TEST_F(RabbitLetters, SettingsAreCheckedWithoutABroker) {
  settings_.set("retry_queue", dead_);
  ComponentContext context;
  context.clock = &clock_;
  EXPECT_EQ(rabbitmq_dead_letters_component().make(settings_, context).error().react, React::kConfig);
  settings_.set("queue", "");
  EXPECT_EQ(rabbitmq_dead_letters_component().make(settings_, context).error().react, React::kConfig);
}

TEST_F(RabbitLetters, GoBackInClearAndAreKeptHidden) {
  DeadLetter put = letter("hidden", 1);
  put.message = R"({"email":"ann@x"})";
  put.payload = R"({"email":"***"})";
  put.hidden = true;
  auto store = opened();
  EXPECT_EQ(*store->put(put, {}), LetterFate::kRetried);
  const auto again = server_->drain(retry_);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].body, put.message) << "the transforms are yet to see it";
  EXPECT_FALSE(again[0].headers.contains("x-hidden"));

  put.attempts = 3;
  EXPECT_EQ(*store->put(put, {}), LetterFate::kKept);
  EXPECT_TRUE((*store->find("process", "hidden"))->hidden);
  ASSERT_TRUE(store->redeliver("process", "hidden", {}));
  const auto back = server_->drain(retry_);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].body, put.payload);
  EXPECT_EQ(back[0].headers.at("x-hidden"), "1");
}

TEST_F(RabbitLetters, KeepTheBytesWhereTheTextDoesNotBringThemBack) {
  settings_.set("retry_queue", std::string());
  DeadLetter put = letter("bytes");
  put.payload.clear();
  const auto event = bson::Document::from_json(
      R"({"_id":{"_data":"bytes"},"operationType":"insert","fullDocument":{"a":1}})");
  put.event = R"({"_id":{"_data":"bytes"},"operationType":"insert","fullDocument":{"a":2}})";
  put.bytes.assign(reinterpret_cast<const char*>(event->view().data()), event->size());
  auto store = opened();
  ASSERT_TRUE(store->put(put, {}));
  const auto found = store->find("process", "bytes");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->bytes, put.bytes);
  EXPECT_THAT((*found)->event, HasSubstr("\"a\":{\"$numberInt\":\"1\"}")) << "the text is made of the bytes";
}

}  // namespace
}  // namespace tidemark
