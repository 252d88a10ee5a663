// A source on a broker, for the tests of this folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/watermark.h"
#include "env/posix/clock.h"
#include "sources/rabbitmq/queue_source.h"
#include "support/rabbitmq.h"

namespace tidemark {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::RabbitServer;

inline std::string event_json(int number) {
  return R"({"specversion":"1.0","id":")" + std::to_string(number) + R"(","source":"/s","type":"t"})";
}

inline std::vector<std::string> event_bodies(int first, int count) {
  std::vector<std::string> bodies;
  for (int i = first; i < first + count; ++i) bodies.push_back(event_json(i));
  return bodies;
}

inline DurablePosition durable(const Position& position) {
  Watermark watermark(1);
  watermark.admit(position, 0, 0);
  return *watermark.advance();
}

class QueueSources : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  }

  QueueSourceOptions options(RabbitServer& server, const std::string& queue) {
    QueueSourceOptions options;
    options.connection.endpoint = amqp::parse_uri(server.uri()).value();
    options.connection.name = "rabbitmq source 'process'";
    options.queue = queue;
    options.declare.queue_type = amqp::QueueType::kClassic;
    return options;
  }
  std::unique_ptr<QueueSource> opened(QueueSourceOptions options) {
    auto source = std::make_unique<QueueSource>(std::move(options), clock_);
    const auto position = source->open({}, {});
    EXPECT_TRUE(position) << position.error().describe();
    return source;
  }
  // Opens until it works: a broker that was just started may refuse a moment longer.
  void reopen(QueueSource& source, const Position& from) {
    Result<Position> opened = source.open(from, {});
    for (int i = 0; i < 600 && !opened; ++i) {
      clock_.sleep_until(clock_.now() + milliseconds(50), {});
      opened = source.open(from, {});
    }
    ASSERT_TRUE(opened) << opened.error().describe();
  }
  Result<SourceBatch> read(Source& source, milliseconds wait = seconds(20)) { return source.read(wait, {}); }
  Status save(Source& source, const Position& position) {
    return source.own_positions()->save(durable(position), {});
  }
  // The ids of the next `count` events; `last` is where they end.
  std::vector<std::string> take(Source& source, size_t count, Position* last = nullptr) {
    std::vector<std::string> ids;
    while (ids.size() < count) {
      const auto batch = read(source);
      if (!batch) {
        ADD_FAILURE() << batch.error().describe();
        break;
      }
      if (batch->events->events().empty()) break;
      for (const Event& event : batch->events->events()) ids.emplace_back(event.id);
      if (last != nullptr) *last = batch->resume_after;
    }
    return ids;
  }
  static std::vector<std::string> ids(int first, int count) {
    std::vector<std::string> ids;
    for (int i = first; i < first + count; ++i) ids.push_back("/s " + std::to_string(i));
    return ids;
  }
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 400; ++i) {
      if (condition()) return true;
      clock_.sleep_until(clock_.now() + milliseconds(25), {});
    }
    return false;
  }
  // Unacknowledged messages go back to the queue once the broker has noticed that their connection is gone.
  void expect_depth(RabbitServer& server, const std::string& queue, uint32_t depth) {
    EXPECT_TRUE(eventually([&] { return server.depth(queue) == depth; })) << server.depth(queue);
  }

  PosixClock clock_;
};

}  // namespace tidemark
