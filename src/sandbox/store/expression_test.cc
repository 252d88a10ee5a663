#include "sandbox/store/expression.h"

#include <gtest/gtest.h>

#include "sandbox/store/shell_text.h"
#include "sandbox/store/testing/documents.h"

namespace tidemark::sandbox {
namespace {

const char* const kDocument =
    R"({"_id":1,"n":5,"s":"Hello","a":[3,1,2],"o":{"x":1,"y":[{"z":1},{"z":2}]},"nul":null,
  "d":{"$date":"2024-02-29T13:14:15.678Z"},"long":{"$numberLong":"7"}})";

Reply<Value> evaluate(std::string_view expression) {
  const bson::Document spec = parse("{\"e\":" + std::string(expression) + "}");
  PipelineContext context;
  context.now_ms = 1234;
  SANDBOX_ASSIGN(const Expression parsed, Expression::parse(*spec.view().find("e"), context));
  return parsed.evaluate(parse(kDocument));
}

std::string result(std::string_view expression) {
  const auto value = evaluate(expression);
  return value ? shell_text(*value) : "error " + std::to_string(value.error().code);
}

struct Case {
  const char* expression;
  const char* expected;
};

void check(std::initializer_list<Case> cases) {
  for (const Case& one : cases) EXPECT_EQ(result(one.expression), one.expected) << one.expression;
}

TEST(Expression, ReadsPathsAndVariables) {
  check({{R"("$n")", "5"},
         {R"("$o.x")", "1"},
         {R"("$o.y.z")", "[ 1, 2 ]"},
         {R"("$nope.x")", "missing"},
         {R"("$$ROOT.n")", "5"},
         {R"("$$NOW")", "new Date(1234)"},
         {R"("$$REMOVE")", "missing"},
         {R"("$$nope")", "error 17276"},
         {R"({"$literal":"$n"})", "\"$n\""},
         {R"({"a":"$n","b":"$nope"})", "{ a: 5 }"},
         {R"(["$n","$nope"])", "[ 5, null ]"},
         {R"({"$let":{"vars":{"x":"$n"},"in":{"$add":["$$x",1]}}})", "6"},
         {R"("$")", "error 16872"}});
}

TEST(Expression, Computes) {
  check({{R"({"$add":["$n",1]})", "6"},
         {R"({"$add":["$n",1.5]})", "6.5"},
         {R"({"$add":[2147483647,1]})", "2147483648"},
         {R"({"$add":["$n","$nope"]})", "null"},
         {R"({"$add":["$s",1]})", "error 14"},
         {R"({"$subtract":["$d","$d"]})", "0"},
         {R"({"$multiply":["$n",2]})", "10"},
         {R"({"$divide":[7,2]})", "3.5"},
         {R"({"$divide":[1,0]})", "error 2"},
         {R"({"$mod":[7,4]})", "3"},
         {R"({"$mod":[7,0]})", "error 16610"},
         {R"({"$abs":-3})", "3"},
         {R"({"$ceil":1.2})", "2.0"},
         {R"({"$round":[2.5]})", "2.0"},
         {R"({"$round":[2.345,2]})", "2.35"},
         {R"({"$trunc":-1.7})", "-1.0"},
         {R"({"$pow":[2,10]})", "1024"},
         {R"({"$sqrt":9})", "3.0"},
         {R"({"$sum":"$a"})", "6"},
         {R"({"$avg":"$a"})", "2.0"},
         {R"({"$max":"$a"})", "3"},
         {R"({"$min":["$n",2]})", "2"},
         {R"({"$add":["$n",{"$numberDecimal":"1"}]})", "error 238"}});
}

TEST(Expression, DecidesAndCompares) {
  check({{R"({"$eq":["$n",5.0]})", "true"},
         {R"({"$gt":["$n","$nope"]})", "true"},
         {R"({"$cmp":[1,2]})", "-1"},
         {R"({"$and":["$n",0]})", "false"},
         {R"({"$or":[0,"$n"]})", "true"},
         {R"({"$not":["$nul"]})", "true"},
         {R"({"$cond":[true,1,2]})", "1"},
         {R"({"$cond":{"if":false,"then":1,"else":2}})", "2"},
         {R"({"$ifNull":["$nul","$nope",3]})", "3"},
         {R"({"$switch":{"branches":[{"case":false,"then":1}],"default":2}})", "2"},
         {R"({"$switch":{"branches":[{"case":false,"then":1}]}})", "error 40066"},
         {R"({"$and":[false,{"$divide":[1,0]}]})", "false"}});
}

TEST(Expression, HandlesArraysAndSets) {
  check({{R"({"$size":"$a"})", "3"},
         {R"({"$size":"$n"})", "error 17124"},
         {R"({"$arrayElemAt":["$a",-1]})", "2"},
         {R"({"$first":"$a"})", "3"},
         {R"({"$last":"$a"})", "2"},
         {R"({"$slice":["$a",1,1]})", "[ 1 ]"},
         {R"({"$slice":["$a",-2]})", "[ 1, 2 ]"},
         {R"({"$concatArrays":["$a",[9]]})", "[ 3, 1, 2, 9 ]"},
         {R"({"$in":[2,"$a"]})", "true"},
         {R"({"$in":[2,"$n"]})", "error 40081"},
         {R"({"$indexOfArray":["$a",2]})", "2"},
         {R"({"$range":[0,6,2]})", "[ 0, 2, 4 ]"},
         {R"({"$reverseArray":"$a"})", "[ 2, 1, 3 ]"},
         {R"({"$map":{"input":"$a","as":"i","in":{"$multiply":["$$i",2]}}})", "[ 6, 2, 4 ]"},
         {R"({"$filter":{"input":"$a","cond":{"$gt":["$$this",1]}}})", "[ 3, 2 ]"},
         {R"({"$reduce":{"input":"$a","initialValue":0,"in":{"$add":["$$value","$$this"]}}})", "6"},
         {R"({"$sortArray":{"input":"$a","sortBy":-1}})", "[ 3, 2, 1 ]"},
         {R"({"$setUnion":["$a",[3,4]]})", "[ 1, 2, 3, 4 ]"},
         {R"({"$setDifference":["$a",[1]]})", "[ 2, 3 ]"},
         {R"({"$setIsSubset":[[1],"$a"]})", "true"},
         {R"({"$isArray":["$a"]})", "true"}});
}

TEST(Expression, HandlesStrings) {
  check({{R"({"$concat":["$s","!"]})", "\"Hello!\""},
         {R"({"$toUpper":"$s"})", "\"HELLO\""},
         {R"({"$toLower":"$s"})", "\"hello\""},
         {R"({"$substrCP":["$s",1,3]})", "\"ell\""},
         {R"({"$strLenCP":"é"})", "1"},
         {R"({"$strLenBytes":"é"})", "2"},
         {R"({"$split":["a-b-c","-"]})", "[ \"a\", \"b\", \"c\" ]"},
         {R"({"$trim":{"input":"  x "}})", "\"x\""},
         {R"({"$indexOfCP":["$s","l"]})", "2"},
         {R"({"$replaceAll":{"input":"aXbX","find":"X","replacement":"-"}})", "\"a-b-\""},
         {R"({"$regexMatch":{"input":"$s","regex":"^h","options":"i"}})", "true"},
         {R"({"$strcasecmp":["a","B"]})", "-1"},
         {R"({"$concat":["$s",1]})", "error 16702"},
         {R"({"$regexFind":{"input":"$s","regex":"x"}})", "error 238"}});
}

TEST(Expression, HandlesDates) {
  check({{R"({"$year":"$d"})", "2024"},
         {R"({"$month":"$d"})", "2"},
         {R"({"$dayOfYear":"$d"})", "60"},
         {R"({"$dayOfWeek":"$d"})", "5"},
         {R"({"$hour":{"date":"$d","timezone":"+02:00"}})", "15"},
         {R"({"$dateToString":{"date":"$d"}})", "\"2024-02-29T13:14:15.678Z\""},
         {R"({"$dateToString":{"date":"$d","format":"%Y/%m/%d %z","timezone":"-0130"}})",
          "\"2024/02/29 -0130\""},
         {R"({"$toString":{"$dateTrunc":{"date":"$d","unit":"hour"}}})", "\"2024-02-29T13:00:00.000Z\""},
         {R"({"$toString":{"$dateTrunc":{"date":"$d","unit":"month","binSize":3}}})",
          "\"2024-01-01T00:00:00.000Z\""},
         {R"({"$toString":{"$dateAdd":{"startDate":"$d","unit":"year","amount":1}}})",
          "\"2025-02-28T13:14:15.678Z\""},
         {R"({"$dateDiff":{"startDate":{"$toDate":"2024-01-31T00:00:00Z"},"endDate":"$d","unit":"month"}})",
          "1"},
         {R"({"$toString":{"$dateFromParts":{"year":2024,"month":14,"day":1}}})",
          "\"2025-02-01T00:00:00.000Z\""},
         {R"({"$toLong":{"$toDate":"1969-12-31T23:59:59.999Z"}})", "-1"},
         {R"({"$year":{"date":"$d","timezone":"Europe/Berlin"}})", "error 40485"}});
}

TEST(Expression, ConvertsTypes) {
  check({{R"({"$toString":"$n"})", "\"5\""},
         {R"({"$toInt":"12"})", "12"},
         {R"({"$toInt":"x"})", "error 241"},
         {R"({"$toLong":"$n"})", "5"},
         {R"({"$toDouble":"1.5"})", "1.5"},
         {R"({"$toBool":0})", "false"},
         {R"({"$type":"$long"})", "\"long\""},
         {R"({"$type":"$nope"})", "\"missing\""},
         {R"({"$convert":{"input":"x","to":"int","onError":-1}})", "-1"},
         {R"({"$convert":{"input":null,"to":"int","onNull":0}})", "0"},
         {R"({"$toString":0.1})", "\"0.1\""},
         {R"({"$isNumber":"$n"})", "true"},
         {R"({"$toObjectId":"0123456789abcdef01234567"})", "ObjectId('0123456789abcdef01234567')"}});
}

TEST(Expression, HandlesObjects) {
  check({{R"({"$mergeObjects":[{"a":1},{"b":2,"a":3}]})", "{ a: 3, b: 2 }"},
         {R"({"$objectToArray":{"a":1}})", "[ { k: \"a\", v: 1 } ]"},
         {R"({"$arrayToObject":[["a",1],["b",2]]})", "error 16020"},
         {R"({"$arrayToObject":{"$literal":[["a",1],["b",2]]}})", "{ a: 1, b: 2 }"},
         {R"({"$getField":"n"})", "5"},
         {R"({"$setField":{"field":"x","input":"$o","value":9}})", "{ x: 9, y: [ { z: 1 }, { z: 2 } ] }"},
         {R"({"$unsetField":{"field":"y","input":"$o"}})", "{ x: 1 }"},
         {R"({"$bsonSize":{"$literal":{}}})", "5"},
         {R"({"$binarySize":"$s"})", "5"}});
}

TEST(Expression, HashesLikeAHashedIndex) {
  // Equal numbers hash alike, whatever their type.
  EXPECT_EQ(result(R"({"$toHashedIndexKey":5})"), result(R"({"$toHashedIndexKey":{"$numberLong":"5"}})"));
  EXPECT_EQ(result(R"({"$toHashedIndexKey":5.5})"), result(R"({"$toHashedIndexKey":5})"));
  EXPECT_NE(result(R"({"$toHashedIndexKey":5})"), result(R"({"$toHashedIndexKey":6})"));
  EXPECT_EQ(evaluate(R"({"$toHashedIndexKey":"$s"})")->type(), BSON_TYPE_INT64);
}

TEST(Expression, RefusesAsTheServerDoes) {
  check({{R"({"$nope":1})", "error 168"},
         {R"({"$eq":[1]})", "error 16020"},
         {R"({"$eq":[1,2],"$ne":[1,2]})", "error 15983"},
         {R"({"$meta":"textScore"})", "error 238"},
         {R"({"$function":{}})", "error 238"}});
  bson::Document document = parse(R"({"e":1})");
  for (int i = 0; i < 400; ++i) {
    bson::Builder builder;
    builder.append("e", document.view());
    document = builder.finish();
  }
  EXPECT_EQ(code_of(Expression::parse(*document.view().begin(), {})), kOverflow);
}

}  // namespace
}  // namespace tidemark::sandbox
