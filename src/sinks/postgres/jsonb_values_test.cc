#include "sinks/postgres/jsonb_values.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/json.h"
#include "bson/json_reader.h"
#include "bson/testing/arbitrary_bson.h"

namespace tidemark::postgres {
namespace {

using bson::ArbitraryBson;

// Not by libbson's reader, which ends a code at its first U+0000.
bson::Document document_of(const char* json) {
  auto document = bson::read_json(json);
  if (!document) ADD_FAILURE() << json << ": " << document.error().what;
  return document ? *std::move(document) : bson::Document();
}

TEST(MayHoldNul, SeesItWhereverATextStands) {
  for (const char* json :
       {R"({"a":"x\u0000"})", R"({"a":[{"b":"\u0000"}]})", R"({"a":{"$symbol":"\u0000x"}})",
        R"({"a":{"$code":"\u0000"}})", R"({"a":{"$code":"x","$scope":{"b":"\u0000"}}})",
        R"({"a":{"$code":"\u0000","$scope":{}}})",
        R"({"a":{"$dbPointer":{"$ref":"x\u0000","$id":{"$oid":"5f0000000000000000000000"}}}})"}) {
    const bson::Document document = document_of(json);
    std::string text;
    bson::append_json(document.view(), bson::JsonMode::kCanonical, text);
    EXPECT_TRUE(contains_nul_escape(text)) << text << " is no example";
    EXPECT_TRUE(may_hold_nul(document.view())) << json;
  }
  for (const char* json : {R"({})", R"({"a":"","b":"x","c":{"d":["y",true,null]},"e":{"$code":"x"}})"})
    EXPECT_FALSE(may_hold_nul(document_of(json))) << json;
}

RC_GTEST_PROP(MayHoldNul, NeverMissesWhatTheJsonHolds, ()) {
  const auto choices = *rc::gen::resize(400, rc::gen::arbitrary<std::vector<uint32_t>>());
  const bson::Document document = ArbitraryBson(choices, ArbitraryBson::Kind::kFramed).document();
  std::string json;
  bson::append_json(document.view(), bson::JsonMode::kCanonical, json);
  const bool holds = contains_nul_escape(json);
  RC_CLASSIFY(holds, "holds U+0000");
  if (holds) RC_ASSERT(may_hold_nul(document.view()));
}

}  // namespace
}  // namespace tidemark::postgres
