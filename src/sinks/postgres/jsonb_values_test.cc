#include "sinks/postgres/jsonb_values.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/json.h"
#include "bson/testing/arbitrary_bson.h"
#include "support/change_events.h"

namespace tidemark::postgres {
namespace {

using bson::ArbitraryBson;
using testing::doc;

TEST(MayHoldNul, SeesItWhereverATextStands) {
  for (const char* json :
       {R"({"a":"x\u0000"})", R"({"a":[{"b":"\u0000"}]})", R"({"a":{"$symbol":"\u0000x"}})",
        R"({"a":{"$code":"\u0000"}})", R"({"a":{"$code":"x","$scope":{"b":"\u0000"}}})"})
    EXPECT_TRUE(may_hold_nul(doc(json))) << json;
  for (const char* json : {R"({})", R"({"a":"","b":"x","c":{"d":["y",1,null]},"e":{"$code":"x"}})"})
    EXPECT_FALSE(may_hold_nul(doc(json))) << json;
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
