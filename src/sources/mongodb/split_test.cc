#include "sources/mongodb/split.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark::mongodb {
namespace {

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

TEST(SplitMerger, PutsTheFragmentsTogetherUnderTheLastToken) {
  SplitMerger merger;
  auto first = merger.add(doc(R"({"_id": {"_data": "01"}, "splitEvent": {"fragment": 1, "of": 2},
                                  "operationType": "update", "fullDocument": {"a": 1}})"));
  ASSERT_TRUE(first);
  EXPECT_FALSE(*first);
  EXPECT_TRUE(merger.pending());
  auto whole = merger.add(doc(R"({"_id": {"_data": "02"}, "splitEvent": {"fragment": 2, "of": 2},
                                  "updateDescription": {"b": 2}})"));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->view(),
            doc(R"({"_id": {"_data": "02"}, "operationType": "update", "fullDocument": {"a": 1},
                                   "updateDescription": {"b": 2}})")
                .view());
  EXPECT_FALSE(merger.pending());
}

TEST(SplitMerger, TakesALoneFragmentForAWholeEvent) {
  SplitMerger merger;
  auto whole = merger.add(doc(R"({"_id": {"_data": "01"}, "splitEvent": {"fragment": 1, "of": 1}, "a": 1})"));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->view(), doc(R"({"_id": {"_data": "01"}, "a": 1})").view());
}

TEST(SplitMerger, AsksForANewStreamWhenAFragmentIsMissing) {
  SplitMerger merger;
  ASSERT_TRUE(merger.add(doc(R"({"_id": 1, "splitEvent": {"fragment": 1, "of": 3}})")));
  const auto result = merger.add(doc(R"({"_id": 1, "splitEvent": {"fragment": 3, "of": 3}})"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().react, React::kRetry);
  EXPECT_FALSE(merger.pending());
}

TEST(SplitMerger, RefusesFragmentsWithoutNumbers) {
  SplitMerger merger;
  EXPECT_FALSE(merger.add(doc(R"({"_id": 1, "splitEvent": {}})")));
  EXPECT_FALSE(merger.add(doc(R"({"_id": 1, "splitEvent": {"fragment": 2, "of": 1}})")));
}

TEST(SplitMerger, KnowsFragmentsByTheirField) {
  EXPECT_TRUE(SplitMerger::is_fragment(doc(R"({"_id": 1, "splitEvent": {"fragment": 1, "of": 1}})")));
  EXPECT_FALSE(
      SplitMerger::is_fragment(doc(R"({"_id": 1, "fullDocument": {"splitEvent": {"fragment": 1}}})")));
}

RC_GTEST_PROP(SplitMerger, GivesBackWhateverWasCutAnywhere, ()) {
  const auto fields = *rc::gen::inRange(1, 12);
  bson::Builder whole;
  whole.append("_id", "last");
  for (int i = 0; i < fields; ++i) whole.append("f" + std::to_string(i), *rc::gen::arbitrary<int32_t>());
  const int count = *rc::gen::inRange(1, fields + 1);
  SplitMerger merger;
  bson::Document result;
  int field = 0;
  for (int i = 1; i <= count; ++i) {
    bson::Builder fragment;
    bson::Builder split;
    split.append("fragment", int32_t{i}).append("of", int32_t{count});
    fragment.append("_id", i == count ? "last" : "earlier").append("splitEvent", split.view());
    const int end = i == count ? fields : field + (fields - field) / (count - i + 1);
    for (; field < end; ++field) {
      const std::string name = "f" + std::to_string(field);
      fragment.append(name, *whole.view().find(name));
    }
    auto added = merger.add(fragment.view());
    RC_ASSERT(added.has_value());
    RC_ASSERT(static_cast<bool>(*added) == (i == count));
    if (*added) result = *added;
  }
  RC_ASSERT(result.view() == whole.view());
}

}  // namespace
}  // namespace tidemark::mongodb
