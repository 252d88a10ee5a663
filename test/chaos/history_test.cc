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
  const LogFindings found = check_log(history(), log(), {});
  EXPECT_TRUE(found.clean()) << found.examples.front();
  EXPECT_EQ(found.repeated, 0u);
}

TEST(CheckLog, SeesEachEventThatIsMissing) {
  for (size_t i = 0; i < log().size(); ++i) {
    auto events = log();
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(i));
    const LogFindings found = check_log(history(), events, {});
    EXPECT_EQ(found.lost, 1u) << "event " << i;
    EXPECT_EQ(found.invented, 0u);
    EXPECT_THAT(found.examples.front(), HasSubstr("lost"));
  }
}

TEST(CheckLog, SeesARepetitionByItsToken) {
  auto events = log();
  events.push_back(events[1]);
  const LogFindings found = check_log(history(), events, {});
  EXPECT_EQ(found.repeated, 1u);
  EXPECT_TRUE(found.clean()) << "a repetition behind is not disorder";
}

TEST(CheckLog, SeesTheSameWriteUnderTwoTokens) {
  auto events = log();
  events.push_back({"06", "insert", "b", 3});
  EXPECT_EQ(check_log(history(), events, {}).invented, 1u);
}

TEST(CheckLog, SeesDisorderWithinADocumentAlone) {
  auto events = log();
  std::swap(events[0], events[1]);
  EXPECT_EQ(check_log(history(), events, {}).disordered, 1u);
  EXPECT_EQ(check_log(history(), events, {.keeps_order = false}).disordered, 0u)
      << "a table without an order of its own";
  events = log();
  std::swap(events[1], events[2]);
  EXPECT_TRUE(check_log(history(), events, {}).clean()) << "documents pass each other between lanes";
}

TEST(CheckLog, SeesTokensThatContradictTheWrites) {
  auto events = log();
  std::swap(events[0].token, events[1].token);
  EXPECT_EQ(check_log(history(), events, {.keeps_order = false}).disordered, 1u);
}

TEST(CheckLog, SeesWhatNobodyWrote) {
  auto events = log();
  events.push_back({"06", "insert", "c", 9});
  events.push_back({"07", "delete", "b", -1});
  EXPECT_EQ(check_log(history(), events, {}).invented, 2u);
}

TEST(CheckLog, LeavesAnUnknownWriteOpen) {
  History h = history();
  h.add("b", {6, Op::kUpdate, false});
  EXPECT_TRUE(check_log(h, log(), {}).clean());
  auto events = log();
  events.push_back({"06", "update", "b", 6});
  EXPECT_TRUE(check_log(h, events, {}).clean());
}

TEST(History, SettlesWhatIsUnknownByTheSource) {
  History h = history();
  h.add("b", {6, Op::kUpdate, false});
  h.settle({{"a", 5}, {"b", 6}});
  EXPECT_EQ(check_log(h, log(), {}).lost, 1u) << "it happened, and has no event";
  h = history();
  h.add("b", {6, Op::kDelete, false});
  h.add("c", {7, Op::kInsert, false});
  h.settle({{"a", 5}, {"b", 3}});
  EXPECT_TRUE(check_log(h, log(), {}).clean()) << "neither happened";
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

// --- one _id in two types

constexpr const char* kInt = R"({"$numberInt":"7"})";
constexpr const char* kLong = R"({"$numberLong":"7"})";

TEST(IdentityOf, IsOneForEveryTypeOfANumberAndForNothingElse) {
  EXPECT_EQ(identity_of(kInt), identity_of(kLong));
  EXPECT_EQ(identity_of(kInt), identity_of(R"({"$numberDouble":"7.0"})"));
  EXPECT_EQ(identity_of(kInt), identity_of(R"({"$numberDecimal":"7"})"));
  EXPECT_NE(identity_of(R"({"$numberDouble":"0.1"})"), identity_of(R"({"$numberDecimal":"0.1"})"));
  EXPECT_NE(identity_of(R"({"$numberLong":"9007199254740993"})"),
            identity_of(R"({"$numberDouble":"9007199254740992.0"})"));
  EXPECT_NE(identity_of("\"7\""), identity_of(kInt));
}

TEST(CheckLog, ADocumentWhoseIdChangedItsTypeIsOneAndEachEventNamesItsType) {
  History h;
  h.add(kInt, {1, Op::kInsert, true});
  h.add(kLong, {2, Op::kReplace, true});
  const std::vector<LoggedEvent> right = {{"01", "insert", kInt, 1}, {"02", "replace", kLong, 2}};
  EXPECT_TRUE(check_log(h, right, {}).clean());
  EXPECT_THAT(h.contradictions({{kLong, 2}}), IsEmpty());
  auto wrong = right;
  wrong[1].id = kInt;
  EXPECT_EQ(check_log(h, wrong, {}).invented, 1u);
}

// --- names that stand twice

TEST(CheckLog, ADoubledNameIsALetterWhereTheSinkCannotHoldItAndOnlyThere) {
  History h;
  h.add("a", {1, Op::kInsert, true});
  h.add("a", {2, Op::kReplace, true, true});
  const LoggedEvent row{"01", "insert", "a", 1}, doubled{"02", "replace", "a", 2};
  LoggedEvent letter = doubled;
  letter.letter = true;
  const LogRules jsonb{.rejects_doubled = true};
  EXPECT_TRUE(check_log(h, {row, doubled}, {}).clean()) << "a text holds it";
  EXPECT_TRUE(check_log(h, {row, letter}, jsonb).clean());
  EXPECT_EQ(check_log(h, {row, doubled}, jsonb).invented, 1u) << "one of the two is missing in the row";
  EXPECT_EQ(check_log(h, {row}, jsonb).lost, 1u) << "neither a row nor a letter";
  LoggedEvent needless = row;
  needless.letter = true;
  EXPECT_EQ(check_log(h, {needless, letter}, jsonb).lost, 1u) << "nothing forbids that row";
}

TEST(CheckLog, AnUpdateMayBeBothALetterAndARow) {
  History h;
  h.add("a", {1, Op::kInsert, true, true});
  h.add("a", {2, Op::kUpdate, true});
  const LoggedEvent insert{"01", "insert", "a", 1, true}, row{"02", "update", "a", 2},
      letter{"02", "update", "a", 2, true};
  for (const auto& events :
       {std::vector{row, insert}, std::vector{insert, letter}, std::vector{row, insert, letter}}) {
    const LogFindings found = check_log(h, events, {.keeps_order = false, .rejects_doubled = true});
    EXPECT_TRUE(found.clean()) << found.examples.front();
    EXPECT_EQ(found.repeated, 0u);
  }
}

// --- the whole collection

TEST(CheckLog, CountsRenamesAndDropsAndExpectsNoEventOfWhatTheyBring) {
  History h;
  h.add("a", {1, Op::kInsert, true});
  h.add("a", {2, Op::kUpdate, false});
  h.gone();
  h.renamed(1, 2);
  h.add("a", {3, Op::kBrought, true});
  h.add("b", {4, Op::kBrought, true});
  EXPECT_THAT(h.contradictions({{"a", 3}, {"b", 4}}), IsEmpty());
  EXPECT_EQ(h.contradictions({{"a", 1}, {"b", 4}}).size(), 1u) << "of the collection that was replaced";
  const LoggedEvent insert{"01", "insert", "a", 1}, update{"02", "update", "a", 2},
      rename{"03", "rename", "", -1};
  for (const auto& events : {std::vector{insert, rename}, std::vector{insert, update, rename}})
    EXPECT_TRUE(check_log(h, events, {}).clean());
  EXPECT_EQ(check_log(h, {insert}, {}).lost, 1u);
  EXPECT_EQ(check_log(h, {insert, rename, {"04", "drop", "", -1}}, {}).invented, 1u);
  EXPECT_EQ(check_log(h, {insert, rename, {"04", "insert", "b", 4}}, {}).invented, 1u)
      << "a log holds what the stream shows";
}

TEST(History, WhatARollbackMayHaveKeptStaysUnknownOnceTheCollectionWasReplaced) {
  History h;
  h.renamed(1, 1);
  h.add("u", {5, Op::kInsert, false});
  h.settle({});
  EXPECT_TRUE(check_log(h, {{"01", "insert", "u", 5}, {"02", "rename", "", -1}}, {}).clean());
}

}  // namespace
}  // namespace tidemark::chaos
