// Runs one event through one transform. Header-only; one thread.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "bson/json.h"
#include "config/settings.h"
#include "core/transform.h"
#include "support/change_events.h"

namespace tidemark::testing {

class TransformFixture : public ::testing::Test {
 protected:
  // Applies `transform` to an event made of `op` and `fields` and checks that the event's views and its raw form tell the
  // same story afterwards.
  Event& apply(const Transform& transform, std::string_view op, std::string_view fields,
               std::string_view key = R"({"_id": 1})") {
    Event& event = add_event(batch_, change_event(++next_, op, key, fields));
    auto verdict = transform.apply(event, batch_);
    EXPECT_TRUE(verdict.has_value()) << verdict.error().describe();
    last_ = verdict.value_or(Transform::Verdict::kKeep);
    auto again = parse_change_event(event.raw);
    EXPECT_TRUE(again.has_value());
    if (!again) return event;
    EXPECT_TRUE(again->after == event.after);
    EXPECT_TRUE(again->before == event.before);
    EXPECT_TRUE(again->update == event.update);
    EXPECT_TRUE(again->key == event.key);
    EXPECT_EQ(again->id, event.id);
    EXPECT_EQ(again->op, event.op);
    return event;
  }

  // Relaxed, for short expectations.
  static std::string json(bson::View document) {
    return document ? bson::to_json(document, bson::JsonMode::kRelaxed) : "none";
  }
  // The same form of an expectation, so that white space in it doesn't matter.
  static std::string same(std::string_view text) { return json(doc(text)); }

  EventBatch batch_;
  Transform::Verdict last_ = Transform::Verdict::kKeep;
  uint32_t next_ = 0;
};

}  // namespace tidemark::testing
