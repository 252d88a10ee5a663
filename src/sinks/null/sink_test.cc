#include "sinks/null/sink.h"

#include <gtest/gtest.h>

#include "support/change_events.h"

namespace tidemark {
namespace {

TEST(NullSink, CountsWhatItTakes) {
  NullSink sink;
  ASSERT_TRUE(sink.open({}).has_value());
  const auto batch = testing::inserts(1, 3);
  ASSERT_TRUE(sink.write(batch->events(), {}).has_value());
  ASSERT_TRUE(sink.write({}, {}).has_value());
  EXPECT_EQ(sink.events(), 3u);
  EXPECT_EQ(sink.bytes(), batch->size_bytes());
}

}  // namespace
}  // namespace tidemark
