#include "core/event_edit.h"

#include <gtest/gtest.h>

#include "bson/json.h"
#include "support/change_events.h"

namespace tidemark {
namespace {

using testing::doc;

TEST(EventEdit, ReplacesPartsInTheEventAndInItsRawForm) {
  EventBatch batch;
  Event event = testing::add_event(
      batch, testing::change_event(
                 1, "update", R"({"_id": 1})",
                 R"({"fullDocument": {"_id": 1, "a": 1}, "fullDocumentBeforeChange": {"_id": 1, "a": 0},
                                       "updateDescription": {"updatedFields": {"a": 1}}, "unknown": 5})"));
  const uint32_t old_size = event.raw.size();
  const bson::Document after = doc(R"({"_id": 1, "a": 2})");
  EventEdit edit;
  edit.after = after;
  ASSERT_TRUE(apply_edit(event, edit, batch).has_value());
  EXPECT_TRUE(event.after == after.view());
  EXPECT_EQ(bson::to_json(event.raw.find("fullDocument")->document()), bson::to_json(after));
  EXPECT_TRUE(event.before == doc(R"({"_id": 1, "a": 0})").view());
  EXPECT_EQ(event.raw.find("unknown")->integer(), 5);
  EXPECT_EQ(event.id, testing::token_hex(1));
  EXPECT_EQ(event.after_extra, old_size);
  EXPECT_EQ(event.size_bytes(), event.raw.size() + old_size);
}

TEST(EventEdit, AddsNoPartThatTheEventHasNot) {
  EventBatch batch;
  Event event = testing::add_event(
      batch, testing::change_event(1, "update", R"({"_id": 1})", R"({"fullDocument": null})"));
  const bson::Document after = doc(R"({"_id": 1})");
  EventEdit edit;
  edit.after = after;
  edit.before = after;
  ASSERT_TRUE(apply_edit(event, edit, batch).has_value());
  EXPECT_FALSE(event.after);
  EXPECT_FALSE(event.before);
}

TEST(EventEdit, KeepsTheReasonOfARejection) {
  EventBatch batch;
  Event event = testing::add_event(
      batch, testing::change_event(1, "insert", R"({"_id": 1})", R"({"fullDocument": {"_id": 1}})"));
  event.reject_reason = "too large";
  const bson::Document after = doc(R"({"_id": 1, "b": 1})");
  EventEdit edit;
  edit.after = after;
  ASSERT_TRUE(apply_edit(event, edit, batch).has_value());
  EXPECT_EQ(event.reject_reason, "too large");
}

}  // namespace
}  // namespace tidemark
