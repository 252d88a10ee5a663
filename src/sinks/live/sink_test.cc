#include <gmock/gmock.h>

#include "sinks/live/component.h"
#include "sinks/live/render.h"
#include "support/change_events.h"
#include "support/manual_clock.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

config::Settings live_settings(int64_t events_max = 100, int64_t bytes_max = 1 << 20,
                               int64_t document_bytes_max = 4096) {
  config::Settings settings;
  settings.set_where("x.toml:8:1, pipeline.sink");
  settings.set("events_max", events_max);
  settings.set("bytes_max", bytes_max);
  settings.set("document_bytes_max", document_bytes_max);
  return settings;
}

std::string rendered(const Event& event, size_t document_bytes_max = 4096) {
  std::string out;
  render_feed_event(event, 1'700'000'009'000, document_bytes_max, out);
  return out;
}

TEST(LiveSink, RendersAnEventForThePage) {
  EventBatch batch;
  const Event& event = testing::add_event(
      batch,
      testing::change_event(12, "insert", R"({"_id": "a\"b"})",
                            R"({"fullDocument": {"_id": "a\"b", "mag": 4.5, "n": {"$numberLong": "7"}}})"));
  EXPECT_EQ(rendered(event),
            R"({"id":")" + testing::token_hex(12) +
                R"(","op":"insert","ns":"shop.orders","time_ms":1700000001000,)"
                R"("cluster_time":[1700000001,3],"sent_ms":1700000009000,"key":{"_id":"a\"b"},)"
                R"("doc":{"_id":"a\"b","mag":4.5,"n":7},"truncated":false})");
}

TEST(LiveSink, AnEventWithoutADocumentHasNull) {
  EventBatch batch;
  const Event& gone = testing::add_event(batch, testing::change_event(1, "delete", R"({"_id": 5})"));
  EXPECT_THAT(rendered(gone), HasSubstr(R"("key":{"_id":5},"doc":null,"truncated":false})"));
}

TEST(LiveSink, ALargeDocumentIsLeftOut) {
  EventBatch batch;
  const std::string big = R"({"fullDocument": {"_id": 1, "text": ")" + std::string(5000, 'x') + R"("}})";
  const Event& event = testing::add_event(batch, testing::change_event(1, "insert", R"({"_id": 1})", big));
  EXPECT_THAT(rendered(event), HasSubstr(R"("key":{"_id":1},"doc":null,"truncated":true})"));
  EXPECT_THAT(rendered(event, 6000), HasSubstr("xxx"));
  // Small as BSON, large as JSON: every byte becomes an escape of six.
  std::string escapes;
  for (int i = 0; i < 1500; ++i) escapes += "\\u0001";
  const Event& hostile = testing::add_event(
      batch, testing::change_event(2, "insert", R"({"_id": 1})",
                                   R"({"fullDocument": {"_id": 1, "t": ")" + escapes + R"("}})"));
  EXPECT_THAT(rendered(hostile), HasSubstr(R"("doc":null,"truncated":true})"));
}

TEST(LiveSink, OffersItsFeedUnderThePipelinesName) {
  testing::ManualClock clock;
  Plugboard plugboard;
  auto sink = live_sink_component().plain(live_settings(),
                                          {.pipeline = "observe", .clock = &clock, .plugboard = &plugboard});
  ASSERT_TRUE(sink.has_value()) << sink.error().describe();
  ASSERT_EQ(plugboard.feeds().size(), 1u);
  const std::shared_ptr<Feed> feed = plugboard.feeds()[0];
  EXPECT_EQ(feed->name(), "observe");

  ASSERT_TRUE((*sink)->open({}).has_value());
  const auto batch = testing::inserts(1, 3);
  ASSERT_TRUE((*sink)->write(batch->events(), {}).has_value());
  ASSERT_TRUE((*sink)->write({}, {}).has_value());
  (*sink)->close();
  sink->reset();  // readers may still be there

  const FeedSlice slice = feed->after(0, 100, 1 << 20);
  ASSERT_EQ(slice.items.size(), 3u);
  EXPECT_EQ(slice.items[2].seq, 3u);
  EXPECT_THAT(*slice.items[2].json, HasSubstr(testing::token_hex(3)));
  EXPECT_THAT(*slice.items[2].json, HasSubstr(R"("sent_ms":1700000000000)"));
}

TEST(LiveSink, WorksWithoutAReader) {
  testing::ManualClock clock;
  auto sink = live_sink_component().plain(live_settings(2), {.pipeline = "observe", .clock = &clock});
  ASSERT_TRUE(sink.has_value());
  const auto batch = testing::inserts(1, 5);
  EXPECT_TRUE((*sink)->write(batch->events(), {}).has_value());
}

TEST(LiveSink, RefusesWhatItCantDo) {
  testing::ManualClock clock;
  auto lanes =
      live_sink_component().plain(live_settings(), {.pipeline = "observe", .clock = &clock, .lane_count = 2});
  ASSERT_FALSE(lanes.has_value());
  EXPECT_EQ(lanes.error().react, React::kConfig);
  EXPECT_THAT(lanes.error().what, HasSubstr("one lane"));
  auto document = live_sink_component().plain(live_settings(10, 1 << 16, 1 << 17),
                                              {.pipeline = "observe", .clock = &clock});
  ASSERT_FALSE(document.has_value());
  EXPECT_THAT(document.error().what, HasSubstr("larger than the ring"));
}

}  // namespace
}  // namespace tidemark
