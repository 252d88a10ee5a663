#include "sources/mongodb/classify.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::mongodb {
namespace {

React react_of(int code, Phase phase, std::vector<std::string> labels = {}) {
  return classify({Origin::kServer, code, labels, "message"}, phase, "orders: reading").react;
}

TEST(ClassifyPhase, TakesTheFirstGetMoreForPartOfTheOpen) {
  EXPECT_EQ(react_of(260, Phase::kFirstRead), React::kPositionLost);
  EXPECT_EQ(react_of(9, Phase::kFirstRead), React::kPositionLost);
  EXPECT_EQ(react_of(987654, Phase::kFirstRead), React::kRetry);
  // What is wrong with the stages or the options is found when they are read, which the aggregate does.
  for (const int code : {2, 20, 168, 40324, 40415, 72})
    EXPECT_EQ(react_of(code, Phase::kFirstRead), React::kRetry) << code;
}

struct Case {
  int code;
  React open;
  React read;
};

class Classify : public testing::TestWithParam<Case> {};

TEST_P(Classify, FollowsItsRow) {
  EXPECT_EQ(react_of(GetParam().code, Phase::kOpen), GetParam().open) << "open";
  EXPECT_EQ(react_of(GetParam().code, Phase::kRead), GetParam().read) << "read";
}

INSTANTIATE_TEST_SUITE_P(
    Rows, Classify,
    testing::Values(
        // ChangeStreamHistoryLost, ChangeStreamFatalError, CappedPositionLost, shard removed, 4.2's history
        // lost, token not found: lost in any phase.
        Case{286, React::kPositionLost, React::kPositionLost},
        Case{280, React::kPositionLost, React::kPositionLost},
        Case{136, React::kPositionLost, React::kPositionLost},
        Case{464, React::kPositionLost, React::kPositionLost},
        Case{40576, React::kPositionLost, React::kPositionLost},
        Case{40585, React::kPositionLost, React::kPositionLost},
        // Mangled tokens: terminal on open alone.
        Case{260, React::kPositionLost, React::kRetry}, Case{50811, React::kPositionLost, React::kRetry},
        Case{40647, React::kPositionLost, React::kRetry}, Case{9, React::kPositionLost, React::kRetry},
        Case{15, React::kPositionLost, React::kRetry},
        // One event.
        Case{10334, React::kReject, React::kReject}, Case{7182500, React::kReject, React::kReject},
        Case{7182502, React::kReject, React::kReject}, Case{13548, React::kReject, React::kReject},
        Case{16389, React::kReject, React::kReject},
        // The operator's to mend.
        Case{47, React::kConfig, React::kConfig}, Case{13, React::kDenied, React::kDenied},
        Case{18, React::kDenied, React::kDenied}, Case{11, React::kDenied, React::kDenied},
        Case{8000, React::kDenied, React::kDenied}, Case{40573, React::kConfig, React::kConfig},
        Case{166, React::kConfig, React::kConfig}, Case{167, React::kConfig, React::kConfig},
        Case{148, React::kConfig, React::kConfig}, Case{168, React::kConfig, React::kRetry},
        Case{2, React::kConfig, React::kRetry}, Case{72, React::kConfig, React::kRetry},
        Case{303, React::kConfig, React::kRetry}, Case{40575, React::kConfig, React::kRetry},
        Case{20, React::kConfig, React::kRetry}, Case{40324, React::kConfig, React::kRetry},
        Case{40415, React::kConfig, React::kRetry}, Case{73, React::kConfig, React::kRetry},
        // Faults that pass.
        Case{43, React::kRetry, React::kRetry}, Case{10107, React::kRetry, React::kRetry},
        Case{13435, React::kRetry, React::kRetry}, Case{13436, React::kRetry, React::kRetry},
        Case{11602, React::kRetry, React::kRetry}, Case{11600, React::kRetry, React::kRetry},
        Case{189, React::kRetry, React::kRetry}, Case{91, React::kRetry, React::kRetry},
        Case{6, React::kRetry, React::kRetry}, Case{7, React::kRetry, React::kRetry},
        Case{89, React::kRetry, React::kRetry}, Case{9001, React::kRetry, React::kRetry},
        Case{50, React::kRetry, React::kRetry}, Case{262, React::kRetry, React::kRetry},
        Case{63, React::kRetry, React::kRetry}, Case{150, React::kRetry, React::kRetry},
        Case{13388, React::kRetry, React::kRetry}, Case{133, React::kRetry, React::kRetry},
        Case{234, React::kRetry, React::kRetry}, Case{237, React::kRetry, React::kRetry},
        Case{11601, React::kRetry, React::kRetry}, Case{202, React::kRetry, React::kRetry},
        Case{134, React::kRetry, React::kRetry}, Case{94, React::kRetry, React::kRetry},
        Case{211, React::kRetry, React::kRetry}, Case{391, React::kRetry, React::kRetry},
        Case{24, React::kRetry, React::kRetry}, Case{46, React::kRetry, React::kRetry},
        Case{112, React::kRetry, React::kRetry}, Case{175, React::kRetry, React::kRetry},
        Case{246, React::kRetry, React::kRetry}, Case{279, React::kRetry, React::kRetry},
        Case{14031, React::kRetry, React::kRetry},
        // Unknown: it waits.
        Case{987654, React::kRetry, React::kRetry}),
    [](const testing::TestParamInfo<Case>& info) { return "Code" + std::to_string(info.param.code); });

// Every code that a server has a name for, and those that have numbers alone: what isn't on the list of ends waits.
TEST(ClassifyAll, NothingEndsAPipelineButTheListedCodes) {
  const std::set<int> ends = {286, 280,   136, 464, 40576, 40585, 260,   50811, 40647, 9,
                              15,  47,    13,  18,  11,    8000,  40573, 166,   167,   148,
                              20,  40324, 168, 2,   40415, 40575, 72,    73,    303};
  const std::set<int> about_one_event = {10334, 7182500, 7182502, 13548, 16389};
  std::vector<int> codes;
  for (int code = 0; code < 65'536; ++code) codes.push_back(code);
  for (int code = 1'000'000; code < 10'000'000; code += 500) codes.push_back(code);
  for (const int code : codes) {
    for (const Phase phase : {Phase::kOpen, Phase::kFirstRead, Phase::kRead, Phase::kOther}) {
      const React react = react_of(code, phase);
      const bool listed = react == React::kReject ? about_one_event.contains(code) : ends.contains(code);
      ASSERT_TRUE(react == React::kRetry || listed) << code;
      ASSERT_NE(react, React::kFatal) << code;
    }
  }
}

TEST(ClassifyAll, SaysThatItDoesNotKnow) {
  const Error unknown = classify({Origin::kServer, 987654, {}, "m"}, Phase::kOpen, "w");
  EXPECT_TRUE(is_unknown(unknown));
  EXPECT_NE(unknown.describe().find("987654"), std::string::npos);
  EXPECT_NE(unknown.hint.find("does not know"), std::string::npos);
  EXPECT_FALSE(is_unknown(classify({Origin::kServer, 11602, {}, "m"}, Phase::kOpen, "w")));
}

TEST(ClassifyEvent, TakesWhatPassesForNoEventsFault) {
  const auto may = [](int code, Phase phase, bool filtered = true, std::vector<std::string> labels = {}) {
    return may_be_about_an_event({Origin::kServer, code, labels, "m"}, phase, filtered);
  };
  // ConversionFailure, a division by zero in its three numbers, BadValue, an out of range.
  for (const int code : {241, 16608, 4848401, 5787902, 2, 40391}) {
    EXPECT_TRUE(may(code, Phase::kRead)) << code;
    EXPECT_TRUE(may(code, Phase::kFirstRead)) << code;
    EXPECT_FALSE(may(code, Phase::kRead, true, {"ResumableChangeStreamError"})) << code;
  }
  for (const int code : {43, 11602, 6, 280, 286, 13, 10334}) EXPECT_FALSE(may(code, Phase::kRead)) << code;
  EXPECT_TRUE(may(9, Phase::kFirstRead));
  EXPECT_FALSE(may(9, Phase::kFirstRead, false)) << "a mangled token";
  EXPECT_FALSE(may_be_about_an_event({Origin::kNetwork, 0, {}, "m"}, Phase::kRead, true));
}

TEST(ClassifyLabels, ResumableMeansRetryWhateverTheCode) {
  EXPECT_EQ(react_of(987654, Phase::kOpen, {"ResumableChangeStreamError"}), React::kRetry);
}

TEST(ClassifyLabels, NonResumableMeansLostWhateverTheCode) {
  EXPECT_EQ(react_of(987654, Phase::kRead, {"NonResumableChangeStreamError"}), React::kPositionLost);
  EXPECT_EQ(react_of(43, Phase::kRead, {"NonResumableChangeStreamError"}), React::kPositionLost);
}

TEST(ClassifyLabels, ResumableDoesNotOutweighARowThatSaysLost) {
  EXPECT_EQ(react_of(286, Phase::kRead, {"ResumableChangeStreamError"}), React::kPositionLost);
}

TEST(ClassifyDriver, JudgesTheDriversOwnErrorsByTheirOrigin) {
  const auto react = [](Origin origin) { return classify({origin, 0, {}, "m"}, Phase::kOpen, "w").react; };
  EXPECT_EQ(react(Origin::kNetwork), React::kRetry);
  EXPECT_EQ(react(Origin::kSelection), React::kRetry);
  const auto login = [](std::string_view words) {
    return classify({Origin::kAuthentication, 0, {}, words}, Phase::kOpen, "w").react;
  };
  EXPECT_EQ(login("Authentication failed."), React::kDenied);
  EXPECT_EQ(login("Cache Reader No keys found for HMAC"), React::kRetry);
  EXPECT_EQ(react(Origin::kIncompatible), React::kConfig);
  EXPECT_EQ(react(Origin::kDriver), React::kRetry) << "an unknown fault of the client is the surroundings'";
}

TEST(ClassifyMessage, SaysWhereWhatAndWhatToDo) {
  const Error error =
      classify({Origin::kServer, 13, {}, "not authorized on shop"}, Phase::kOpen, "orders: opening");
  EXPECT_EQ(error.what, "orders: opening: not authorized on shop [code 13]");
  EXPECT_NE(error.hint.find("changeStream"), std::string::npos);
  EXPECT_EQ(error.code, 13);
}

TEST(ClassifyUnsupported, KnowsTheAnswersOfServersThatLackAnOption) {
  EXPECT_TRUE(may_mean_unsupported(40415));
  EXPECT_TRUE(may_mean_unsupported(40324));
  EXPECT_TRUE(may_mean_unsupported(9));
  EXPECT_FALSE(may_mean_unsupported(286));
  EXPECT_FALSE(may_mean_unsupported(43));
}

}  // namespace
}  // namespace tidemark::mongodb
