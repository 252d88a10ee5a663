// A destination or a position that can't be used: the relay ends or waits, says why, and loses nothing.
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>

#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "e2e/relay.h"
#include "support/postgres.h"

namespace tidemark::e2e {
namespace {

using ::testing::AllOf;
using testing::Finished;
using ::testing::HasSubstr;

class BadDestination : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(SinkKind::kSqlite, Mode::kCurrent);
  }
  std::string database_path() const { return folder_.file("orders.db"); }
};

TEST_F(BadDestination, AFolderThatIsNotThereEndsTheRun) {
  setup_.sink = "[pipeline.sink]\ntype = \"sqlite\"\npath = \"" + folder_.file("absent/orders.db") +
                "\"\ntable = \"orders\"\nmode = \"current\"\n";
  write_config();
  const Finished init = tidemark({"position", "init", config_, "orders", "--from", "now", "--yes"});
  EXPECT_THAT(init, ExitsWith(78));
  EXPECT_THAT(init.error_output, AllOf(HasSubstr("absent/orders.db"), HasSubstr("what to do")));
  EXPECT_THAT(tidemark({"run", config_}), ExitsWith(78));
}

TEST_F(BadDestination, AFileThatCantBeWrittenEndsTheRun) {
  use(SinkKind::kFile, Mode::kLog);
  init_position();
  insert(R"({"_id": 1})");
  ASSERT_EQ(::mkdir(folder_.file("orders.jsonl").c_str(), 0755), 0)
      << "a folder stands where the file should";
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, HasSubstr("orders.jsonl"));
  ASSERT_EQ(::rmdir(folder_.file("orders.jsonl").c_str()), 0);
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadDestination, ATableOfAnotherShapeIsLeftAlone) {
  init_position();
  insert(R"({"_id": 1})");
  sqlite_query(database_path(),
               "DROP TABLE IF EXISTS orders; CREATE TABLE orders(number INTEGER, customer TEXT)");
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("orders"), HasSubstr("another shape"),
                                           HasSubstr("customer"), HasSubstr("what to do")));
  sqlite_query(database_path(), "DROP TABLE orders");
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadDestination, APostgresTableOfAnotherShapeIsLeftAlone) {
  use(SinkKind::kPostgres, Mode::kCurrent);
  if (IsSkipped()) return;
  init_position();
  const std::string sink = destination_->toml();
  const size_t from = sink.find("postgresql://");
  const std::string uri = sink.substr(from, sink.find('"', from) - from);
  testing::PostgresServer::query(uri, "DROP TABLE IF EXISTS orders; CREATE TABLE orders(number int)");
  insert(R"({"_id": 1})");
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("orders"), HasSubstr("number")));
  testing::PostgresServer::query(uri, "DROP TABLE orders");
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadDestination, AFullDiskIsWaitedForAndNothingIsLost) {
  const std::string disk = folder_.file("disk");
  ASSERT_EQ(::mkdir(disk.c_str(), 0755), 0);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0)
    GTEST_SKIP() << "a small disk can't be mounted here: " << std::strerror(errno);
  struct Unmount {
    std::string path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{disk};
  setup_.sink = "[pipeline.sink]\ntype = \"file\"\npath = \"" + disk + "/orders.jsonl\"\n" +
                "[pipeline.position]\ntype = \"file\"\npath = \"" + folder_.file("orders.position") + "\"\n";
  init_position();
  const std::string filler(20'000, 'x');
  constexpr int kDocuments = 40;
  for (int i = 0; i < kDocuments; ++i)
    insert("{\"_id\": " + std::to_string(i) + ", \"filler\": \"" + filler + "\"}");

  const auto relay = start_relay(config_);
  EXPECT_TRUE(testing::eventually([&] {
    return relay->error_output().find("No space left") != std::string::npos;
  })) << relay->error_output();
  EXPECT_TRUE(relay->running()) << relay->error_output();
  EXPECT_THAT(relay->error_output(), HasSubstr("orders.jsonl"));
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=16m"), 0) << std::strerror(errno);
  const auto whole_lines = [&] {
    std::ifstream file(disk + "/orders.jsonl");
    size_t lines = 0;
    for (std::string line; std::getline(file, line);) lines += line.size() > filler.size() ? 1 : 0;
    return lines;
  };
  EXPECT_TRUE(testing::eventually([&] { return whole_lines() >= kDocuments; })) << relay->error_output();
  relay->signal(SIGTERM);
  relay->wait();
  EXPECT_EQ(whole_lines(), static_cast<size_t>(kDocuments)) << "nothing is doubled: what failed was cut off";
}

// A disk that is unmounted and mounted again.
TEST_F(BadDestination, APositionWhoseFolderIsAwayForAWhileIsWaitedFor) {
  const std::string disk = folder_.file("disk");
  ASSERT_EQ(::mkdir(disk.c_str(), 0755), 0);
  setup_.sink = "[pipeline.sink]\ntype = \"null\"\n[pipeline.position]\ntype = \"file\"\npath = \"" + disk +
                "/orders.position\"\n";
  init_position();
  const auto saved = [&] {
    std::ifstream file(disk + "/orders.position");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto relay = start_relay(config_);
  // The lease has been written by then, so that what changes afterwards is a save.
  ASSERT_TRUE(testing::eventually([&] {
    return relay->error_output().find("orders: streaming") != std::string::npos;
  })) << relay->error_output();
  const std::string first = saved();
  insert(R"({"_id": 1})");
  ASSERT_TRUE(testing::eventually([&] { return saved() != first; })) << relay->error_output();
  ASSERT_EQ(::rename(disk.c_str(), (disk + ".away").c_str()), 0);
  insert(R"({"_id": 2})");
  EXPECT_TRUE(testing::eventually([&] {
    return relay->error_output().find("auth_patience") != std::string::npos || !relay->running();
  })) << relay->error_output();
  ASSERT_TRUE(relay->running()) << relay->error_output();
  ASSERT_EQ(::rename((disk + ".away").c_str(), disk.c_str()), 0);
  const std::string second = saved();
  insert(R"({"_id": 3})");
  EXPECT_TRUE(testing::eventually([&] { return saved() != second; })) << relay->error_output();
  relay->signal(SIGTERM);
  EXPECT_EQ(relay->wait()->code, 0) << relay->error_output();
}

// `logrotate`, or a hand that removes the file: what comes afterwards stands in a file of that name.
TEST_F(BadDestination, AFileThatIsRemovedUnderTheRelayIsMadeAgain) {
  use(SinkKind::kFile, Mode::kLog);
  init_position();
  for (int i = 0; i < 5; ++i) insert("{\"_id\": " + std::to_string(i) + "}");
  const auto relay = start_relay(config_);
  const auto lines = [&] {
    std::ifstream file(folder_.file("orders.jsonl"));
    std::set<std::string> found;
    for (std::string line; std::getline(file, line);) found.insert(line);
    return found;
  };
  ASSERT_TRUE(testing::eventually([&] { return lines().size() == 5; })) << relay->error_output();
  const std::set<std::string> first = lines();
  // What comes afterwards: some of the first may come once more, where the file went before it was synced.
  const auto later = [&] {
    std::set<std::string> found = lines();
    for (const std::string& line : first) found.erase(line);
    return found.size();
  };
  ASSERT_EQ(::unlink(folder_.file("orders.jsonl").c_str()), 0);
  for (int i = 5; i < 45; ++i) insert("{\"_id\": " + std::to_string(i) + "}");
  EXPECT_TRUE(testing::eventually([&] { return later() >= 40; })) << later() << " lines";
  relay->signal(SIGTERM);
  relay->wait();
  EXPECT_EQ(later(), 40u);
  EXPECT_THAT(relay->error_output(), HasSubstr("was moved or removed"));
}

TEST_F(BadDestination, ALimitOnTheSizeOfFilesIsWaitedForLikeAFullDisk) {
  use(SinkKind::kFile, Mode::kLog);
  init_position();
  constexpr int kDocuments = 10;
  const std::string filler(20'000, 'x');
  for (int i = 0; i < kDocuments; ++i)
    insert("{\"_id\": " + std::to_string(i) + ", \"filler\": \"" + filler + "\"}");
  testing::Process relay({"/bin/bash", "-c", "ulimit -S -f 64; exec \"$0\" run \"$1\"",
                          testing::bin_dir() + "/tidemark", config_});
  EXPECT_TRUE(testing::eventually([&] {
    return relay.error_output().find("File too large") != std::string::npos;
  })) << relay.error_output();
  EXPECT_TRUE(relay.running()) << relay.error_output();
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(::prlimit(relay.pid(), RLIMIT_FSIZE, &none, nullptr), 0) << std::strerror(errno);
  const auto lines = [&] {
    std::ifstream file(folder_.file("orders.jsonl"));
    size_t whole = 0;
    for (std::string line; std::getline(file, line);) whole += line.size() > filler.size() ? 1 : 0;
    return whole;
  };
  EXPECT_TRUE(testing::eventually([&] { return lines() >= kDocuments; })) << relay.error_output();
  relay.signal(SIGTERM);
  ASSERT_TRUE(relay.wait());
  EXPECT_EQ(lines(), static_cast<size_t>(kDocuments));
}

// `tidemark run FILE 2>&1 | head -1`
TEST_F(BadDestination, AReaderOfTheLogThatEndsDoesNotEndTheRelay) {
  init_position();
  const std::string pid_file = folder_.file("pid");
  testing::Process shell(
      {"/bin/bash", "-c",
       "sh -c 'echo $$ > \"$2\"; TIDEMARK_LOG=debug exec \"$0\" run \"$1\"' \"$0\" \"$1\" \"$2\" "
       "2>&1 | head -1; echo \"${PIPESTATUS[0]}\"",
       testing::bin_dir() + "/tidemark", config_, pid_file});
  ASSERT_TRUE(testing::eventually([&] { return !shell.output().empty() || shell.read_line().has_value(); }));
  insert(R"({"_id": 1})");
  EXPECT_TRUE(testing::eventually([&] { return equal_ends(); }));
  std::ifstream file(pid_file);
  pid_t pid = 0;
  ASSERT_TRUE(file >> pid);
  ASSERT_EQ(::kill(pid, SIGTERM), 0) << "it still runs";
  const auto code = shell.read_line();
  ASSERT_TRUE(code.has_value());
  EXPECT_EQ(*code, "0");
}

TEST_F(BadDestination, ALogInAFolderThatIsNotThereEndsTheRunAndIsNamed) {
  init_position();
  PipelineSetup logged = setup_;
  logged.after += "[log]\nfile = \"" + folder_.file("none/x.log") + "\"\n";
  write_config(logged);
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("none/x.log"), HasSubstr("what to do")));
}

TEST_F(BadDestination, ASecondInstanceOnTheSamePositionIsRefused) {
  for (const SinkKind kind : {SinkKind::kSqlite, SinkKind::kPostgres, SinkKind::kFile}) {
    if (Destination::unavailable(kind)) continue;
    use(kind, Mode::kLog);
    config_.clear();
    init_position();
    const std::string before = destination_->position();
    const auto first = start_relay(config_);
    insert("{\"_id\": \"" + to_string(kind) + "\"}");
    ASSERT_TRUE(testing::eventually([&] { return destination_->position() != before; }))
        << first->error_output();
    const Finished second = tidemark({"run", config_});
    EXPECT_THAT(second, ExitsWith(77)) << to_string(kind);
    EXPECT_THAT(second.error_output, HasSubstr("what to do")) << to_string(kind);
    EXPECT_TRUE(first->running()) << to_string(kind) << ": the first goes on: " << first->error_output();
    // PostgreSQL's lease waits for a backend that may be dying, as the run above has shown.
    if (kind == SinkKind::kPostgres) continue;
    const Finished set = tidemark({"position", "set", config_, "orders", "--from", "now", "--yes"});
    EXPECT_THAT(set, ExitsWith(77)) << to_string(kind) << ": nobody moves a position that is in use";
  }
}

TEST_F(BadDestination, NoStoredPositionPrintsTheCommandsThatMakeOne) {
  write_config();
  insert(R"({"_id": "before the position"})");
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  const std::string command = "tidemark position init " + config_ + " orders --from ";
  for (const char* choice : {"now", "earliest", "time:", "token:"})
    EXPECT_THAT(finished.error_output, HasSubstr(command + choice));
  EXPECT_EQ(destination_->position(), "") << "a position is never invented";
  EXPECT_THAT(tidemark({"status", config_}), ExitsWith(78));

  // The printed command works as it stands.
  ASSERT_THAT(tidemark({"position", "init", config_, "orders", "--from", "earliest"}), ExitsWith(0));
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadDestination, ACorruptPositionIsNeverTakenForNone) {
  init_position();
  insert(R"({"_id": 1})");
  const auto good = sqlite_query(database_path(), "SELECT checksum FROM tidemark_positions");
  sqlite_query(database_path(), "UPDATE tidemark_positions SET checksum = 'x' || substr(checksum, 2)");
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(65));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("tidemark_positions"), HasSubstr("what to do")));
  EXPECT_THAT(tidemark({"position", "show", config_, "orders"}), ExitsWith(65));
  EXPECT_THAT(tidemark({"position", "init", config_, "orders", "--from", "now"}), ExitsWith(65));
  sqlite_query(database_path(), "UPDATE tidemark_positions SET checksum = '" + good[0][0] + "'");
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadDestination, ACorruptPositionFileIsNeverTakenForNone) {
  use(SinkKind::kFile, Mode::kLog);
  init_position();
  insert(R"({"_id": 1})");
  const std::string good = folder_.read("orders.position");
  std::string bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  for (const std::string& content : {bad, good.substr(0, good.size() - 1), std::string()}) {
    folder_.write("orders.position", content);
    const Finished finished = tidemark({"run", config_});
    EXPECT_THAT(finished, ExitsWith(65)) << content.size() << " bytes";
    EXPECT_THAT(finished.error_output, AllOf(HasSubstr("orders.position"), HasSubstr("what to do")));
  }
  folder_.write("orders.position", good);
  run_until_equal();
  expect_equal_ends();
}

TEST_F(BadDestination, APositionOfAnotherFilterIsRefused) {
  init_position();
  insert(R"({"_id": 1})");
  PipelineSetup changed = setup_;
  changed.source = R"(filter = '[{"$match": {"operationType": "insert"}}]')";
  write_config(changed);
  const Finished finished = tidemark({"run", config_});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, HasSubstr("what to do"));
  const Finished status = tidemark({"status", config_, "--json"});
  EXPECT_THAT(status.output, HasSubstr("\"fits_configuration\": false"));
  write_config();
  run_until_equal();
  expect_equal_ends();
}

}  // namespace
}  // namespace tidemark::e2e
