#include "sandbox/failpoints/fail_points.h"

#include <gtest/gtest.h>

namespace tidemark::sandbox {
namespace {

bson::Document doc(std::string_view json) { return bson::Document::from_json(json).value(); }

TEST(FailPoints, FailsTheNamedCommandsTheGivenNumberOfTimes) {
  FailPoints points(1);
  ASSERT_TRUE(points.configure(doc(R"({"configureFailPoint":"failCommand","mode":{"times":2},
      "data":{"failCommands":["insert"],"errorCode":10107,"errorLabels":["A"]}})")));
  EXPECT_FALSE(points.inject("find", "", "t.a").any());
  for (int i = 0; i < 2; i++) {
    const auto injection = points.inject("insert", "", "t.a");
    ASSERT_TRUE(injection.error);
    EXPECT_EQ(injection.error->code, 10107);
    EXPECT_EQ(injection.error->labels, std::vector<std::string>{"A"});
  }
  EXPECT_FALSE(points.inject("insert", "", "t.a").any());
}

TEST(FailPoints, SkipsBeforeItFiresAndStopsWhenOff) {
  FailPoints points(1);
  ASSERT_TRUE(points.configure(doc(R"({"configureFailPoint":"failCommand","mode":{"skip":1},
      "data":{"failCommands":["find"],"closeConnection":true}})")));
  EXPECT_FALSE(points.inject("find", "", "").any());
  EXPECT_TRUE(points.inject("find", "", "").close_connection);
  ASSERT_TRUE(points.configure(doc(R"({"configureFailPoint":"failCommand","mode":"off"})")));
  EXPECT_FALSE(points.inject("find", "", "").any());
}

TEST(FailPoints, LooksAtApplicationAndNamespace) {
  FailPoints points(1);
  ASSERT_TRUE(points.configure(doc(R"({"configureFailPoint":"failCommand","mode":"alwaysOn",
      "data":{"failCommands":["find"],"blockConnection":true,"blockTimeMS":5,"appName":"x","namespace":"t.a"}})")));
  EXPECT_FALSE(points.inject("find", "y", "t.a").any());
  EXPECT_FALSE(points.inject("find", "x", "t.b").any());
  EXPECT_EQ(points.inject("find", "x", "t.a").block_ms, 5);
}

TEST(FailPoints, RepeatsAProbabilityForASeed) {
  std::vector<bool> first;
  for (int round = 0; round < 2; round++) {
    FailPoints points(42);
    ASSERT_TRUE(points.configure(doc(R"({"configureFailPoint":"failCommand",
        "mode":{"activationProbability":0.5},"data":{"failCommands":["find"],"errorCode":6}})")));
    std::vector<bool> fired;
    for (int i = 0; i < 50; i++) fired.push_back(points.inject("find", "", "").any());
    if (round == 0) {
      first = fired;
    } else {
      EXPECT_EQ(fired, first);
    }
  }
  EXPECT_GT(std::count(first.begin(), first.end(), true), 5);
  EXPECT_LT(std::count(first.begin(), first.end(), true), 45);
}

TEST(FailPoints, RefusesWhatItDoesntKnow) {
  FailPoints points(1);
  EXPECT_EQ(points.configure(doc(R"({"configureFailPoint":"nope","mode":"off"})")).error().code, kBadValue);
  EXPECT_FALSE(points.configure(doc(R"({"configureFailPoint":"failCommand"})")));
  EXPECT_FALSE(points.configure(doc(R"({"configureFailPoint":"failCommand","mode":{"times":-1}})")));
  EXPECT_FALSE(
      points.configure(doc(R"({"configureFailPoint":"failCommand","mode":"alwaysOn","data":{"x":1}})")));
}

TEST(FailPoints, SwitchesReplicationByName) {
  FailPoints points(1);
  EXPECT_FALSE(points.active("stopReplProducer"));
  ASSERT_TRUE(points.configure(doc(R"({"configureFailPoint":"stopReplProducer","mode":"alwaysOn"})")));
  EXPECT_TRUE(points.active("stopReplProducer"));
  points.clear();
  EXPECT_FALSE(points.active("stopReplProducer"));
}

}  // namespace
}  // namespace tidemark::sandbox
