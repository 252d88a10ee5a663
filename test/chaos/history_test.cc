// What the comparison must see: an event lost, doubled, out of order, invented; and what it must leave alone.
#include "chaos/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::chaos {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Document "a" with insert 1, update 2, delete, insert 4; document "b" with insert 3.
History history() {
  History h;
  h.add("a", {1, Op::kInsert, true});
  h.add("a", {2, Op::kUpdate, true});
  h.add("b", {3, Op::kInsert, true});
  h.add("a", {4, Op::kDelete, true});
  h.add("a", {5, Op::kInsert, true});
  return h;
}

std::vector<LoggedEvent> log() {
  return {{"01", "insert", "a", 1},
          {"02", "update", "a", 2},
          {"03", "insert", "b", 3},
          {"04", "delete", "a", -1},
          {"05", "insert", "a", 5}};
}

TEST(CheckLog, FindsNothingWrongWithTheWholeLog) {
  const LogFindings found = check_log(history(), log(), true);
  EXPECT_TRUE(found.clean()) << found.examples.front();
  EXPECT_EQ(found.repeated, 0u);
}

TEST(CheckLog, SeesEachEventThatIsMissing) {
  for (size_t i = 0; i < log().size(); ++i) {
    auto events = log();
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(i));
    const LogFindings found = check_log(history(), events, true);
    EXPECT_EQ(found.lost, 1u) << "event " << i;
    EXPECT_EQ(found.invented, 0u);
    EXPECT_THAT(found.examples.front(), HasSubstr("lost"));
  }
}

TEST(CheckLog, SeesARepetitionByItsToken) {
  auto events = log();
  events.push_back(events[1]);
  const LogFindings found = check_log(history(), events, true);
  EXPECT_EQ(found.repeated, 1u);
  EXPECT_TRUE(found.clean()) << "a repetition behind is not disorder";
}

TEST(CheckLog, SeesTheSameWriteUnderTwoTokens) {
  auto events = log();
  events.push_back({"06", "insert", "b", 3});
  EXPECT_EQ(check_log(history(), events, true).invented, 1u);
}

TEST(CheckLog, SeesDisorderWithinADocumentAlone) {
  auto events = log();
  std::swap(events[0], events[1]);
  EXPECT_EQ(check_log(history(), events, true).disordered, 1u);
  EXPECT_EQ(check_log(history(), events, false).disordered, 0u) << "a table without an order of its own";
  events = log();
  std::swap(events[1], events[2]);
  EXPECT_TRUE(check_log(history(), events, true).clean()) << "documents pass each other between lanes";
}

TEST(CheckLog, SeesTokensThatContradictTheWrites) {
  auto events = log();
  std::swap(events[0].token, events[1].token);
  EXPECT_EQ(check_log(history(), events, false).disordered, 1u);
}

TEST(CheckLog, SeesWhatNobodyWrote) {
  auto events = log();
  events.push_back({"06", "insert", "c", 9});
  events.push_back({"07", "delete", "b", -1});
  EXPECT_EQ(check_log(history(), events, true).invented, 2u);
}

TEST(CheckLog, LeavesAnUnknownWriteOpen) {
  History h = history();
  h.add("b", {6, Op::kUpdate, false});
  EXPECT_TRUE(check_log(h, log(), true).clean());
  auto events = log();
  events.push_back({"06", "update", "b", 6});
  EXPECT_TRUE(check_log(h, events, true).clean());
}

TEST(History, SettlesWhatIsUnknownByTheSource) {
  History h = history();
  h.add("b", {6, Op::kUpdate, false});
  h.settle({{"a", 5}, {"b", 6}});
  EXPECT_EQ(check_log(h, log(), true).lost, 1u) << "it happened, and has no event";
  h = history();
  h.add("b", {6, Op::kDelete, false});
  h.add("c", {7, Op::kInsert, false});
  h.settle({{"a", 5}, {"b", 3}});
  EXPECT_TRUE(check_log(h, log(), true).clean()) << "neither happened";
  EXPECT_EQ(h.documents().count("c"), 0u);
}

TEST(History, SeesASourceThatContradictsItsAcknowledgements) {
  EXPECT_THAT(history().contradictions({{"a", 5}, {"b", 3}}), IsEmpty());
  EXPECT_THAT(history().contradictions({{"a", 2}, {"b", 3}}),
              ElementsAre(HasSubstr("v = 5 was acknowledged")));
  EXPECT_THAT(history().contradictions({{"a", 5}}), ElementsAre(HasSubstr("there is no document")));
  EXPECT_THAT(history().contradictions({{"a", 5}, {"b", 3}, {"c", 1}}),
              ElementsAre(HasSubstr("never written")));
}

TEST(NormalJson, IsTheSameForEveryOrderAndSpacing) {
  EXPECT_EQ(normal_json(R"({ "b" : 1, "a": [1 ,2] })"), normal_json(R"({"a":[1,2],"b":1})"));
  EXPECT_NE(normal_json(R"({"$numberInt":"1"})"), normal_json(R"({"$numberLong":"1"})"));
}

}  // namespace
}  // namespace tidemark::chaos
