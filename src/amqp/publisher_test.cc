// The counting of confirms; what a broker makes of it is in session_test.cc.
#include "amqp/publisher.h"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark::amqp {
namespace {

using Fate = ConfirmWindow::Fate;

TEST(ConfirmWindow, ACumulativeAckConfirmsAllBefore) {
  ConfirmWindow window;
  window.start(11, 4);
  window.ack(13, true);
  EXPECT_EQ(window.confirmed_prefix(), 3u);
  EXPECT_FALSE(window.complete());
  window.ack(14, false);
  EXPECT_TRUE(window.complete());
  EXPECT_EQ(window.confirmed_prefix(), 4u);
}

TEST(ConfirmWindow, OutOfOrderAcksMakeNoPrefix) {
  ConfirmWindow window;
  window.start(1, 3);
  window.ack(3, false);
  window.ack(2, false);
  EXPECT_EQ(window.confirmed_prefix(), 0u);
  window.ack(1, false);
  EXPECT_EQ(window.confirmed_prefix(), 3u);
}

TEST(ConfirmWindow, ARefusalEndsThePrefix) {
  ConfirmWindow window;
  window.start(1, 4);
  window.ack(1, false);
  window.nack(2, false);
  window.ack(4, true);
  EXPECT_TRUE(window.complete());
  EXPECT_EQ(window.confirmed_prefix(), 1u);
  EXPECT_EQ(window.fate(1), Fate::kRefused);
  EXPECT_EQ(window.fate(3), Fate::kConfirmed);
}

TEST(ConfirmWindow, AnAckAfterAReturnDoesntConfirm) {
  ConfirmWindow window;
  window.start(1, 2);
  window.returned(0);
  window.ack(2, true);
  EXPECT_TRUE(window.complete());
  EXPECT_EQ(window.confirmed_prefix(), 0u);
  EXPECT_EQ(window.fate(0), Fate::kReturned);
}

TEST(ConfirmWindow, VerdictsOnOtherMessagesAreNoneOfItsBusiness) {
  ConfirmWindow window;
  window.start(5, 2);
  window.ack(4, true);
  window.ack(2, false);
  window.ack(9, false);
  EXPECT_EQ(window.confirmed_prefix(), 0u);
  EXPECT_FALSE(window.complete());
}

// Against a model that keeps a set of numbers.
RC_GTEST_PROP(ConfirmWindow, AgreesWithAPlainSet, ()) {
  const auto first = *rc::gen::inRange<uint64_t>(1, 1000);
  const auto count = *rc::gen::inRange<size_t>(0, 40);
  ConfirmWindow window;
  window.start(first, count);
  std::set<uint64_t> open;
  std::set<uint64_t> confirmed;
  for (size_t i = 0; i < count; ++i) open.insert(first + i);
  const auto steps = *rc::gen::inRange(0, 60);
  for (int step = 0; step < steps; ++step) {
    const auto number = first + *rc::gen::inRange<uint64_t>(0, 45);
    const bool multiple = *rc::gen::arbitrary<bool>();
    const bool good = *rc::gen::weightedElement<bool>({{4, true}, {1, false}});
    if (good)
      window.ack(number, multiple);
    else
      window.nack(number, multiple);
    for (auto it = open.begin(); it != open.end();) {
      const bool meant = multiple ? *it <= number : *it == number;
      if (meant && good) confirmed.insert(*it);
      it = meant ? open.erase(it) : std::next(it);
    }
  }
  RC_ASSERT(window.complete() == open.empty());
  size_t prefix = 0;
  while (confirmed.contains(first + prefix)) ++prefix;
  RC_ASSERT(window.confirmed_prefix() == prefix);
}

}  // namespace
}  // namespace tidemark::amqp
