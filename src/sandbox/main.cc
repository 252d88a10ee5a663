// tidemark-sandbox: a MongoDB replica set in one process, for demonstrations and tests.
#include <csignal>
#include <cstdio>
#include <optional>

#include <CLI/CLI.hpp>

#include "env/posix/clock.h"
#include "sandbox/server/chaos.h"

namespace {

using namespace tidemark;  // NOLINT: a program's main file
using sandbox::ReplicaSetOptions;

constexpr int kExitUsage = 64;
constexpr int kExitUnavailable = 69;

struct Flags {
  ReplicaSetOptions set;
  std::optional<uint64_t> seed;
  int64_t oplog_mb = 64;
  int64_t election_ms = 300;
  int64_t noop_ms = 10'000;
  std::string compat = "7.0";
  bool chaos = false;
};

void add_options(CLI::App& app, Flags& flags) {
  app.add_option("--members", flags.set.members, "How many members")
      ->check(CLI::Range(1, 50))
      ->capture_default_str();
  app.add_option("--port", flags.set.port, "Port of the first member, the others follow; 0: free ports")
      ->capture_default_str();
  app.add_option("--bind", flags.set.bind, "Address to listen on")->capture_default_str();
  app.add_option("--oplog-mb", flags.oplog_mb, "Size of each member's oplog")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--seed", flags.seed,
                 "Decides ids and the faults of --chaos; another one every time when absent");
  app.add_option("--election-ms", flags.election_ms, "How long a lost primary is waited for")
      ->check(CLI::Range(1, 600000))
      ->capture_default_str();
  app.add_option("--noop-ms", flags.noop_ms, "How often an idle primary writes a no-op")
      ->check(CLI::Range(1, 86400000))
      ->capture_default_str();
  app.add_option("--compat", flags.compat, "The server version to behave as")
      ->check(CLI::IsMember({"4.2", "4.4", "7.0"}))
      ->capture_default_str();
  app.add_option("--max-connections", flags.set.connections_max, "Per member")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--user", flags.set.user, "Demand authentication as this user (SCRAM-SHA-256)");
  app.add_option("--password", flags.set.password, "The password of --user")->needs("--user");
  app.add_flag("--mongos", flags.set.router,
               "Show one server as a mongos in front of a sharded cluster; takes no --members");
  app.add_flag("!--no-majority-reads", flags.set.majority_reads,
               "Refuse read concern majority, as enableMajorityReadConcern: false does; before 5.0 alone");
  app.add_flag("--chaos", flags.chaos,
               "Inflict faults by a schedule that --seed decides; each is told on stderr");
}

void tell(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

int run(Flags& flags) {
  if (flags.set.router) flags.set.members = 1;
  flags.set.seed = flags.seed ? *flags.seed : random_seed();
  flags.set.oplog_bytes_max = static_cast<size_t>(flags.oplog_mb) << 20;
  flags.set.election = std::chrono::milliseconds(flags.election_ms);
  flags.set.noop = std::chrono::milliseconds(flags.noop_ms);
  flags.set.version = {flags.compat[0] - '0', flags.compat[2] - '0'};
  // Blocked before any thread starts, so that only sigwait below gets them.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  PosixClock clock;
  auto set = sandbox::ReplicaSet::start(flags.set, clock);
  if (!set) {
    tell("tidemark-sandbox: " + set.error().describe());
    return kExitUnavailable;
  }
  std::printf("%s\n", (*set)->uri().c_str());
  std::fflush(stdout);
  std::optional<sandbox::Chaos> chaos;
  if (flags.chaos) chaos.emplace(**set, sandbox::ChaosOptions{flags.set.seed}, clock, tell);
  int signal = 0;
  sigwait(&ending, &signal);
  chaos.reset();
  (*set)->stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A MongoDB replica set in one process: it speaks the wire protocol, and fails on command.",
               "tidemark-sandbox");
  Flags flags;
  add_options(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return run(flags);
}
