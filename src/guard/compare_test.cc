#include "guard/compare.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace tidemark::guard {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Comparison compared(std::vector<Row> source, std::vector<Row> destination, size_t ids_max = 10) {
  SortedRows left(std::move(source)), right(std::move(destination));
  auto result = compare(left, right, ids_max);
  if (!result) {
    ADD_FAILURE() << result.error().describe();
    return {};
  }
  return *result;
}

TEST(Compare, TwoEqualEndsDifferInNothing) {
  const Comparison result = compared({{"1", "a"}, {"2", "b"}}, {{"2", "b"}, {"1", "a"}});
  EXPECT_TRUE(result.equal());
  EXPECT_EQ(result.source_total, 2u);
  EXPECT_EQ(result.destination_total, 2u);
}

TEST(Compare, TwoEmptyEndsAreEqual) { EXPECT_TRUE(compared({}, {}).equal()); }

TEST(Compare, TellsMissingExtraAndDifferentApart) {
  const Comparison result =
      compared({{"1", "a"}, {"2", "b"}, {"4", "d"}}, {{"1", "a"}, {"3", "c"}, {"4", "other"}});
  EXPECT_FALSE(result.equal());
  EXPECT_EQ(result.missing.count, 1u);
  EXPECT_THAT(result.missing.first_ids, ElementsAre("2"));
  EXPECT_EQ(result.extra.count, 1u);
  EXPECT_THAT(result.extra.first_ids, ElementsAre("3"));
  EXPECT_EQ(result.different.count, 1u);
  EXPECT_THAT(result.different.first_ids, ElementsAre("4"));
}

TEST(Compare, AnEndThatRunsOutLeavesTheRestOfTheOther) {
  EXPECT_THAT(compared({{"1", ""}, {"2", ""}, {"3", ""}}, {{"1", ""}}).missing.first_ids,
              ElementsAre("2", "3"));
  EXPECT_THAT(compared({{"2", ""}}, {{"1", ""}, {"2", ""}, {"3", ""}}).extra.first_ids,
              ElementsAre("1", "3"));
  EXPECT_EQ(compared({}, {{"1", ""}}).extra.count, 1u);
}

TEST(Compare, KeepsTheFirstIdsAndCountsTheRest) {
  const Comparison result = compared({{"1", ""}, {"2", ""}, {"3", ""}}, {}, 2);
  EXPECT_EQ(result.missing.count, 3u);
  EXPECT_THAT(result.missing.first_ids, ElementsAre("1", "2"));
}

// Hands out rows as they are, in whatever order, or an error after them.
class Scripted final : public RowReader {
 public:
  explicit Scripted(std::vector<Row> rows, bool fails = false) : rows_(std::move(rows)), fails_(fails) {}
  Result<bool> next(Row& row) override {
    if (next_ == rows_.size()) {
      if (fails_) return fail(React::kRetry, "the server went away");
      return false;
    }
    row = rows_[next_++];
    return true;
  }

 private:
  std::vector<Row> rows_;
  bool fails_;
  size_t next_ = 0;
};

TEST(Compare, AnEndOutOfOrderIsAnErrorThatNamesIt) {
  Scripted source({{"1", ""}, {"2", ""}});
  Scripted destination({{"2", ""}, {"1", ""}});
  const auto result = compare(source, destination, 10);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().what, HasSubstr("destination hands out id 1 after 2"));
}

TEST(Compare, AnIdThatComesTwiceIsAnError) {
  Scripted source({{"1", ""}, {"1", ""}});
  Scripted destination(std::vector<Row>{{"1", ""}});
  EXPECT_FALSE(compare(source, destination, 10).has_value());
}

TEST(Compare, AReadThatFailsIsNeverTakenForTheEnd) {
  Scripted source(std::vector<Row>{{"1", ""}}, true);
  Scripted destination(std::vector<Row>{{"1", ""}});
  const auto result = compare(source, destination, 10);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().react, React::kRetry);
}

TEST(Compare, AgreesWithMapsOnAnyTwoEnds) {
  EXPECT_TRUE(
      rc::check("counts", [](const std::map<uint8_t, uint8_t>& a, const std::map<uint8_t, uint8_t>& b) {
        const auto rows = [](const std::map<uint8_t, uint8_t>& map) {
          std::vector<Row> all;
          for (const auto& [id, doc] : map) all.push_back({std::to_string(id), std::to_string(doc % 3)});
          return all;
        };
        uint64_t missing = 0, extra = 0, different = 0;
        for (const auto& [id, doc] : a) {
          const auto other = b.find(id);
          if (other == b.end()) {
            ++missing;
          } else if (other->second % 3 != doc % 3) {
            ++different;
          }
        }
        for (const auto& [id, doc] : b) extra += a.count(id) == 0 ? 1 : 0;
        const Comparison result = compared(rows(a), rows(b), 3);
        RC_ASSERT(result.missing.count == missing);
        RC_ASSERT(result.extra.count == extra);
        RC_ASSERT(result.different.count == different);
        RC_ASSERT(result.source_total == a.size());
        RC_ASSERT(result.destination_total == b.size());
        RC_ASSERT(result.missing.first_ids.size() == std::min<uint64_t>(3, missing));
      }));
}

}  // namespace
}  // namespace tidemark::guard
