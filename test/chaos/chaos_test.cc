// tidemark-chaos as CI runs it: fifty seeds of which none may fail; and a relay that is broken on purpose, which must.
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/process.h"
#include "support/temp_folder.h"

namespace tidemark::chaos {
namespace {

using testing::bin_dir;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempFolder;

constexpr const char* kSeeds = "50";
constexpr const char* kSeedsOfSanitized = "4";
// Each trial on a real set starts three mongods.
constexpr const char* kSeedsOnReal = "12";
constexpr std::chrono::minutes kPatience{6}, kPatienceOnReal{18};

bool on_real_server() {
  const char* server = std::getenv("TIDEMARK_TEST_SERVER");
  return server != nullptr && std::string(server) == "real";
}

Finished chaos(std::vector<std::string> args, std::map<std::string, std::string> env = {}) {
  args.insert(args.begin(), testing::own_bin_dir() + "/tidemark-chaos");
  testing::Process::Options options;
  options.env = std::move(env);
  return testing::run(std::move(args), std::move(options), on_real_server() ? kPatienceOnReal : kPatience);
}

int code_of(const Finished& finished) { return finished.status ? finished.status->code : -1; }

TEST(Chaos, LosesAndDoublesNothingOverManySeeds) {
  const Finished finished =
      on_real_server() ? chaos({"--seeds", kSeedsOnReal, "--jobs", "1"})
                       : chaos({"--seeds", testing::sanitized() ? kSeedsOfSanitized : kSeeds, "--jobs", "3"});
  EXPECT_EQ(code_of(finished), 0) << finished.output << finished.error_output;
  EXPECT_THAT(finished.output, HasSubstr(" 0 failed"));
  std::printf("%s", finished.output.c_str());
}

// `tidemark` that falls back to now whenever it is started again: what rule 2 of docs/delivery.md is there against.
std::string make_forgetful_bin(const TempFolder& folder) {
  const std::string real = bin_dir();
  for (const char* name : {"tidemark-sandbox", "tidemark-crash"})
    std::filesystem::create_symlink(real + "/" + name, folder.file(name));
  // Not in its first life: nothing was written before it.
  const std::string script =
      folder.write("tidemark", "#!/bin/sh\nif [ \"$1\" = run ]; then\n  [ -e \"$2.ran\" ] && " + real +
                                   "/tidemark position set \"$2\" orders --from now --yes >/dev/null 2>&1\n  "
                                   ": > \"$2.ran\"\nfi\nexec " +
                                   real + "/tidemark \"$@\"\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  return folder.path();
}

TEST(Chaos, FindsARelayThatStartsAtNowAndMakesTheScheduleSmaller) {
  if (on_real_server()) GTEST_SKIP() << "the planted fault is the same on every server";
  const TempFolder folder;
  const std::string schedule =
      "seed 4; writes 120; relays sqlite-log,file; 20 step-down 0 1; 40 kill-cursors 0 1; 60 kill-relay 0 "
      "150; 80 delay 0 "
      "40";
  const Finished finished = chaos({"--jobs", "1", "--minimise-runs", "14", "--schedule", schedule},
                                  {{"TIDEMARK_BIN_DIR", make_forgetful_bin(folder)}});
  EXPECT_EQ(code_of(finished), 1) << finished.output << finished.error_output;
  EXPECT_THAT(finished.output, HasSubstr("events lost"));
  EXPECT_THAT(finished.output, HasSubstr("tidemark-chaos --schedule \"" + schedule + "\""));
  const size_t smaller = finished.output.find("made smaller");
  ASSERT_NE(smaller, std::string::npos) << finished.output;
  EXPECT_THAT(finished.output.substr(smaller), HasSubstr("relays sqlite-log;"));
  EXPECT_THAT(finished.output.substr(smaller), HasSubstr("kill-relay 0 150\""));
  EXPECT_THAT(finished.output.substr(smaller), Not(HasSubstr("kill-cursors")));
}

TEST(Chaos, CountsWhatTheUsualLoopsLose) {
  if (on_real_server()) GTEST_SKIP() << "the loops are the same on every server";
  // A killed loop comes back once something was written meanwhile, so that what it loses is no matter of the machine's speed.
  const Finished finished = chaos({"--jobs", "1", "--stock", "--schedule",
                                   "seed 6; writes 150; relays sqlite-log; 30 kill-relay 0 600; "
                                   "70 kill-relay 0 600; 110 kill-relay 0 600"});
  EXPECT_EQ(code_of(finished), 0) << finished.output << finished.error_output;
  EXPECT_THAT(finished.output, HasSubstr("| Tidemark | 0 of 1 | 0 | 0 |"));
  EXPECT_THAT(finished.output, HasSubstr("starts at now | 1 of 1 |"));
  EXPECT_THAT(finished.output, HasSubstr("in memory | 1 of 1 |"));
}

TEST(DieAtCall, EndsTheProcessBeforeTheCallAndNotEarlier) {
  const TempFolder folder;
  const auto code_with = [&folder](const char* call) {
    return code_of(
        testing::run({"dd", "if=/dev/zero", "of=" + folder.file("written"), "bs=1", "count=5", "status=none"},
                     {.env = {{"LD_PRELOAD", testing::own_bin_dir() + "/libtidemark-chaos-calls.so"},
                              {"TIDEMARK_DIE_AT_CALL", call}},
                      .folder = {}}));
  };
  EXPECT_EQ(code_with("3"), 137);
  EXPECT_EQ(folder.read("written").size(), 2u);
  EXPECT_EQ(code_with("1000"), 0);
  EXPECT_EQ(folder.read("written").size(), 5u);
}

TEST(Chaos, RefusesAScheduleThatItCannotRead) {
  const Finished finished = chaos({"--schedule", "seed 1; writes 10; relays tape"});
  EXPECT_EQ(code_of(finished), 64);
  EXPECT_THAT(finished.error_output, HasSubstr("no such relay"));
}

}  // namespace
}  // namespace tidemark::chaos
