#include "demo/faults.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kPauseMin = milliseconds(1'500);
constexpr uint64_t kPauseSpreadMs = 2'000;
constexpr auto kUnscheduled = std::chrono::hours(1);
constexpr auto kDownMin = milliseconds(800);
constexpr uint64_t kDownSpreadMs = 1'200;
constexpr auto kSilence = seconds(6);
constexpr auto kElectionPatience = seconds(10);
constexpr auto kBrokerStopPatience = seconds(10);
constexpr auto kBrokerStartPatience = seconds(40);
constexpr auto kLook = milliseconds(100);
constexpr int kHealTries = 100;
constexpr size_t kOrdersMax = 5;
constexpr int32_t kRetryChangeStream = 234;

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

bson::Document fail_point(bson::View mode, bson::View data) {
  bson::Builder command;
  command.append("configureFailPoint", "failCommand").append("mode", mode).append("data", data);
  return command.finish();
}

}  // namespace

Status FaultOrders::order(const std::string& button) {
  const auto kind = fault_of_button(button);
  if (!kind) return fail(React::kReject, "\"" + button + "\" is no fault that this demo inflicts");
  MutexLock lock(mutex_);
  if (closed_) return fail(React::kRetry, "the demo is ending: no more faults");
  if (waiting_.size() >= kOrdersMax) return fail(React::kRetry, "one fault after the other: some still wait");
  waiting_.push_back(*kind);
  changed_.notify_all();
  return {};
}

std::optional<FaultKind> FaultOrders::next(Mono deadline, const Clock& clock, std::stop_token stop) {
  MutexLock lock(mutex_);
  const auto ready = [this]() REQUIRES(mutex_) { return !waiting_.empty(); };
  const auto left = std::max(deadline - clock.now(), std::chrono::nanoseconds(0));
  if (!changed_.wait_for(mutex_, std::move(stop), left, ready)) return std::nullopt;
  const FaultKind kind = waiting_.front();
  waiting_.pop_front();
  return kind;
}

void FaultOrders::close() {
  MutexLock lock(mutex_);
  closed_ = true;
}

Faults::Faults(Server server, World& world, Poster& poster, FaultOrders& orders, Options options,
               Clock& clock)
    : server_(std::move(server)),
      world_(world),
      poster_(poster),
      orders_(orders),
      options_(std::move(options)),
      random_(options_.seed),
      clock_(clock),
      hosts_(hosts_of(world.addresses().mongodb)),
      thread_([this](std::stop_token end) { run(std::move(end)); }) {}

Faults::~Faults() {
  request_heal();
  thread_.request_stop();
}

void Faults::request_heal() {
  orders_.close();
  quiet_.request_stop();
}

void Faults::delivered(int64_t events) {
  const milliseconds now = elapsed();
  MutexLock lock(mutex_);
  ledger_.delivered(events, now);
}

void Faults::shown(int64_t events) {
  const milliseconds now = elapsed();
  MutexLock lock(mutex_);
  shown_ = events;
  ledger_.shown(events, now);
}

milliseconds Faults::elapsed() const {
  return std::chrono::duration_cast<milliseconds>(clock_.now() - options_.started);
}

FaultLedger Faults::ledger() const {
  MutexLock lock(mutex_);
  return ledger_;
}

std::string Faults::deployment() const {
  MutexLock lock(mutex_);
  return deployment_;
}

std::optional<Error> Faults::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

void Faults::note_deployment(std::string text) {
  MutexLock lock(mutex_);
  deployment_ = std::move(text);
}

void Faults::give_up(Error error) {
  MutexLock lock(mutex_);
  if (!failure_) failure_ = std::move(error);
}

void Faults::run(std::stop_token end) {
  find_primary();
  while (const auto kind = next_fault()) {
    strike_ = clock_.now();
    // A fault that can't be inflicted is none, and not counted; the next one comes in a moment.
    if (Status done = inflict(*kind); !done)
      options_.tell(fmt::format("not inflicted: {}: {}", to_string(*kind), done.error().what));
  }
  restart_what_is_down();
  healed_ = true;
  // What this thread started would end with it.
  Mutex mutex;
  CondVar never;
  MutexLock lock(mutex);
  never.wait(mutex, end, [] { return false; });
}

// Every kind once in each round, in an order that the seed decides: no kind is left out of a short demo. Empty once there
// are to be no more.
std::optional<FaultKind> Faults::next_fault() {
  const std::stop_token quiet = quiet_.get_token();
  for (;;) {
    const auto pause = options_.scheduled ? kPauseMin + milliseconds(random_.below(kPauseSpreadMs))
                                          : milliseconds(kUnscheduled);
    const auto ordered = orders_.next(clock_.now() + pause, clock_, quiet);
    if (quiet.stop_requested()) return std::nullopt;
    if (ordered) return ordered;
    if (!options_.scheduled) continue;
    if (round_.empty())
      for (size_t kind = 0; kind < kFaultKinds; ++kind) round_.push_back(static_cast<FaultKind>(kind));
    const size_t at = random_.below(round_.size());
    const FaultKind kind = round_[at];
    round_.erase(round_.begin() + static_cast<std::ptrdiff_t>(at));
    return kind;
  }
}

Status Faults::inflict(FaultKind kind) {
  switch (kind) {
    case FaultKind::kWorkerKilled:
      return kill_worker();
    case FaultKind::kBrokerRestarted:
      return restart_broker();
    case FaultKind::kPoisoned:
      post_poisoned();
      return {};
    default:
      return inflict_on_primary(kind);
  }
}

Status Faults::inflict_on_primary(FaultKind kind) {
  const auto primary = find_primary();
  if (!primary) return fail(React::kRetry, "there is no primary at present");
  strike_ = clock_.now();
  Status done;
  switch (kind) {
    case FaultKind::kElection:
      done = step_down(*primary);
      break;
    case FaultKind::kPrimaryKilled:
      done = kill_primary(*primary);
      break;
    case FaultKind::kDeadCursors:
      done = kill_cursors();
      break;
    case FaultKind::kSilentFeed:
      done = silence_feed();
      break;
    default:
      done = close_connection();
      break;
  }
  find_primary();
  return done;
}

void Faults::record(FaultKind kind, Mono at, std::string detail) {
  const int64_t posted = poster_.figures().posted;
  options_.tell(fmt::format("{}: {}", to_string(kind), detail));
  MutexLock lock(mutex_);
  ledger_.inflicted(kind, std::chrono::duration_cast<milliseconds>(at - options_.started), std::move(detail),
                    posted);
}

Status Faults::step_down(int primary) {
  bson::Builder command;
  command.append("replSetStepDown", int32_t{2}).append("secondaryCatchUpPeriodSecs", int32_t{1});
  TIDEMARK_TRY(server_.command("admin", command.view(), Server::Member::kPrimary));
  note_deployment("electing a primary");
  record(FaultKind::kElection, strike_, fmt::format("member {} steps down", primary));
  return {};
}

Status Faults::kill_primary(int primary) {
  TIDEMARK_TRY(control("kill", primary));
  down_ = primary;
  note_deployment(fmt::format("member {} is dead", primary));
  record(FaultKind::kPrimaryKilled, strike_, fmt::format("member {} dies", primary));
  clock_.sleep_until(clock_.now() + kDownMin + milliseconds(random_.below(kDownSpreadMs)),
                     quiet_.get_token());
  restart_what_is_down();
  return {};
}

Status Faults::kill_cursors() {
  bson::Builder command;
  command.append("sandbox", "killCursors").append("changeStreams", true);
  TIDEMARK_ASSIGN(const bson::Document reply,
                  server_.command("admin", command.view(), Server::Member::kOther));
  const auto killed = reply.view().find("killed");
  const int64_t count = killed ? killed->integer().value_or(0) : 0;
  if (count == 0) return fail(React::kRetry, "no change stream is open");
  record(FaultKind::kDeadCursors, strike_, fmt::format("{} change stream{}", count, count == 1 ? "" : "s"));
  return {};
}

// The page's feed alone: its cursor fails, and so does every try to open another one. Stats, socket and the archive's
// stream go on, so that only a page that proves each of them apart shows the truth.
Status Faults::silence_feed() {
  bson::Builder commands, data;
  commands.append("0", "getMore").append("1", "aggregate");
  data.append_array("failCommands", commands.view()).append("errorCode", kRetryChangeStream);
  data.append("appName", kFeedAppName);
  bson::Builder command;
  command.append("configureFailPoint", "failCommand").append("mode", "alwaysOn").append("data", data.view());
  TIDEMARK_TRY(server_.command("admin", command.view(), Server::Member::kPrimary));
  record(FaultKind::kSilentFeed, strike_, fmt::format("for {} s", kSilence.count()));
  clock_.sleep_until(clock_.now() + kSilence, {});
  {
    MutexLock lock(mutex_);
    ledger_.silence_ended(shown_);
  }
  bson::Builder end;
  end.append("configureFailPoint", "failCommand").append("mode", "off");
  for (int tries = 0; tries < kHealTries; ++tries) {
    if (server_.command("admin", end.view(), Server::Member::kPrimary)) return {};
    clock_.sleep_until(clock_.now() + kLook, {});
  }
  give_up({React::kFatal, "the sandbox doesn't take its fail point back"});
  return {};
}

Status Faults::close_connection() {
  bson::Builder commands, data, mode;
  commands.append("0", "getMore");
  data.append_array("failCommands", commands.view()).append("closeConnection", true);
  mode.append("times", int32_t{1});
  TIDEMARK_TRY(server_.command("admin", fail_point(mode.view(), data.view()), Server::Member::kPrimary));
  record(FaultKind::kClosedConnection, strike_, "in place of an answer");
  return {};
}

Status Faults::kill_worker() {
  const pid_t pid = world_.kill_worker();
  if (pid == 0) return fail(React::kRetry, "the worker isn't running");
  record(FaultKind::kWorkerKilled, strike_, fmt::format("process {}", pid));
  if (Status started = world_.start_worker(); !started) give_up(started.error());
  return {};
}

// Every other time in order, which tells the clients, and every other time with kill -9, which doesn't.
Status Faults::restart_broker() {
  Broker& broker = world_.broker();
  if (!broker.answers()) return fail(React::kRetry, "the broker doesn't answer yet");
  const bool crash = random_.below(2) == 0;
  crash ? broker.kill() : broker.stop(kBrokerStopPatience);
  record(FaultKind::kBrokerRestarted, strike_, crash ? "after a kill -9" : "after an orderly end");
  if (Status started = broker.start(); !started) give_up(started.error());
  const Mono deadline = clock_.now() + kBrokerStartPatience;
  while (!broker.answers()) {
    if (clock_.now() >= deadline) {
      give_up({React::kFatal, "the broker doesn't answer after its restart",
               "its log is in " + broker.log_folder()});
      break;
    }
    clock_.sleep_until(clock_.now() + kLook, {});
  }
  return {};
}

void Faults::post_poisoned() {
  const int64_t number = poster_.post_poisoned();
  record(FaultKind::kPoisoned, strike_, fmt::format("number {}, a dead letter soon", number));
}

// A member that is told to die can't answer: another one is asked.
Status Faults::control(const char* action, int member) {
  bson::Builder command;
  command.append("sandbox", action).append("member", int32_t{member});
  TIDEMARK_TRY(server_.command("admin", command.view(), Server::Member::kOther));
  return {};
}

std::optional<int> Faults::find_primary() {
  const Mono give_up_at = clock_.now() + kElectionPatience;
  bson::Builder hello;
  hello.append("hello", int32_t{1});
  do {
    const auto reply = server_.command("admin", hello.view(), Server::Member::kPrimary);
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
  } while (clock_.sleep_until(clock_.now() + kLook, quiet_.get_token()) && clock_.now() < give_up_at);
  return std::nullopt;
}

void Faults::restart_what_is_down() {
  for (int tries = 0; down_ && tries < kHealTries; ++tries) {
    if (control("restart", *down_)) {
      down_.reset();
    } else {
      clock_.sleep_until(clock_.now() + kLook, {});
    }
  }
  if (down_) give_up({React::kFatal, fmt::format("member {} of the sandbox can't be restarted", *down_)});
}

}  // namespace tidemark::demo
