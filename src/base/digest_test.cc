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

// The examples of RFC 1321, appendix A.5.
TEST(Md5, AgreesWithTheStandardsExamples) {
  ASSERT_TRUE(md5_available());
  EXPECT_EQ(to_hex(md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(to_hex(md5("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(to_hex(md5("abcdefghijklmnopqrstuvwxyz")), "c3fcd3d76192e4007dfb496cca67e13b");
}

TEST(Md5, OfPartsIsThatOfTheirConcatenation) {
  const std::string_view parts[] = {"mess", "", "age ", "digest"};
  EXPECT_EQ(md5(parts), md5("message digest"));
  EXPECT_EQ(md5(std::span<const std::string_view>()), md5(""));
}

// The examples of RFC 4231: short key, key longer than a block.
TEST(HmacSha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, TakesAnEmptyKey) {
  EXPECT_EQ(to_hex(hmac_sha256("", "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
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
