#include "core/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string text(std::string name, std::string id, std::string key, std::vector<std::string> collections) {
  return Deployment{std::move(name), std::move(id), std::move(key), std::move(collections)}.text();
}

TEST(Deployment, ComesBackFromItsText) {
  EXPECT_EQ(text("rs0", "65f0", "74", {"aa", "bb"}), "rs0/65f0 key=74 collections=aa,bb");
  const Deployment again = Deployment::parse("rs0/65f0 key=74 collections=aa,bb");
  EXPECT_EQ(again.name, "rs0");
  EXPECT_EQ(again.id, "65f0");
  EXPECT_EQ(again.key, "74");
  EXPECT_THAT(again.collections, ElementsAre("aa", "bb"));
  EXPECT_EQ(Deployment::parse("my set key=74").name, "my set");
  EXPECT_EQ(deployment_name("rs0/65f0 key=74 collections=aa"), "rs0/65f0");
  EXPECT_EQ(deployment_name("rs0"), "rs0");
}

TEST(Deployment, ReadsWhatOlderVersionsStored) {
  EXPECT_EQ(compare_deployments("rs0/a", "rs0/a key=7 collections=aa"), Sameness::kSame);
  EXPECT_EQ(compare_deployments("rs0/a", "rs0/b key=7 collections=aa"), Sameness::kOther);
  EXPECT_EQ(compare_deployments("rs0", "rs1 key=7"), Sameness::kOther);
  EXPECT_EQ(compare_deployments("rabbitmq:h:5672//q", "rabbitmq:h:5672//q"), Sameness::kSame);
}

TEST(Deployment, AnIdThatBothKnowDecidesAlone) {
  EXPECT_EQ(compare_deployments(text("rs0", "a", "7", {"aa"}), text("rs0", "a", "8", {"bb"})),
            Sameness::kSame);
  EXPECT_EQ(compare_deployments(text("rs0", "a", "7", {"aa"}), text("rs0", "b", "7", {"aa"})),
            Sameness::kOther);
}

TEST(Deployment, AnotherSetOfTheSameNameIsToldByItsCollectionsWithoutAGrant) {
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {"aa"}), text("rs0", "", "8", {"bb"})),
            Sameness::kOther);
  // Also when the position was saved by a user who saw more.
  EXPECT_EQ(compare_deployments(text("rs0", "a", "7", {"aa"}), text("rs0", "", "8", {"bb"})),
            Sameness::kOther);
  // Also when there is nothing at all.
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {"aa"}), text("rs0", "", "8", {})), Sameness::kOther);
  EXPECT_EQ(compare_deployments(text("rs0", "", "", {"aa"}), text("rs0", "", "", {"bb"})), Sameness::kOther);
}

TEST(Deployment, ACollectionThatWasDroppedAndMadeAnewIsNoOtherDeployment) {
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {"aa"}), text("rs0", "", "7", {"bb"})), Sameness::kSame);
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {"aa"}), text("rs0", "", "7", {})), Sameness::kSame);
  EXPECT_EQ(compare_deployments(text("rs0", "", "", {"aa", "bb"}), text("rs0", "", "", {"bb", "cc"})),
            Sameness::kSame);
}

TEST(Deployment, AKeyThatWasChangedIsNoOtherDeployment) {
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {"aa"}), text("rs0", "", "8", {"aa", "bb"})),
            Sameness::kSame);
}

TEST(Deployment, SaysWhenNothingCanBeCompared) {
  EXPECT_EQ(compare_deployments("rs0", "rs0"), Sameness::kUntold);
  EXPECT_EQ(compare_deployments("rs0/a", "rs0"), Sameness::kUntold);
  EXPECT_EQ(compare_deployments("rs0/a", text("rs0", "", "8", {"bb"})), Sameness::kUntold);
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {}), text("rs0", "", "8", {"bb"})), Sameness::kUntold);
  EXPECT_EQ(compare_deployments(text("rs0", "", "7", {"aa"}), "rs0"), Sameness::kUntold);
}

TEST(Deployment, TellsTheDifferenceInWords) {
  EXPECT_EQ(difference_of("rs0/a key=7", "rs1/b key=8"), "deployment rs0/a, but the source is rs1/b");
  EXPECT_THAT(difference_of(text("rs0", "", "7", {"aa"}), text("rs0", "", "8", {"bb"})),
              HasSubstr("another one of that name"));
}

TEST(SameDeployment, ForgivesAnIdThatOnlyOneOfThemKnows) {
  EXPECT_TRUE(same_deployment("rs0/a", "rs0/a"));
  EXPECT_TRUE(same_deployment("rs0", "rs0/a"));
  EXPECT_TRUE(same_deployment("rs0/a", "rs0"));
  EXPECT_FALSE(same_deployment("rs0/a", "rs0/b"));
  EXPECT_FALSE(same_deployment("rs0", "rs1"));
  EXPECT_FALSE(same_deployment("rs0", "rs01/a"));
}

}  // namespace
}  // namespace tidemark
