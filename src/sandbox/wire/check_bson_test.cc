#include "sandbox/wire/check_bson.h"

#include <vector>

#include <gtest/gtest.h>

#include "bson/document.h"

namespace tidemark::sandbox::wire {
namespace {

std::vector<uint8_t> bytes_of(std::string_view hex) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return out;
}

int code_of(std::string_view hex) {
  const auto checked = check_bson(bytes_of(hex));
  return checked ? 0 : checked.error().code;
}

TEST(CheckBson, TakesABinaryOfSubtypeTwoWithoutItsInnerLength) {
  EXPECT_EQ(
      code_of("2d000000105f69640001000000056100050000000201020304051062000200000002630004000000656e640000"),
      0);
}

TEST(CheckBson, TakesTextsThatAreNotUtf8AndDoubledKeys) {
  // {_id: "a\xe9"}, then {z: 1, z: 2}.
  EXPECT_EQ(code_of("12000000025f6964000300000061e90000"), kInvalidBson)
      << "the length says more than there is";
  EXPECT_EQ(code_of("11000000025f6964000300000061e90000"), 0);
  EXPECT_EQ(code_of("13000000107a0001000000107a000200000000"), 0);
}

TEST(CheckBson, RefusesABooleanThatIsNeitherAndNamesTheField) {
  EXPECT_EQ(code_of("090000000862000100"), 0);
  const auto checked = check_bson(bytes_of("090000000862000200"));
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().what,
            "invalid boolean value in element with field name 'b' in object with unknown _id");
}

TEST(CheckBson, RefusesTextsWithoutTheirNulLengthsBeyondTheEndAndUnknownTypes) {
  EXPECT_EQ(code_of("0e00000002610002000000626300"), kInvalidBson);
  EXPECT_EQ(code_of("0e000000026100ff000000620000"), kInvalidBson);
  EXPECT_EQ(code_of("0e00000005610000ffff7f000000"), kInvalidBson);
  EXPECT_EQ(code_of("08000000"
                    "20"
                    "6100"
                    "00"),
            kInvalidBson);
  EXPECT_EQ(code_of("04000000"), kInvalidBson);
  EXPECT_EQ(code_of(""), kInvalidBson);
}

TEST(CheckBson, RefusesWhatIsNestedDeeperThanTwoHundred) {
  const auto nested = [](int depth) {
    bson::Builder builder;
    builder.append("v", 1);
    bson::Document document = builder.finish();
    for (int i = 0; i < depth; i++) {
      bson::Builder outer;
      outer.append("d", document.view());
      document = outer.finish();
    }
    return document;
  };
  EXPECT_TRUE(check_bson(nested(200).view().bytes()));
  EXPECT_FALSE(check_bson(nested(201).view().bytes()));
}

// Whatever is cut off or changed: an answer, and never a read beyond the bytes (the sanitizers watch).
TEST(CheckBson, SurvivesEveryCutAndEveryChangedByte) {
  const auto whole =
      bytes_of("2d000000105f69640001000000056100050000000201020304051062000200000002630004000000656e640000");
  for (size_t size = 0; size < whole.size(); size++) EXPECT_FALSE(check_bson(std::span(whole).first(size)));
  for (size_t at = 0; at < whole.size(); at++)
    for (int value = 0; value < 256; value += 5) {
      auto changed = whole;
      changed[at] = static_cast<uint8_t>(value);
      (void)check_bson(changed);
    }
}

}  // namespace
}  // namespace tidemark::sandbox::wire
