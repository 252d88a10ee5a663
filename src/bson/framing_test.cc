#include "bson/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/digest.h"
#include "bson/testing/arbitrary_bson.h"

namespace tidemark::bson {
namespace {

using ::testing::HasSubstr;

// What is wrong with the document of these fields; "" when nothing is.
std::string flaw(std::string_view fields_hex) {
  std::vector<uint8_t> bytes = from_hex(fields_hex).value();
  const size_t size = bytes.size() + 5;
  for (int i = 0; i < 4; ++i) bytes.insert(bytes.begin() + i, static_cast<uint8_t>(size >> (8 * i)));
  bytes.push_back(0);
  const auto found = find_framing_flaw(bytes);
  return found ? found->path + ": " + found->what : "";
}

// Every byte of a document belongs to a length, a terminator, a type, a name or a value that the walk has met.
size_t bytes_met(View document) {
  size_t met = 5;
  for (const Element field : document) {
    met += 1 + field.key().size() + 1;
    if (field.is_document() || field.is_array())
      met += bytes_met(field.document());
    else
      met += field.value_bytes().size();
  }
  return met;
}

RC_GTEST_PROP(Walk, MeetsEveryByteOfWhateverAServerStores, (std::vector<uint32_t> choices)) {
  const Document document = ArbitraryBson(choices, ArbitraryBson::Kind::kFramed).document();
  const auto parsed = View::parse(document.view().bytes());
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(bytes_met(*parsed) == document.size());
}

RC_GTEST_PROP(Walk, MeetsEveryByteOfDamagedDocumentsOrTheyAreRefused, ()) {
  const Document document =
      ArbitraryBson(*rc::gen::arbitrary<std::vector<uint32_t>>(), ArbitraryBson::Kind::kFramed).document();
  std::vector<uint8_t> bytes(document.view().bytes().begin(), document.view().bytes().end());
  const int flips = *rc::gen::inRange(1, 6);
  for (int i = 0; i < flips; ++i)
    bytes[*rc::gen::inRange<size_t>(0, bytes.size())] = *rc::gen::arbitrary<uint8_t>();
  const auto parsed = View::parse(bytes);
  if (parsed) RC_ASSERT(bytes_met(*parsed) == bytes.size());
}

RC_GTEST_PROP(Builder, CopiesElementsByteForByte, (std::vector<uint32_t> choices)) {
  const Document document = ArbitraryBson(choices, ArbitraryBson::Kind::kFramed).document();
  Builder copy, whole, concatenated;
  for (const Element field : document.view()) copy.append(field.key(), field);
  whole.concat(document.view());
  RC_ASSERT(copy.view() == document.view());
  RC_ASSERT(whole.view() == document.view());
  // libbson's own, which some callers use on its documents, copies the bytes as well.
  const bson_t raw = document.view().raw();
  bson_concat(concatenated.raw(), &raw);
  RC_ASSERT(concatenated.view() == document.view());
}

TEST(Framing, JudgesNoContents) {
  EXPECT_EQ(flaw("02"
                 "ff00"
                 "02000000"
                 "e900"),
            "");  // a name and a text that are no UTF-8
  EXPECT_EQ(flaw("05"
                 "6100"
                 "05000000"
                 "02"
                 "0102030405"),
            "");  // subtype 2 without its inner length
  EXPECT_EQ(flaw("05"
                 "6100"
                 "00000000"
                 "02"),
            "");
  EXPECT_EQ(flaw("08"
                 "6100"
                 "07"),
            "");
  EXPECT_EQ(flaw("0f"
                 "6100"
                 "0e000000"
                 "01000000"
                 "00"
                 "0500000000"),
            "");
  EXPECT_EQ(flaw("0c"
                 "6100"
                 "01000000"
                 "00"
                 "000000000000000000000000"),
            "");
  EXPECT_EQ(flaw("04"
                 "6100"
                 "0900000008780001"
                 "00"),
            "");
}

TEST(Framing, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(flaw("03"
                 "6100"
                 "0d000000"
                 "02"
                 "6200"
                 "09000000"
                 "7800"
                 "00"),
            "a.b: a string whose length disagrees with its bytes");
  EXPECT_EQ(flaw("02"
                 "6100"
                 "02000000"
                 "7878"),
            "a: a string without its terminator");
  EXPECT_EQ(flaw("02"
                 "6100"
                 "00000000"),
            "a: a string whose length disagrees with its bytes");
  EXPECT_EQ(flaw("02"
                 "6100"
                 "ffffffff"
                 "00"),
            "a: a string whose length disagrees with its bytes");
  EXPECT_EQ(flaw("05"
                 "6100"
                 "05000000"
                 "00"
                 "01"),
            "a: a binary whose length disagrees with its bytes");
  EXPECT_EQ(flaw("14"
                 "6100"),
            "a: a type that BSON doesn't have");
  EXPECT_EQ(flaw("10"
                 "6100"
                 "010000"),
            "a: a value that reaches beyond its document");
  EXPECT_EQ(flaw("0b"
                 "6100"
                 "7800"),
            "a: a regular expression that has no end");
  EXPECT_EQ(flaw("0f"
                 "6100"
                 "0f000000"
                 "01000000"
                 "00"
                 "0500000000"),
            "a: code whose length disagrees with its bytes");
  EXPECT_EQ(flaw("0f"
                 "6100"
                 "0e000000"
                 "02000000"
                 "0000"
                 "05000000"),
            "a: code whose length disagrees with its bytes");
  EXPECT_EQ(flaw("03"
                 "e90a00"
                 "0400000000"),
            "??: a document whose length disagrees with its bytes");
  EXPECT_EQ(flaw("ff"), ": a field whose name has no end");
  EXPECT_EQ(flaw("0000"), ": a type that BSON doesn't have");
}

TEST(Framing, RefusesMoreLevelsThanItIsGiven) {
  Document document = Builder().finish();
  for (int level = 1; level < 5; ++level) document = Builder().append("a", document.view()).finish();
  EXPECT_FALSE(find_framing_flaw(document.view().bytes(), 5));
  EXPECT_THAT(find_framing_flaw(document.view().bytes(), 4)->what, HasSubstr("too deeply"));
  // Four bytes to each level: a thread's stack must not be what ends it.
  std::vector<uint8_t> bomb;
  constexpr size_t kLevels = 100'000;
  for (size_t level = 0; level < kLevels; ++level) {
    const size_t size = (kLevels - level) * 8 - 3;
    for (int i = 0; i < 4; ++i) bomb.push_back(static_cast<uint8_t>(size >> (8 * i)));
    if (level + 1 < kLevels) bomb.insert(bomb.end(), {0x03, 'a', 0});
  }
  bomb.insert(bomb.end(), kLevels, 0);
  EXPECT_THAT(find_framing_flaw(bomb)->what, HasSubstr("too deeply"));
}

TEST(Framing, RefusesBytesBehindTheDocument) {
  EXPECT_TRUE(find_framing_flaw(from_hex("050000000000").value()));
  EXPECT_TRUE(find_framing_flaw(from_hex("0600000000").value()));
  EXPECT_TRUE(find_framing_flaw({}));
  EXPECT_FALSE(find_framing_flaw(from_hex("0500000000").value()));
}

}  // namespace
}  // namespace tidemark::bson
