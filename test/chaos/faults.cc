#include "chaos/faults.h"

#include <csignal>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "chaos/writer.h"

namespace tidemark::chaos {
namespace {

using std::chrono::milliseconds;
using testing::PostgresServer;

constexpr size_t kHoldersMax = 64;
// How long a service stays down that systemd starts again (RestartSec=). Beside the consumers, relays wait as long as they.
constexpr milliseconds kSupervisor{100};
constexpr milliseconds kPatience{500};  // with a fault that can't be inflicted just now

// Holds SQLite's lock of writers, as a backup or somebody's shell would.
void hold_sqlite(const std::string& path, int ms) {
  if (!std::filesystem::exists(path)) return;
  sqlite3* handle = nullptr;
  if (sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    sqlite3_busy_timeout(handle, 200);
    if (sqlite3_exec(handle, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK) {
      std::this_thread::sleep_for(milliseconds(ms));
      sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }
  sqlite3_close(handle);
}

void hold_postgres(const std::string& uri, const std::string& table, int ms) {
  try {
    PostgresServer::query(
        uri, fmt::format("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({}); COMMIT", table,
                         ms / 1000.0));
  } catch (const std::exception&) {
    // There is no such table yet, or the server is down: then there is nothing to lock.
  }
}

std::string fail_data(const std::string& commands, const std::string& how, const std::string& app_name = "") {
  const std::string app = app_name.empty() ? "" : ", \"appName\": \"" + app_name + "\"";
  return "{\"failCommands\": [" + commands + "], " + how + app + "}";
}

std::string error_code(int code) { return fmt::format("\"errorCode\": {}", code); }

constexpr const char* kWrites = R"("insert", "update", "delete", "findAndModify", "commitTransaction")";
constexpr const char* kReads = R"("getMore", "aggregate")";
constexpr const char* kClose = "\"closeConnection\": true";

}  // namespace

Faults::~Faults() = default;

void Faults::later(Time now, int ms, std::function<bool()> undo) {
  pending_.push_back({now + milliseconds(ms), std::move(undo)});
}

void Faults::inflict(const Fault& fault, Time now) {
  if (try_to_inflict(fault, now)) {
    ++inflicted_;
  } else {
    waiting_.push_back({fault, now + kPatience});
  }
}

Status Faults::try_to_inflict(const Fault& fault, Time now) {
  using enum FaultKind;
  if (fault.kind >= kLockSink) return inflict_on_sink(fault, now);
  if (fault.kind >= kKillRelay) return inflict_on_relay(fault, now);
  if (fault.kind >= kKillCursors) return inflict_on_streams(fault, now);
  return inflict_on_members(fault, now);
}

void Faults::tick(Time now) {
  for (size_t i = 0; i < pending_.size();) {
    if (pending_[i].at <= now && pending_[i].undo()) {
      pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  std::vector<Waiting> waiting = std::exchange(waiting_, {});
  for (Waiting& one : waiting) {
    const Status done = try_to_inflict(one.fault, now);
    if (done) {
      ++inflicted_;
    } else if (done.error().react == React::kRetry && now < one.give_up) {
      waiting_.push_back(one);
    } else {
      missed_.push_back(std::string(spec_of(one.fault.kind).name) + ": " + done.error().what);
    }
  }
}

void Faults::heal_all(Time now) {
  for (Pending& pending : pending_) (void)pending.undo();
  pending_.clear();
  holders_.clear();
  if (postgres_down_) world_.postgres->start();
  postgres_down_ = false;
  world_.deployment->heal_all();
  for (const auto& relay : *world_.relays) {
    relay->end_twin();
    relay->resume();
    relay->hurry(now);
  }
}

Status Faults::inflict_on_members(const Fault& fault, Time now) {
  using enum FaultKind;
  Deployment& deployment = *world_.deployment;
  const bool primary = fault.target == 0;
  // What one of them was made to suffer is over after the fault's time.
  const auto until_later = [&](const Result<int>& member, Status (Deployment::*undo)(int)) -> Status {
    if (!member) return fail(member.error());
    later(now, fault.amount, [&deployment, undo, m = *member] { return (deployment.*undo)(m).has_value(); });
    return {};
  };
  switch (fault.kind) {
    case kStepDown:
      return deployment.step_down();
    case kKillMember:
      return until_later(deployment.kill(primary), &Deployment::restart);
    case kPauseMember:
      return until_later(deployment.pause(primary), &Deployment::resume);
    case kPartition:
    case kCutOff:
      return until_later(deployment.partition(primary, fault.kind == kCutOff), &Deployment::heal);
    case kStopReplication:
      deployment.set_replicating(false);
      later(now, fault.amount, [&deployment] { return deployment.set_replicating(true), true; });
      return {};
    default:
      return roll_back(fault, now);
  }
}

// Writes that only the primary has, and which are gone once it comes back after another one was elected.
Status Faults::roll_back(const Fault& fault, Time now) {
  Deployment& deployment = *world_.deployment;
  deployment.set_replicating(false);
  deployment.write_unreplicated(world_.database, kCollection, fault.amount, next_unreplicated_);
  const auto member = deployment.kill(true);
  deployment.set_replicating(true);
  if (!member) return fail(member.error());
  later(now, 60, [&deployment, m = *member] { return deployment.restart(m).has_value(); });
  return {};
}

void Faults::fail_for(const std::string& data, Time now, int ms) {
  Deployment& deployment = *world_.deployment;
  deployment.fail_commands(data);
  later(now, ms, [&deployment] { return deployment.stop_failing(), true; });
}

Status Faults::inflict_on_streams(const Fault& fault, Time now) {
  using enum FaultKind;
  Deployment& deployment = *world_.deployment;
  const auto& errors = passing_errors();
  const int code = errors[static_cast<size_t>(fault.target) % errors.size()];
  switch (fault.kind) {
    case kKillCursors:
      for (int member = 0; member < 3; ++member)
        (void)deployment.order(
            fmt::format(R"({{"sandbox": "killCursors", "member": {}, "changeStreams": true, "code": {}}})",
                        member, fault.target == 0 ? 43 : 237));
      return {};
    case kDelay:
      deployment.delay(4);
      later(now, fault.amount, [&deployment] { return deployment.delay(0), true; });
      return {};
    case kTruncateOplog:
      return truncate_oplog();
    case kFailGetMore:
      fail_for(fail_data("\"getMore\"", error_code(code)), now, fault.amount);
      return {};
    case kFailAggregate:
      // What is open is closed first: an aggregate that nobody sends can't fail.
      fail_for(fail_data("\"aggregate\"", error_code(code)), now, fault.amount);
      (void)deployment.order(R"({"sandbox": "killCursors", "changeStreams": true})");
      return {};
    case kFailStream: {
      TIDEMARK_ASSIGN(const auto reply, deployment.order(fmt::format(
                                            R"({{"sandbox": "failStream", "errorCode": {}, "times": {}}})",
                                            code, std::max(1, fault.amount))));
      return {};
    }
    default:
      fail_for(fail_data(kReads, kClose), now, fault.amount);
      return {};
  }
}

// To just before the oldest stored position: what is left is exactly what the relays still need.
Status Faults::truncate_oplog() {
  std::string oldest, all;
  for (const auto& relay : *world_.relays) {
    const std::string position = relay->position();
    if (position.empty())
      return fail(React::kRetry, "the position of relay " + relay->name() + " is unknown");
    if (time_of_token(position) == bson::Timestamp{})
      return fail(React::kConfig,
                  "the position of relay " + relay->name() + " is no token's data: " + position);
    all += fmt::format("; relay {} stood at {}", relay->index(), position);
    if (oldest.empty() || position < oldest) oldest = position;
  }
  const bson::Timestamp time = time_of_token(oldest);
  truncated_.push_back(fmt::format("the oplog was cut at {}.{}{}", time.seconds, time.increment, all));
  return world_.deployment->truncate_oplog(time);
}

void Faults::inflict_on_process(Relay& relay, const Fault& fault, Time now) {
  using enum FaultKind;
  const milliseconds down =
      std::max(milliseconds(fault.amount), world_.together ? kSupervisor : milliseconds(0));
  if (fault.kind == kKillRelay) return relay.kill(now, down);
  if (fault.kind == kStopRelay) return relay.stop(now, down);
  if (fault.kind == kCrashAtCall) return relay.crash_at_call(now, std::max(1, fault.amount));
  const auto& points = crash_points();
  relay.crash(now, points[static_cast<size_t>(fault.amount) / 10 % points.size()],
              std::max(1, fault.amount % 10));
}

Status Faults::inflict_on_relay(const Fault& fault, Time now) {
  using enum FaultKind;
  Relay& relay = *(*world_.relays)[static_cast<size_t>(fault.target)];
  if (fault.kind == kPauseRelay) {
    relay.pause();
    later(now, fault.amount, [&relay] { return relay.resume(), true; });
    return {};
  }
  if (fault.kind == kTwinRelay) {
    relay.start_twin();
    later(now, fault.amount, [&relay] { return relay.end_twin(), true; });
    return {};
  }
  for (const auto& each : *world_.relays)
    if (world_.together || each.get() == &relay) inflict_on_process(*each, fault, now);
  if (!world_.together) return {};
  const bool at_once = fault.kind == kCrashRelay || fault.kind == kCrashAtCall;
  const milliseconds down(at_once ? 0 : fault.amount);
  for (Bystander* bystander : world_.bystanders) bystander->kill(now, std::max(down, kSupervisor));
  return {};
}

Status Faults::lock_sink(Relay& relay, int ms, bool positions) {
  if (holders_.size() >= kHoldersMax) return fail(React::kRetry, "too many locks");
  const std::string place = relay.end().lockable(positions);
  if (relay.kind().sink == SinkType::kSqlite) {
    holders_.emplace_back([place, ms] { hold_sqlite(place, ms); });
  } else {
    holders_.emplace_back([uri = world_.postgres_uri, place, ms] { hold_postgres(uri, place, ms); });
  }
  return {};
}

Status Faults::crash_postgres(Time now, int ms) {
  if (world_.postgres == nullptr) return fail(React::kConfig, "there is no PostgreSQL");
  if (postgres_down_) return {};
  world_.postgres->crash();
  postgres_down_ = true;
  later(now, ms, [this] {
    if (postgres_down_) world_.postgres->start();
    postgres_down_ = false;
    return true;
  });
  return {};
}

// A disk without a byte left; where there is none of our own to fill, a limit on every file of the relay's.
Status Faults::fill_disk(Time now, int ms) {
  if (!world_.disk.empty()) {
    const std::string filler = world_.disk + "/filler";
    const int fd = ::open(filler.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    struct statvfs space = {};
    if (fd < 0 || ::statvfs(world_.disk.c_str(), &space) != 0)
      return fail(React::kRetry, "no file to fill the disk");
    (void)::posix_fallocate(fd, 0, static_cast<off_t>(space.f_bavail * space.f_bsize));
    ::close(fd);
    later(now, ms, [filler] { return std::filesystem::remove(filler), true; });
    return {};
  }
  for (const auto& relay : *world_.relays) relay->limit_files(0);
  later(now, ms, [this] {
    for (const auto& relay : *world_.relays) relay->limit_files(RLIM_INFINITY);
    return true;
  });
  return {};
}

Status Faults::inflict_on_sink(const Fault& fault, Time now) {
  using enum FaultKind;
  if (fault.kind == kCrashPostgres) return crash_postgres(now, fault.amount);
  if (fault.kind == kDiskFull) return fill_disk(now, fault.amount);
  Relay& relay = *(*world_.relays)[static_cast<size_t>(fault.target)];
  const RelayKind& kind = relay.kind();
  const bool position = fault.kind == kFailPosition;
  if (kind.sink == SinkType::kSqlite ||
      (kind.sink == SinkType::kPostgres && (fault.kind == kLockSink || position)))
    return lock_sink(relay, fault.amount, position);
  if (kind.sink == SinkType::kPostgres) {
    if (world_.postgres == nullptr || postgres_down_) return fail(React::kRetry, "PostgreSQL is down");
    try {
      PostgresServer::query(
          world_.postgres->uri("postgres"),
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client "
          "backend' AND pid <> pg_backend_pid()");
    } catch (const std::exception& e) {
      return fail(React::kRetry, e.what());
    }
    return {};
  }
  if (kind.sink == SinkType::kFile && !kind.mongodb_position) {
    // No server to fail: the relay's own disk does.
    relay.limit_files(0);
    later(now, fault.amount, [&relay] { return relay.limit_files(RLIM_INFINITY), true; });
    return {};
  }
  // 112, 91, 189, 64: what a busy, stopping or lagging deployment answers to writes.
  constexpr int kCodes[] = {112, 91, 189, 10107};
  const std::string app = fmt::format("{}{}", kind.mongodb_position ? "position" : "sink", relay.index());
  const std::string how = fault.kind == kCutSink    ? kClose
                          : fault.kind == kLockSink ? "\"blockConnection\": true, \"blockTimeMS\": 60"
                                                    : error_code(kCodes[static_cast<size_t>(fault.at) % 4]);
  fail_for(fail_data(kWrites, how, app), now, fault.amount);
  return {};
}

}  // namespace tidemark::chaos
