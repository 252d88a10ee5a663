#include "support/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "support/temp_folder.h"

namespace tidemark::testing {
namespace {

using std::chrono::milliseconds;

TEST(Process, ReadsItsLinesOneByOne) {
  Process process({"sh", "-c", "echo one; echo two; printf three"});
  EXPECT_EQ(process.read_line(), "one");
  EXPECT_EQ(process.read_line(), "two");
  EXPECT_EQ(process.read_line(), std::nullopt) << "a line without its end isn't one";
  EXPECT_EQ(process.wait()->code, 0);
  EXPECT_EQ(process.output(), "one\ntwo\nthree");
}

TEST(Process, GivesUpAtTheDeadline) {
  Process process({"sleep", "60"});
  EXPECT_EQ(process.read_line(milliseconds(20)), std::nullopt);
  EXPECT_FALSE(process.wait(milliseconds(20)));
  EXPECT_TRUE(process.running());
}

TEST(Process, TellsAnExitFromASignal) {
  EXPECT_EQ(run({"sh", "-c", "echo gone >&2; exit 7"}).status->code, 7);
  EXPECT_EQ(run({"sh", "-c", "echo gone >&2; exit 7"}).error_output, "gone\n");
  Process process({"sleep", "60"});
  process.kill_now();
  EXPECT_EQ(process.wait()->signal, SIGKILL);
  EXPECT_EQ(process.wait()->code, -1);
}

TEST(Process, DoesNotBlockAChildThatWritesMoreThanAPipeHolds) {
  const Finished finished = run({"sh", "-c", "yes | head -c 1000000"});
  ASSERT_TRUE(finished.status);
  EXPECT_EQ(finished.output.size(), 1'000'000u);
}

TEST(Process, PassesEnvironmentAndFolder) {
  TempFolder dir;
  dir.write("here", "found");
  const Finished finished =
      run({"sh", "-c", "cat here; echo $GREETING"}, {{{"GREETING", "hello"}}, dir.path()});
  EXPECT_EQ(finished.output, "foundhello\n");
}

TEST(Process, ReportsAProgramThatIsNotThere) { EXPECT_EQ(run({"no-such-program-here"}).status->code, 127); }

TEST(FreePorts, AreDifferentEveryTime) { EXPECT_NE(free_ports(3), free_ports(3)); }

TEST(Eventually, SeesAChangeAndGivesUp) {
  int asked = 0;
  EXPECT_TRUE(eventually([&] { return ++asked == 3; }));
  EXPECT_FALSE(eventually([] { return false; }, milliseconds(20)));
}

TEST(TempFolder, IsGoneAfterwards) {
  std::filesystem::path path;
  {
    TempFolder dir;
    path = dir.path();
    dir.write("a", "b");
    EXPECT_EQ(dir.read("a"), "b");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace tidemark::testing
