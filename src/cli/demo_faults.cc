#include "cli/demo_faults.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kPauseMin = milliseconds(2'000);
constexpr uint64_t kPauseSpreadMs = 2'000;
constexpr auto kDownMin = milliseconds(800);
constexpr uint64_t kDownSpreadMs = 1'200;
constexpr auto kElectionPatience = seconds(10);
constexpr auto kLook = milliseconds(100);
constexpr int kHealTries = 100;

// "mongodb://user@a:1,b:2/?x" -> a:1, b:2
std::vector<std::string> hosts_of(const std::string& uri) {
  std::string rest = uri.substr(uri.find("://") + 3);
  rest = rest.substr(0, rest.find('/'));
  if (const size_t at = rest.rfind('@'); at != std::string::npos) rest = rest.substr(at + 1);
  std::vector<std::string> hosts;
  size_t from = 0;
  while (from <= rest.size()) {
    const size_t comma = std::min(rest.find(',', from), rest.size());
    hosts.push_back(rest.substr(from, comma - from));
    from = comma + 1;
  }
  return hosts;
}

}  // namespace

void FaultLedger::inflicted(FaultKind kind, milliseconds at, std::string detail, int64_t written) {
  entries_.push_back({{kind, at, std::move(detail), std::nullopt}, written});
  ++inflicted_[static_cast<size_t>(kind)];
}

void FaultLedger::delivered(int64_t changes, milliseconds now) {
  for (Entry& entry : entries_) {
    if (entry.record.survived_after || changes <= entry.written) continue;
    entry.record.survived_after = now - entry.record.at;
    ++survived_[static_cast<size_t>(entry.record.kind)];
  }
}

std::vector<FaultRecord> FaultLedger::newest_first(size_t max) const {
  std::vector<FaultRecord> records;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && records.size() < max; ++entry)
    records.push_back(entry->record);
  return records;
}

size_t FaultLedger::waiting() const {
  return static_cast<size_t>(
      std::ranges::count_if(entries_, [](const Entry& entry) { return !entry.record.survived_after; }));
}

DemoFaults::DemoFaults(DemoServer server, DemoWorld& world, DemoWriter& writer, uint64_t seed, Mono started,
                       Clock& clock)
    : server_(std::move(server)),
      world_(world),
      writer_(writer),
      random_(seed),
      started_(started),
      clock_(clock),
      hosts_(hosts_of(world.uri())),
      thread_([this](std::stop_token end) { run(std::move(end)); }) {}

DemoFaults::~DemoFaults() {
  quiet_.request_stop();
  thread_.request_stop();
}

void DemoFaults::delivered(int64_t changes) {
  const auto now = std::chrono::duration_cast<milliseconds>(clock_.now() - started_);
  MutexLock lock(mutex_);
  ledger_.delivered(changes, now);
}

FaultLedger DemoFaults::ledger() const {
  MutexLock lock(mutex_);
  return ledger_;
}

std::string DemoFaults::deployment() const {
  MutexLock lock(mutex_);
  return deployment_;
}

std::optional<Error> DemoFaults::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

void DemoFaults::note_deployment(std::string text) {
  MutexLock lock(mutex_);
  deployment_ = std::move(text);
}

void DemoFaults::run(std::stop_token end) {
  const std::stop_token quiet = quiet_.get_token();
  // Every kind once in each round, in an order that the seed decides: no kind is left out of a short demo.
  std::vector<FaultKind> round;
  while (clock_.sleep_until(clock_.now() + kPauseMin + milliseconds(random_.below(kPauseSpreadMs)), quiet)) {
    if (round.empty())
      for (size_t kind = 0; kind < kFaultKinds; ++kind) round.push_back(static_cast<FaultKind>(kind));
    const size_t at = random_.below(round.size());
    const FaultKind kind = round[at];
    round.erase(round.begin() + static_cast<std::ptrdiff_t>(at));
    inflict(kind);
  }
  restart_what_is_down();
  healed_ = true;
  // The relay this thread started would end with it.
  Mutex mutex;
  CondVar never;
  MutexLock lock(mutex);
  never.wait(mutex, end, [] { return false; });
}

void DemoFaults::inflict(FaultKind kind) {
  strike_ = clock_.now();
  if (kind == FaultKind::kRelayKilled) {
    if (Status killed = kill_relay(); !killed) {
      MutexLock lock(mutex_);
      failure_ = killed.error();
    }
    return;
  }
  const auto primary = find_primary();
  if (!primary) return;  // an election is on: fault enough
  strike_ = clock_.now();
  // A fault that can't be inflicted is none, and not counted; the next one comes in a moment.
  switch (kind) {
    case FaultKind::kElection:
      (void)step_down(*primary);
      break;
    case FaultKind::kPrimaryKilled:
      (void)kill_primary(*primary);
      break;
    case FaultKind::kDeadCursors:
      (void)kill_cursors();
      break;
    case FaultKind::kClosedConnection:
      (void)close_connection();
      break;
    case FaultKind::kRelayKilled:
      break;
  }
  find_primary();
}

void DemoFaults::record(FaultKind kind, Mono at, std::string detail) {
  const int64_t written = writer_.written();
  MutexLock lock(mutex_);
  ledger_.inflicted(kind, std::chrono::duration_cast<milliseconds>(at - started_), std::move(detail),
                    written);
}

Status DemoFaults::step_down(int primary) {
  bson::Builder command;
  command.append("replSetStepDown", int32_t{2}).append("secondaryCatchUpPeriodSecs", int32_t{1});
  TIDEMARK_TRY(server_.command("admin", command.view(), DemoServer::Member::kPrimary));
  note_deployment("electing a primary");
  record(FaultKind::kElection, strike_, fmt::format("member {} steps down", primary));
  return {};
}

Status DemoFaults::kill_primary(int primary) {
  TIDEMARK_TRY(control("kill", primary));
  down_ = primary;
  note_deployment(fmt::format("member {} is dead", primary));
  record(FaultKind::kPrimaryKilled, strike_, fmt::format("member {} dies", primary));
  clock_.sleep_until(clock_.now() + kDownMin + milliseconds(random_.below(kDownSpreadMs)),
                     quiet_.get_token());
  restart_what_is_down();
  return {};
}

Status DemoFaults::kill_cursors() {
  bson::Builder command;
  command.append("sandbox", "killCursors").append("changeStreams", true);
  TIDEMARK_ASSIGN(const bson::Document reply,
                  server_.command("admin", command.view(), DemoServer::Member::kOther));
  const auto killed = reply.view().find("killed");
  const int64_t count = killed ? killed->integer().value_or(0) : 0;
  if (count == 0) return {};  // the relay had none open: it is recovering from something else
  record(FaultKind::kDeadCursors, strike_, fmt::format("{} change stream{}", count, count == 1 ? "" : "s"));
  return {};
}

Status DemoFaults::close_connection() {
  bson::Builder commands, data, mode, command;
  commands.append("0", "getMore");
  data.append_array("failCommands", commands.view()).append("closeConnection", true);
  mode.append("times", int32_t{1});
  command.append("configureFailPoint", "failCommand").append("mode", mode.view()).append("data", data.view());
  TIDEMARK_TRY(server_.command("admin", command.view(), DemoServer::Member::kPrimary));
  record(FaultKind::kClosedConnection, strike_, "in place of an answer");
  return {};
}

Status DemoFaults::kill_relay() {
  const pid_t pid = world_.kill_relay();
  if (pid == 0) return {};
  record(FaultKind::kRelayKilled, strike_, fmt::format("process {}", pid));
  return world_.start_relay();
}

// A member that is told to die can't answer: another one is asked.
Status DemoFaults::control(const char* action, int member) {
  bson::Builder command;
  command.append("sandbox", action).append("member", int32_t{member});
  TIDEMARK_TRY(server_.command("admin", command.view(), DemoServer::Member::kOther));
  return {};
}

std::optional<int> DemoFaults::find_primary() {
  const Mono give_up = clock_.now() + kElectionPatience;
  bson::Builder hello;
  hello.append("hello", int32_t{1});
  do {
    const auto reply = server_.command("admin", hello.view(), DemoServer::Member::kPrimary);
    const auto me = reply ? reply->view().find("me") : std::nullopt;
    const auto writable = reply ? reply->view().find("isWritablePrimary") : std::nullopt;
    if (me && me->is_string() && writable && writable->truthy()) {
      const auto at = std::ranges::find(hosts_, std::string(me->string()));
      if (at != hosts_.end()) {
        const int member = static_cast<int>(at - hosts_.begin());
        note_deployment(fmt::format("primary is member {}", member));
        return member;
      }
    }
  } while (clock_.sleep_until(clock_.now() + kLook, quiet_.get_token()) && clock_.now() < give_up);
  return std::nullopt;
}

void DemoFaults::restart_what_is_down() {
  for (int tries = 0; down_ && tries < kHealTries; ++tries) {
    if (control("restart", *down_)) {
      down_.reset();
    } else {
      clock_.sleep_until(clock_.now() + kLook, {});
    }
  }
  if (down_) {
    MutexLock lock(mutex_);
    failure_ = Error{React::kFatal, fmt::format("member {} of the sandbox can't be restarted", *down_)};
  }
}

}  // namespace tidemark::cli
