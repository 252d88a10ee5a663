#include "env/posix/child_process.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace tidemark {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ChildOptions shell(const std::string& script) {
  ChildOptions options;
  options.argv = {"/bin/sh", "-c", script};
  return options;
}

TEST(ChildProcess, HandsOutLinesAndTheExitCode) {
  auto child = ChildProcess::spawn(shell("echo one; echo two >&2; printf three; exit 7"));
  ASSERT_TRUE(child) << child.error().describe();
  EXPECT_EQ(child->read_line(seconds(10)), "one");
  EXPECT_EQ(child->read_line(seconds(10)), "two");
  EXPECT_EQ(child->read_line(seconds(10)), "three") << "the last line has no newline";
  EXPECT_EQ(child->read_line(seconds(10)), std::nullopt);
  const auto exit = child->wait_for(seconds(10));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->code, 7);
  EXPECT_EQ(exit->signal, 0);
  EXPECT_FALSE(child->running());
}

TEST(ChildProcess, ALineThatDoesNotComeEndsTheWaitButNotTheChild) {
  auto child = ChildProcess::spawn(shell("echo ready; exec sleep 100"));
  ASSERT_TRUE(child) << child.error().describe();
  EXPECT_EQ(child->read_line(seconds(10)), "ready");
  EXPECT_EQ(child->read_line(milliseconds(1)), std::nullopt);
  EXPECT_EQ(child->wait_for(milliseconds(0)), std::nullopt) << "it still runs";
}

TEST(ChildProcess, KillReapsAndNamesTheSignal) {
  auto child = ChildProcess::spawn(shell("echo up; while :; do sleep 100; done"));
  ASSERT_TRUE(child) << child.error().describe();
  ASSERT_EQ(child->read_line(seconds(10)), "up");
  EXPECT_EQ(child->wait_for(milliseconds(0)), std::nullopt);
  const ExitState exit = child->kill();
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.describe(), "killed by signal 9");
  EXPECT_FALSE(child->running());
}

TEST(ChildProcess, AProgramThatIsNotThereIsAnErrorWithItsName) {
  ChildOptions options;
  options.argv = {"/nowhere/program"};
  auto child = ChildProcess::spawn(options);
  ASSERT_FALSE(child.has_value());
  EXPECT_EQ(child.error().react, React::kConfig);
  EXPECT_NE(child.error().what.find("/nowhere/program"), std::string::npos) << child.error().what;
}

TEST(ChildProcess, EnvironmentIsAddedReplacedAndTakenOut) {
  ::setenv("TIDEMARK_CHILD_OLD", "old", 1);
  ::setenv("TIDEMARK_CHILD_GONE", "there", 1);
  ChildOptions options =
      shell("echo \"$TIDEMARK_CHILD_OLD $TIDEMARK_CHILD_NEW ${TIDEMARK_CHILD_GONE-unset}\"");
  options.env = {{"TIDEMARK_CHILD_OLD", "replaced"}, {"TIDEMARK_CHILD_NEW", "added"}};
  options.env_without = {"TIDEMARK_CHILD_GONE"};
  auto child = ChildProcess::spawn(options);
  ASSERT_TRUE(child) << child.error().describe();
  EXPECT_EQ(child->read_line(seconds(10)), "replaced added unset");
}

TEST(ChildProcess, OutputGoesToTheFilesThatAreNamed) {
  const std::string path = ::testing::TempDir() + "child_process_test." + std::to_string(::getpid());
  ChildOptions options = shell("echo out; echo err >&2");
  options.stdout_path = path + ".out";
  options.stderr_path = path + ".err";
  auto child = ChildProcess::spawn(options);
  ASSERT_TRUE(child) << child.error().describe();
  ASSERT_TRUE(child->wait_for(seconds(10)).has_value());
  const auto content = [](const std::string& file) {
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    std::filesystem::remove(file);
    return text.str();
  };
  EXPECT_EQ(content(options.stdout_path), "out\n");
  EXPECT_EQ(content(options.stderr_path), "err\n");
}

TEST(ChildProcess, MovingLeavesOneOwner) {
  auto spawned = ChildProcess::spawn(shell("echo up; while :; do sleep 100; done"));
  ASSERT_TRUE(spawned) << spawned.error().describe();
  ChildProcess child = std::move(*spawned);
  EXPECT_FALSE(spawned->running());
  EXPECT_TRUE(child.running());
  EXPECT_EQ(child.read_line(seconds(10)), "up");
  child = ChildProcess();
  EXPECT_FALSE(child.running());
}

}  // namespace
}  // namespace tidemark
