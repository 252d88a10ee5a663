#include "base/digest.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark {
namespace {

// The examples of FIPS 180-2, appendix B.
TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hex, RefusesWhatIsNotHexadecimal) {
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex("zz"));
  EXPECT_FALSE(from_hex("0x"));
  EXPECT_TRUE(from_hex(""));
}

RC_GTEST_PROP(Hex, GivesBackTheBytesItWasMadeFrom, (const std::vector<uint8_t>& bytes)) {
  RC_ASSERT(from_hex(to_hex(bytes)) == bytes);
}

RC_GTEST_PROP(Hash64, SpreadsKeysOverLanes, ()) {
  const auto start = *rc::gen::inRange<uint32_t>(0, 1'000'000);
  std::array<int, 4> lanes{};
  for (uint32_t i = start; i < start + 4000; ++i)
    ++lanes[hash64({reinterpret_cast<const uint8_t*>(&i), sizeof(i)}) % lanes.size()];
  for (int count : lanes) RC_ASSERT(count > 800 && count < 1200);
}

}  // namespace
}  // namespace tidemark
