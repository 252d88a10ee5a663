#include "core/watermark.h"

#include <type_traits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark {
namespace {

Position at(int n) {
  bson::Builder token;
  token.append("_data", std::to_string(n));
  return Position(token.view());
}

TEST(Watermark, HoldsBackUntilTheOldestBatchIsDelivered) {
  Watermark watermark(8);
  const auto first = watermark.admit(at(1), 1, 10);
  const auto second = watermark.admit(at(2), 1, 10);
  watermark.delivered(second, 1);
  EXPECT_FALSE(watermark.advance());
  watermark.delivered(first, 1);
  const auto durable = watermark.advance();
  ASSERT_TRUE(durable);
  EXPECT_EQ(durable->get(), at(2));
}

TEST(Watermark, DoesNotAdvanceOverABatchThatIsDeliveredInPart) {
  Watermark watermark(8);
  const auto batch = watermark.admit(at(1), 3, 10);
  watermark.delivered(batch, 2);
  EXPECT_FALSE(watermark.advance());
  watermark.delivered(batch, 1);
  EXPECT_TRUE(watermark.advance());
}

TEST(Watermark, AdvancesOverABatchThatOwesNothing) {
  Watermark watermark(8);
  watermark.admit(at(1), 0, 0);
  const auto durable = watermark.advance();
  ASSERT_TRUE(durable);
  EXPECT_EQ(durable->get(), at(1));
}

TEST(Watermark, GivesEachPositionOnce) {
  Watermark watermark(8);
  watermark.admit(at(1), 0, 0);
  EXPECT_TRUE(watermark.advance());
  EXPECT_FALSE(watermark.advance());
}

TEST(Watermark, IsFullAtItsCapacityAndHasRoomAgainAfterAnAdvance) {
  Watermark watermark(2);
  const auto first = watermark.admit(at(1), 1, 5);
  watermark.admit(at(2), 1, 7);
  EXPECT_TRUE(watermark.full());
  EXPECT_EQ(watermark.held_bytes(), 12u);
  watermark.delivered(first, 1);
  watermark.advance();
  EXPECT_FALSE(watermark.full());
  EXPECT_EQ(watermark.held_bytes(), 7u);
}

TEST(WatermarkDeathTest, RefusesADeliveryThatNobodyOwes) {
  Watermark watermark(2);
  const auto batch = watermark.admit(at(1), 1, 0);
  watermark.delivered(batch, 1);
  EXPECT_DEATH(watermark.delivered(batch, 1), "broken invariant");
}

// Only Watermark may turn a place in the stream into one that can be saved.
static_assert(!std::is_constructible_v<DurablePosition, Position>);
static_assert(!std::is_convertible_v<Position, DurablePosition>);

// Against a model that keeps every batch for ever and looks at all of them each time.
RC_GTEST_PROP(Watermark, AgreesWithANaiveModel, ()) {
  struct Batch {
    uint32_t owed;
    bool passed = false;
  };
  Watermark watermark(16);
  std::vector<Batch> model;
  size_t open = 0;
  const int steps = *rc::gen::inRange(1, 200);
  for (int step = 0; step < steps; ++step) {
    if (*rc::gen::inRange(0, 3) == 0 && open < 16) {
      const auto owed = *rc::gen::inRange<uint32_t>(0, 4);
      const auto seq = watermark.admit(at(static_cast<int>(model.size())), owed, 1);
      RC_ASSERT(seq == model.size());
      model.push_back({owed});
      ++open;
    } else if (!model.empty()) {
      const auto i = *rc::gen::inRange<size_t>(0, model.size());
      if (model[i].owed > 0) {
        --model[i].owed;
        watermark.delivered(i, 1);
      }
    }
    std::optional<size_t> expected;
    for (size_t i = 0; i < model.size() && model[i].owed == 0; ++i) {
      if (model[i].passed) continue;
      model[i].passed = true;
      expected = i;
      --open;
    }
    const auto durable = watermark.advance();
    RC_ASSERT(durable.has_value() == expected.has_value());
    if (durable) RC_ASSERT(durable->get() == at(static_cast<int>(*expected)));
    RC_ASSERT(watermark.full() == (open == 16));
    RC_ASSERT(watermark.batches() == open);
  }
}

}  // namespace
}  // namespace tidemark
