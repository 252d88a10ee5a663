#include "sinks/live/ring.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark {
namespace {

std::shared_ptr<const std::string> text(uint64_t n, size_t size = 0) {
  std::string json = std::to_string(n);
  if (json.size() < size) json.append(size - json.size(), ' ');
  return std::make_shared<const std::string>(std::move(json));
}

void add(FeedRing& ring, uint64_t first, uint64_t count, size_t size = 0) {
  std::vector<std::shared_ptr<const std::string>> items;
  for (uint64_t n = first; n < first + count; ++n) items.push_back(text(n, size));
  ring.add(std::move(items));
}

TEST(FeedRing, IsEmptyAtFirst) {
  FeedRing ring("observe", {10, 1000});
  EXPECT_EQ(ring.name(), "observe");
  EXPECT_EQ(ring.newest(), 0u);
  EXPECT_EQ(ring.oldest(), 1u);
  const FeedSlice slice = ring.after(0, 10, 1000);
  EXPECT_EQ(slice.missed, 0u);
  EXPECT_TRUE(slice.items.empty());
}

TEST(FeedRing, GivesWhatFollowsAPlaceInOrder) {
  FeedRing ring("observe", {10, 1000});
  add(ring, 1, 5);
  const FeedSlice slice = ring.after(2, 10, 1000);
  EXPECT_EQ(slice.missed, 0u);
  ASSERT_EQ(slice.items.size(), 3u);
  EXPECT_EQ(slice.items[0].seq, 3u);
  EXPECT_EQ(*slice.items[0].json, "3");
  EXPECT_EQ(slice.items[2].seq, 5u);
  EXPECT_TRUE(ring.after(5, 10, 1000).items.empty());
}

TEST(FeedRing, KeepsTheNewestWithinBothBounds) {
  FeedRing by_events("a", {3, 1000});
  add(by_events, 1, 8);
  EXPECT_EQ(by_events.oldest(), 6u);
  EXPECT_EQ(by_events.newest(), 8u);
  FeedRing by_bytes("b", {100, 1000});
  add(by_bytes, 1, 8, 300);
  EXPECT_EQ(by_bytes.oldest(), 6u);
  add(by_bytes, 9, 1, 5000);  // the newest stays, whatever its size
  EXPECT_EQ(by_bytes.oldest(), 9u);
  EXPECT_EQ(by_bytes.after(8, 1, 1).items.size(), 1u);
}

TEST(FeedRing, CountsWhatAReaderMissed) {
  FeedRing ring("observe", {3, 1000});
  add(ring, 1, 8);
  const FeedSlice slice = ring.after(2, 10, 1000);
  EXPECT_EQ(slice.missed, 3u);  // 3, 4 and 5
  ASSERT_EQ(slice.items.size(), 3u);
  EXPECT_EQ(slice.items.front().seq, 6u);
  EXPECT_EQ(ring.after(5, 10, 1000).missed, 0u);
}

TEST(FeedRing, APlaceThatIsNotReachedYetGivesNothing) {
  FeedRing ring("observe", {3, 1000});
  add(ring, 1, 8);
  for (const uint64_t seq : {uint64_t{8}, uint64_t{9}, UINT64_MAX}) {
    EXPECT_EQ(ring.after(seq, 10, 1000).missed, 0u);
    EXPECT_TRUE(ring.after(seq, 10, 1000).items.empty());
  }
}

TEST(FeedRing, ASliceIsBoundedByBothAndHasAtLeastOneItem) {
  FeedRing ring("observe", {100, 100'000});
  add(ring, 1, 20, 100);
  EXPECT_EQ(ring.after(0, 7, 100'000).items.size(), 7u);
  EXPECT_EQ(ring.after(0, 100, 350).items.size(), 3u);
  EXPECT_EQ(ring.after(0, 100, 1).items.size(), 1u);
  EXPECT_EQ(ring.after(0, 0, 0).items.size(), 1u);
}

RC_GTEST_PROP(FeedRing, ReaderSeesEveryEventOnceOrCountsItAsMissed, ()) {
  const auto events_max = *rc::gen::inRange<size_t>(1, 20);
  const auto bytes_max = *rc::gen::inRange<size_t>(1, 400);
  FeedRing ring("observe", {events_max, bytes_max});
  uint64_t added = 0, place = 0, seen = 0, missed = 0;
  for (int step = *rc::gen::inRange(0, 40); step > 0; --step) {
    if (*rc::gen::arbitrary<bool>()) {
      const auto count = *rc::gen::inRange<uint64_t>(0, 30);
      add(ring, added + 1, count, *rc::gen::inRange<size_t>(0, 60));
      added += count;
    } else {
      const FeedSlice slice =
          ring.after(place, *rc::gen::inRange<size_t>(1, 12), *rc::gen::inRange<size_t>(1, 300));
      missed += slice.missed;
      place += slice.missed;
      for (const FeedItem& item : slice.items) {
        RC_ASSERT(item.seq == ++place);
        RC_ASSERT(std::stoull(*item.json) == item.seq);
        ++seen;
      }
      RC_ASSERT(seen + missed == place);
    }
    RC_ASSERT(ring.newest() == added);
    RC_ASSERT(ring.newest() - ring.oldest() + 1 <= events_max);
  }
}

// Run under the thread sanitizer too.
TEST(FeedRing, ReadersAtTheirOwnPaceAccountForEveryEvent) {
  static constexpr uint64_t kEvents = 20'000;
  FeedRing ring("observe", {64, 4096});
  std::atomic<uint64_t> calls{0};
  ring.on_growth([&] { ++calls; });
  std::vector<std::jthread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&ring, r] {
      uint64_t place = 0, seen = 0, missed = 0;
      while (place < kEvents) {
        const FeedSlice slice = ring.after(place, static_cast<size_t>(1 + 20 * r), 1000);
        missed += slice.missed;
        place += slice.missed;
        for (const FeedItem& item : slice.items) {
          ASSERT_EQ(item.seq, ++place);
          ASSERT_EQ(std::stoull(*item.json), item.seq);
          ++seen;
        }
        if (slice.items.empty()) std::this_thread::yield();
      }
      EXPECT_EQ(seen + missed, kEvents);
    });
  }
  for (uint64_t n = 1; n <= kEvents; n += 10) add(ring, n, 10);
  readers.clear();
  EXPECT_EQ(calls, kEvents / 10);
}

TEST(FeedRing, TheListenerHearsOfGrowthAlone) {
  FeedRing ring("observe", {10, 1000});
  int calls = 0;
  uint64_t newest = 0;
  ring.on_growth([&] {
    ++calls;
    newest = ring.newest();  // it may read the feed
  });
  add(ring, 1, 2);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(newest, 2u);
  ring.add({});
  EXPECT_EQ(calls, 1);
  ring.on_growth({});
  add(ring, 3, 1);
  EXPECT_EQ(calls, 1);
}

// A listener whose owner goes away right after taking it off must not run any more; the sanitizers see it if it does.
TEST(FeedRing, NoListenerRunsOnceItWasTakenOff) {
  FeedRing ring("observe", {10, 1000});
  std::atomic<bool> stop{false};
  std::jthread writer([&] {
    for (uint64_t n = 1; !stop; ++n) add(ring, n, 1);
  });
  for (int round = 0; round < 200; ++round) {
    auto heard = std::make_unique<std::atomic<int>>(0);
    ring.on_growth([counter = heard.get()] { ++*counter; });
    while (*heard == 0) std::this_thread::yield();
    ring.on_growth({});
  }
  stop = true;
}

}  // namespace
}  // namespace tidemark
