// `tidemark demo` itself, for a few seconds: it survives its own faults, ends with the audit and leaves nothing behind.
#include <csignal>
#include <filesystem>

#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using testing::Finished;
using ::testing::HasSubstr;
using testing::Process;

class Demo : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path installed =
        std::filesystem::path(TIDEMARK_SOURCE_DIR) / "node_modules/vega-datasets/data/earthquakes.json";
    if (!std::filesystem::exists(installed)) GTEST_SKIP() << "the demo's data is not installed (make deps)";
    data_ = installed.string();
    ASSERT_TRUE(std::filesystem::create_directory(folder_.file("tmp")));
  }
  std::vector<std::string> args(std::vector<std::string> further) const {
    std::vector<std::string> all = {testing::bin_dir() + "/tidemark", "demo", "--plain", "--data", data_};
    all.insert(all.end(), further.begin(), further.end());
    return all;
  }
  // What it makes goes to a folder that the test can look into.
  Process::Options options() const { return {.env = {{"TMPDIR", folder_.file("tmp")}}}; }
  void expect_nothing_left() const { EXPECT_TRUE(std::filesystem::is_empty(folder_.file("tmp"))); }

  testing::TempFolder folder_;
  std::string data_;
};

TEST_F(Demo, SurvivesItsFaultsAndFindsBothEndsEqual) {
  const Finished finished = testing::run(args({"--for", "6s", "--seed", "3"}), options(), seconds(90));
  EXPECT_THAT(finished, ExitsWith(0));
  EXPECT_THAT(finished.output,
              AllOf(HasSubstr("seed 3"), ContainsRegex("missing +0"), ContainsRegex("extra +0"),
                    ContainsRegex("different +0"), HasSubstr("faults survived")));
  expect_nothing_left();
}

TEST_F(Demo, ASignalEndsItEarlyWithTheAudit) {
  Process demo(args({"--for", "10m", "--no-faults"}), options());
  ASSERT_TRUE(demo.read_until("written").has_value()) << demo.error_output();
  demo.signal(SIGINT);
  const auto status = demo.wait(seconds(60));
  ASSERT_TRUE(status.has_value()) << demo.output();
  EXPECT_EQ(status->code, 0) << demo.output() << demo.error_output();
  EXPECT_THAT(demo.output(), ContainsRegex("missing +0"));
  expect_nothing_left();
}

TEST_F(Demo, KilledItLeavesNoProcessBehind) {
  Process demo(args({"--for", "10m", "--no-faults", "--keep", folder_.file("kept")}), options());
  ASSERT_TRUE(demo.read_until("written").has_value()) << demo.error_output();
  const std::string config = folder_.read("kept/demo.toml");
  const size_t from = config.find("mongodb://");
  ASSERT_NE(from, std::string::npos) << config;
  const std::string uri =
      config.substr(from, config.find('"', from) - from) + "&serverSelectionTimeoutMS=200";
  ASSERT_TRUE(testing::Mongo(uri).run("admin", R"({"ping": 1})"));
  demo.kill_now();
  EXPECT_TRUE(testing::eventually([&] {
    return !testing::Mongo(uri).run("admin", R"({"ping": 1})").has_value();
  })) << "the sandbox outlives the demo";
  // The lock of the relay's position is free once the relay is gone.
  EXPECT_TRUE(testing::eventually([&] {
    const Finished reset = tidemark({"position", "reset", folder_.file("kept/demo.toml"), "quakes", "--yes"});
    return reset.status && reset.status->code == 0;
  })) << "the relay outlives the demo";
}

TEST_F(Demo, WithoutItsDataItSaysHowToGetIt) {
  const Finished finished = tidemark({"demo", "--data", folder_.file("absent.json")});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("absent.json"), HasSubstr("make deps")));
}

TEST_F(Demo, AKeptFolderHoldsEverything) {
  const std::string keep = folder_.file("kept");
  const Finished finished =
      testing::run(args({"--for", "1s", "--no-faults", "--keep", keep}), options(), seconds(60));
  EXPECT_THAT(finished, ExitsWith(0));
  for (const char* name : {"demo.toml", "demo.db", "relay.log"})
    EXPECT_TRUE(std::filesystem::exists(keep + "/" + name)) << name;
  EXPECT_THAT(testing::run(args({"--for", "1s", "--keep", keep}), options()), ExitsWith(78))
      << "it is not overwritten";
}

}  // namespace
}  // namespace tidemark::e2e
