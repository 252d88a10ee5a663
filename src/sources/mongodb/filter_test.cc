#include "sources/mongodb/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::mongodb {
namespace {

using testing::HasSubstr;

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

bson::View stages_of(const bson::Document& wrapped) { return wrapped.view().find("s")->document(); }

TEST(ParseFilter, TakesNoTextForNoStage) {
  const auto filter = parse_filter("");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->stages.view().empty());
  EXPECT_TRUE(parse_filter("  \n"));
  EXPECT_TRUE(parse_filter("[]"));
}

TEST(ParseFilter, LetsTheInvalidateEventThroughEveryMatch) {
  const auto filter = parse_filter(R"([{"$match": {"ns.coll": "a"}}, {"$unset": "updateDescription"}])");
  ASSERT_TRUE(filter);
  const auto expected = doc(R"({"s": [
      {"$match": {"$or": [{"operationType": "invalidate"}, {"ns.coll": "a"}]}},
      {"$unset": "updateDescription"}]})");
  EXPECT_EQ(filter->stages.view(), stages_of(expected));
  const auto written = doc(R"({"s": [{"$match": {"ns.coll": "a"}}, {"$unset": "updateDescription"}]})");
  EXPECT_EQ(filter->written.view(), stages_of(written));
}

TEST(ParseFilter, LetsTheInvalidateEventThroughARedaction) {
  const auto filter = parse_filter(R"([{"$redact": "$$PRUNE"}])");
  ASSERT_TRUE(filter);
  const auto expected = doc(R"({"s": [
      {"$redact": {"$cond": [{"$eq": ["$operationType", "invalidate"]}, "$$KEEP", "$$PRUNE"]}}]})");
  EXPECT_EQ(filter->stages.view(), stages_of(expected));
}

struct Bad {
  const char* json;
  const char* what;
};

class RefusedFilter : public testing::TestWithParam<Bad> {};

TEST_P(RefusedFilter, SaysWhatIsWrongAndWhatToDo) {
  const auto filter = parse_filter(GetParam().json);
  ASSERT_FALSE(filter) << GetParam().json;
  EXPECT_EQ(filter.error().react, React::kConfig);
  EXPECT_THAT(filter.error().what, HasSubstr(GetParam().what)) << GetParam().json;
  EXPECT_FALSE(filter.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Filters, RefusedFilter,
    testing::Values(Bad{R"({"$match": {}})", "JSON array"}, Bad{R"("x")", "JSON array"}, Bad{"[{]", "JSON"},
                    Bad{R"([1])", "stage 1 is not a document"}, Bad{R"([{}])", "no field"},
                    Bad{R"([{"$match": {}, "$set": {}}])", "more than one field"},
                    Bad{R"([{"$match": 1}])", "takes a document"},
                    Bad{R"([{"a": 1}])", "not an aggregation stage"},
                    Bad{R"([{"$match": {}}, {"$group": {"_id": 1}}])", "stage 2 ($group) is refused"},
                    Bad{R"([{"$limit": 1}])", "$limit"}, Bad{R"([{"$lookup": {}}])", "$lookup"},
                    Bad{R"([{"$out": "x"}])", "$out"}, Bad{R"([{"$changeStream": {}}])", "added by Tidemark"},
                    Bad{R"([{"$changeStreamSplitLargeEvent": {}}])", "added by Tidemark"},
                    Bad{R"([{"$project": {"_id": 0}}])", "removes `_id`"},
                    Bad{R"([{"$project": {"_id": false}}])", "removes `_id`"},
                    Bad{R"([{"$project": {"_id": "$ns"}}])", "changes `_id`"},
                    Bad{R"([{"$project": {"_id._data": 0}}])", "removes `_id`"},
                    Bad{R"([{"$project": {"ns": 1}}])", "operationType"},
                    Bad{R"([{"$project": {"operationType": 0}}])", "operationType"},
                    Bad{R"([{"$unset": "_id"}])", "removes `_id`"},
                    Bad{R"([{"$unset": ["a", "_id._data"]}])", "removes `_id`"},
                    Bad{R"([{"$unset": 1}])", "field name"},
                    Bad{R"([{"$set": {"_id": 1}}])", "changes `_id`"},
                    Bad{R"([{"$addFields": {"_id.x": 1}}])", "changes `_id`"},
                    Bad{R"([{"$replaceRoot": {"newRoot": "$fullDocument"}}])", "resume token"},
                    Bad{R"([{"$replaceWith": "$fullDocument"}])", "resume token"}));

TEST(ParseFilter, TakesProjectionsThatKeepWhatIsNeeded) {
  EXPECT_TRUE(parse_filter(R"([{"$project": {"fullDocument.secret": 0}}])"));
  EXPECT_TRUE(parse_filter(R"([{"$project": {"operationType": 1, "ns": 1, "documentKey": 1}}])"));
  EXPECT_TRUE(
      parse_filter(R"([{"$project": {"_id": 1, "operationType": "$operationType", "x": {"$size": "$a"}}}])"));
  EXPECT_TRUE(parse_filter(R"([{"$set": {"id": 1}}, {"$addFields": {"fullDocument._id": 2}}])"));
}

}  // namespace
}  // namespace tidemark::mongodb
