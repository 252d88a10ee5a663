#include "sources/mongodb/classify.h"

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
        Case{10334, React::kReject, React::kReject},
        // The operator's to mend.
        Case{47, React::kConfig, React::kConfig}, Case{13, React::kConfig, React::kConfig},
        Case{18, React::kConfig, React::kConfig}, Case{40573, React::kConfig, React::kConfig},
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
        // Unknown: a stream that ran is opened again, an open that is refused is not repeated for ever.
        Case{987654, React::kFatal, React::kRetry}),
    [](const testing::TestParamInfo<Case>& info) { return "Code" + std::to_string(info.param.code); });

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
  EXPECT_EQ(react(Origin::kAuthentication), React::kConfig);
  EXPECT_EQ(react(Origin::kIncompatible), React::kConfig);
  EXPECT_EQ(react(Origin::kDriver), React::kFatal);
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
