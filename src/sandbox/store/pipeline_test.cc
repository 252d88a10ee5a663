#include "sandbox/store/pipeline.h"

#include <gtest/gtest.h>

#include "sandbox/store/testing/documents.h"

namespace tidemark::sandbox {
namespace {

std::vector<bson::Document> list(std::string_view array) {
  std::vector<bson::Document> result;
  const bson::Document holder = parse("{\"d\":" + std::string(array) + "}");
  for (const bson::Element item : holder.view().find("d")->document()) result.emplace_back(item.document());
  return result;
}

PipelineContext make_context() {
  PipelineContext context;
  context.db = "truth";
  context.collection = "a";
  context.read_collection = [](std::string_view, std::string_view name) {
    return name == "b" ? list(R"([{"_id":10,"x":1},{"_id":11,"x":[2,1]},{"_id":12}])")
                       : std::vector<bson::Document>();
  };
  context.collection_stats = [](std::string_view, std::string_view) { return parse(R"({"count":4})"); };
  context.random = [state = uint64_t{1}]() mutable {
    return state = state * 6364136223846793005U + 1442695040888963407U;
  };
  return context;
}

Reply<std::vector<bson::Document>> run(std::string_view stages, std::string_view input) {
  const bson::Document holder = parse("{\"p\":" + std::string(stages) + "}");
  SANDBOX_ASSIGN(const Pipeline pipeline,
                 Pipeline::parse(holder.view().find("p")->document(), make_context()));
  return pipeline.run(list(input));
}

void expect(std::string_view stages, std::string_view input, std::string_view output) {
  const auto result = run(stages, input);
  ASSERT_TRUE(result) << stages << ": " << result.error().message;
  EXPECT_EQ(json(*result), json(list(output))) << stages;
}

int refusal(std::string_view stages) { return code_of(run(stages, "[{}]")); }

TEST(Pipeline, MatchesProjectsAndReshapes) {
  expect(R"([{"$match":{"a":{"$gt":1}}},{"$project":{"_id":0,"b":{"$add":["$a",1]}}}])",
         R"([{"_id":1,"a":1},{"_id":2,"a":2}])", R"([{"b":3}])");
  expect(R"([{"$project":{"a.b":1}}])", R"([{"_id":1,"a":[{"b":1,"c":2},5,{"c":3}],"z":1}])",
         R"([{"_id":1,"a":[{"b":1},{}]}])");
  expect(R"([{"$project":{"a":0}}])", R"([{"_id":1,"a":1,"b":2}])", R"([{"_id":1,"b":2}])");
  expect(R"([{"$addFields":{"x.y":"$a","a":{"$add":["$a",1]}}}])", R"([{"a":1,"b":2}])",
         R"([{"a":2,"b":2,"x":{"y":1}}])");
  expect(R"([{"$unset":["a","b.c"]}])", R"([{"a":1,"b":{"c":1,"d":2}}])", R"([{"b":{"d":2}}])");
  expect(R"([{"$replaceRoot":{"newRoot":"$o"}}])", R"([{"o":{"x":1}}])", R"([{"x":1}])");
  expect(R"([{"$redact":{"$cond":[{"$eq":["$l",1]},"$$PRUNE","$$DESCEND"]}}])",
         R"([{"l":0,"a":{"l":1},"b":[{"l":1},{"l":2},7]}])", R"([{"l":0,"b":[{"l":2},7]}])");
  expect(R"([{"$match":{"$expr":{"$gt":["$a","$b"]}}}])", R"([{"a":2,"b":1},{"a":1,"b":2}])",
         R"([{"a":2,"b":1}])");
  EXPECT_EQ(code_of(run(R"([{"$replaceWith":"$nope"}])", "[{}]")), 40228);
}

TEST(Pipeline, GroupsAndCounts) {
  expect(R"([{"$match":{}},{"$group":{"_id":null,"n":{"$sum":1}}}])", R"([{"a":1},{"a":2}])",
         R"([{"_id":null,"n":2}])");
  expect(
      R"([{"$group":{"_id":"$k","s":{"$sum":"$v"},"avg":{"$avg":"$v"},"min":{"$min":"$v"},"max":{"$max":"$v"},"f":{"$first":"$v"},
            "l":{"$last":"$v"},"all":{"$push":"$v"},"set":{"$addToSet":"$v"},"c":{"$count":{}}}}])",
      R"([{"k":"a","v":1},{"k":"a","v":3},{"k":"b","v":2},{"k":"a","v":1}])",
      R"([{"_id":"a","s":5,"avg":1.6666666666666667,"min":1,"max":3,"f":1,"l":1,"all":[1,3,1],"set":[1,3],"c":3},
             {"_id":"b","s":2,"avg":2.0,"min":2,"max":2,"f":2,"l":2,"all":[2],"set":[2],"c":1}])");
  expect(R"([{"$count":"n"}])", R"([{},{}])", R"([{"n":2}])");
  expect(R"([{"$count":"n"}])", "[]", "[]");
  expect(R"([{"$sortByCount":"$k"}])", R"([{"k":1},{"k":2},{"k":2}])",
         R"([{"_id":2,"count":2},{"_id":1,"count":1}])");
  expect(R"([{"$bucket":{"groupBy":"$v","boundaries":[0,5,10],"default":"other"}}])",
         R"([{"v":1},{"v":7},{"v":99},{"v":5}])",
         R"([{"_id":0,"count":1},{"_id":5,"count":2},{"_id":"other","count":1}])");
  expect(R"([{"$bucketAuto":{"groupBy":"$v","buckets":2}}])", R"([{"v":1},{"v":2},{"v":3},{"v":4}])",
         R"([{"_id":{"min":1,"max":3},"count":2},{"_id":{"min":3,"max":4},"count":2}])");
}

TEST(Pipeline, OrdersAndUnwinds) {
  expect(R"([{"$sort":{"a":-1,"b":1}},{"$skip":1},{"$limit":2}])",
         R"([{"a":1,"b":1},{"a":2,"b":2},{"a":2,"b":1},{"a":0}])", R"([{"a":2,"b":2},{"a":1,"b":1}])");
  expect(R"([{"$unwind":"$a"}])", R"([{"a":[1,2]},{"a":[]},{"a":3},{"b":1}])",
         R"([{"a":1},{"a":2},{"a":3}])");
  expect(R"([{"$unwind":{"path":"$o.a","preserveNullAndEmptyArrays":true,"includeArrayIndex":"i"}}])",
         R"([{"o":{"a":[7]}},{"o":{"a":[]}}])",
         R"([{"o":{"a":7},"i":{"$numberLong":"0"}},{"o":{},"i":null}])");
  EXPECT_EQ(run(R"([{"$sample":{"size":2}}])", R"([{"a":1},{"a":2},{"a":3}])")->size(), 2U);
}

TEST(Pipeline, JoinsOtherCollections) {
  expect(
      R"([{"$lookup":{"from":"b","localField":"v","foreignField":"x","as":"j"}},{"$project":{"j._id":1}}])",
      R"([{"v":1},{"v":9},{}])", R"([{"j":[{"_id":10},{"_id":11}]},{"j":[]},{"j":[{"_id":12}]}])");
  expect(
      R"([{"$lookup":{"from":"b","let":{"v":"$v"},"pipeline":[{"$match":{"$expr":{"$eq":["$x","$$v"]}}},{"$project":{"_id":1}}],"as":"j"}}])",
      R"([{"v":1}])", R"([{"v":1,"j":[{"_id":10}]}])");
  expect(R"([{"$unionWith":{"coll":"b","pipeline":[{"$limit":1}]}}])", R"([{"v":1}])",
         R"([{"v":1},{"_id":10,"x":1}])");
  expect(R"([{"$facet":{"n":[{"$count":"c"}],"m":[{"$match":{"v":1}}]}}])", R"([{"v":1},{"v":2}])",
         R"([{"n":[{"c":2}],"m":[{"v":1}]}])");
}

TEST(Pipeline, RefusesAsTheServerDoes) {
  const auto unknown = run(R"([{"$nope":1}])", "[]");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, 40324);
  EXPECT_EQ(unknown.error().code_name, "Location40324");
  EXPECT_EQ(unknown.error().message, "Unrecognized pipeline stage name: '$nope'");
  EXPECT_EQ(refusal(R"([{"$match":{},"$sort":{}}])"), 40323);
  EXPECT_EQ(refusal(R"([{"$match":{}},{"$changeStream":{}}])"), 40602);
  EXPECT_EQ(refusal(R"([{"$out":"x"}])"), 238);
  EXPECT_EQ(refusal(R"([{"$limit":0}])"), 15958);
  EXPECT_EQ(refusal(R"([{"$project":{}}])"), 51272);
  EXPECT_EQ(refusal(R"([{"$project":{"a":1,"b":0}}])"), 31254);
  EXPECT_EQ(refusal(R"([{"$project":{"a":0,"b":1}}])"), 31253);
  EXPECT_EQ(refusal(R"([{"$project":{"a":1,"a.b":1}}])"), 31249);
  EXPECT_EQ(refusal(R"([{"$group":{"n":{"$sum":1}}}])"), 15955);
  EXPECT_EQ(refusal(R"([{"$group":{"_id":1,"n":{"$nope":1}}}])"), 15952);
}

TEST(Pipeline, StreamsOneDocumentAtATimeWhereItCan) {
  const bson::Document holder = parse(R"({"p":[{"$match":{"a":1}},{"$set":{"b":2}}]})");
  const auto pipeline = Pipeline::parse(holder.view().find("p")->document(), {});
  ASSERT_TRUE(pipeline);
  EXPECT_TRUE(pipeline->is_streaming());
  EXPECT_EQ(json((*pipeline->apply_one(parse(R"({"a":1})")))->view()), normal(R"({"a":1,"b":2})"));
  EXPECT_FALSE(*pipeline->apply_one(parse(R"({"a":2})")));
  EXPECT_EQ(json(pipeline->leading_match()), normal(R"({"a":1})"));
}

}  // namespace
}  // namespace tidemark::sandbox
