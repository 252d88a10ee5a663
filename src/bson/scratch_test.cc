#include "bson/scratch.h"

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace tidemark::bson {
namespace {

TEST(Scratch, IsEmptyAtEveryCall) {
  scratch_builder().append("a", 1);
  EXPECT_TRUE(scratch_builder().view().empty());
  scratch_builder().append("big", std::string(2 * kScratchKeptBytes, 'x'));
  EXPECT_TRUE(scratch_builder().view().empty());
  EXPECT_EQ(scratch_builder().append("b", 2).view().find("b")->integer(), 2);
}

TEST(Scratch, EveryThreadHasItsOwn) {
  Builder& mine = scratch_builder();
  mine.append("a", 1);
  std::jthread([] { scratch_builder().append("b", 2); }).join();
  EXPECT_EQ(mine.view().find("a")->integer(), 1);
  EXPECT_FALSE(mine.view().find("b").has_value());
}

}  // namespace
}  // namespace tidemark::bson
