#include "demo/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "demo/poster.h"
#include "demo/watch.h"

namespace tidemark::demo {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

TEST(EventRow, TheSameEventIsTheSameInAnyOrderOfItsFields) {
  const auto one = event_row(R"({"id":"a.1","source":"urn:x","data":{"mag":2.0,"felt":null}})");
  const auto two = event_row(R"({ "data": {"felt": null, "mag": 2.0}, "source": "urn:x", "id": "a.1" })");
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->id, "urn:x a.1");
  EXPECT_EQ(one->id, two->id);
  EXPECT_EQ(one->doc, two->doc);
}

TEST(EventRow, AnyOtherContentIsAnother) {
  const auto one = event_row(R"({"id":"a.1","source":"urn:x","data":{"mag":2.0}})");
  const auto two = event_row(R"({"id":"a.1","source":"urn:x","data":{"mag":2.1}})");
  const auto three = event_row(R"({"id":"a.1","source":"urn:x","data":{"mag":2.0},"extra":1})");
  ASSERT_TRUE(one && two && three);
  EXPECT_NE(one->doc, two->doc);
  EXPECT_NE(one->doc, three->doc);
}

TEST(EventRow, WhatIsNoEventIsRefused) {
  for (const char* text : {"", "{", "[]", "7", "{}", R"({"id":7})"}) EXPECT_FALSE(event_row(text)) << text;
}

TEST(DemoAudit, OneDifferenceAnywhereIsADifference) {
  EXPECT_TRUE(Audit{}.equal());
  Audit audit;
  audit.promised.missing.count = 1;
  EXPECT_FALSE(audit.equal());
  audit = {};
  audit.doubled = 1;
  EXPECT_FALSE(audit.equal());
  audit = {};
  audit.archived.different.count = 1;
  EXPECT_FALSE(audit.equal());
}

TEST(DemoAudit, TheTableSaysWhatIsWrongAndWhere) {
  Audit audit;
  audit.promised.source_total = 12'000;
  audit.promised.destination_total = 11'999;
  audit.promised.missing = {1, {"urn:x a.1"}};
  audit.archived.extra = {1, {"\"b\""}};
  const std::string text = audit_text(audit);
  EXPECT_THAT(text, ContainsRegex("missing +1 +0\n"));
  EXPECT_THAT(text, ContainsRegex("extra +0 +1\n"));
  EXPECT_THAT(text, ContainsRegex("different +0 +0\n"));
  EXPECT_THAT(text, HasSubstr("12,000 : 11,999"));
  EXPECT_THAT(text, HasSubstr("missing in MongoDB: urn:x a.1"));
  EXPECT_THAT(text, HasSubstr("extra in SQLite: \"b\""));
  EXPECT_THAT(audit_text(Audit{}), Not(HasSubstr("missing in"))) << "nothing to name";
}

TEST(Overview, TellsWhatThePageKnows) {
  const auto figures = read_overview(R"({"pipelines": [
    {"name": "ingest", "state": "streaming"},
    {"name": "observe", "state": "opening", "events_delivered": 12},
    {"name": "process", "state": "streaming", "backlog": 4, "dead_letters": null}]})");
  ASSERT_TRUE(figures) << figures.error().describe();
  EXPECT_EQ(figures->shown, 12);
  EXPECT_EQ(figures->waiting, 4);
  EXPECT_EQ(figures->dead_letters, std::nullopt);
  EXPECT_THAT(figures->planes, ElementsAre(Pair("ingest", "streaming"), Pair("observe", "opening"),
                                           Pair("process", "streaming")));
}

TEST(Overview, AnythingElseIsAnError) {
  for (const char* text : {"", "{", "[]", "{}", R"({"pipelines": 7})"})
    EXPECT_FALSE(read_overview(text)) << text;
}

}  // namespace
}  // namespace tidemark::demo
