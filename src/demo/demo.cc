#include "demo/demo.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "app/app.h"
#include "app/exit_codes.h"
#include "app/service.h"
#include "base/human.h"
#include "demo/audit.h"
#include "demo/data.h"
#include "demo/faults.h"
#include "demo/poster.h"
#include "demo/server.h"
#include "demo/view.h"
#include "demo/watch.h"
#include "demo/world.h"

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kFrame = milliseconds(200);
constexpr auto kPlainEvery = seconds(2);
constexpr auto kBrokerPatience = seconds(60);
constexpr auto kHealPatience = seconds(60);
constexpr auto kPosterPatience = seconds(70);
constexpr auto kDrainPatience = seconds(60);
constexpr auto kEndPatience = seconds(60);
constexpr auto kWorkerStopPatience = seconds(20);
constexpr auto kBrokerStopPatience = seconds(10);
constexpr int kAuditTries = 20;
// The sandbox keeps every document in memory: a long demo posts more slowly rather than more.
constexpr int64_t kEventsMax = 300'000;

int bounded_rate(const Options& options) {
  const int64_t seconds = std::max<int64_t>(1, options.duration.count() / 1000);
  return static_cast<int>(std::clamp<int64_t>(kEventsMax / seconds, 1, options.rate));
}

// One demo from start to audit. The main thread's.
class Demo {
 public:
  explicit Demo(const Options& options)
      : options_(options), seed_(options.seed.value_or(random_seed() % 1'000'000)) {}

  int run();

 private:
  // Why a stage ended.
  enum class Ended { kReady, kTime, kInterrupted, kBroken };

  Status start_servers();
  Status start_planes();
  Status begin();
  void print_intro() const;
  int refuse(const Error& error);
  Ended stage(const std::string& name, Mono deadline, const std::function<bool()>& ready);
  bool broken();
  std::optional<Error> failure();
  void show(const std::string& stage_name);
  Snapshot snapshot(const std::string& stage_name) const;
  int finish();
  Audit audit();
  void end_in_order();
  int judge(const Audit& audit, const Snapshot& last);
  [[noreturn]] void end_early(Ended ended);
  std::string survived_text(const Snapshot& last) const;
  Clock& clock() const { return app_.clock; }

  const Options options_;
  const uint64_t seed_;
  SignalWaiter signals_{SIGINT, SIGTERM, SIGHUP};
  mutable app::App app_{signals_};
  std::vector<Quake> quakes_;
  FaultOrders orders_;
  // Destroyed from the last to the first: what looks on goes before what it looks at.
  std::unique_ptr<World> world_;
  std::optional<ServerPool> pool_;
  std::optional<config::File> file_;
  std::unique_ptr<app::Service> service_;
  std::unique_ptr<Poster> poster_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Screen> screen_;
  Mono started_;
  Mono next_line_;
  std::optional<Error> error_;
  std::optional<ExitState> worker_exit_;
};

int Demo::run() {
  started_ = clock().now();
  if (Status ready = start_servers(); !ready) return refuse(ready.error());
  if (Status ready = start_planes(); !ready) return refuse(ready.error());
  print_intro();
  if (!options_.plain && Screen::usable()) screen_ = std::make_unique<Screen>();
  Ended ended = stage("starting the broker", started_ + kBrokerPatience,
                      [this] { return service_->accepts(kInletPath); });
  if (ended == Ended::kTime)
    error_ = Error{React::kFatal, "the broker takes no events after " + human_duration(kBrokerPatience),
                   "its log is in " + world_->broker().log_folder()};
  if (ended != Ended::kReady) end_early(ended);
  if (Status ready = begin(); !ready) return refuse(ready.error());
  ended = stage(options_.faults ? "posting, and breaking things" : "posting", started_ + options_.duration,
                [] { return false; });
  if (ended == Ended::kBroken) end_early(ended);
  return finish();
}

Status Demo::start_servers() {
  const std::string path = options_.data.empty() ? default_quakes_path(executable_folder()) : options_.data;
  TIDEMARK_ASSIGN(quakes_, load_quakes(app_.files, path));
  TIDEMARK_TRY(Broker::installed());
  TIDEMARK_ASSIGN(world_, World::create(app_.files, app_.clock, options_.keep));
  // Standard error belongs to the demo's own view.
  TIDEMARK_TRY(app::start_log(LogLevel::kInfo, world_->log_path()));
  TIDEMARK_TRY(world_->start_servers(seed_, options_.port));
  TIDEMARK_ASSIGN(pool_, ServerPool::connect(world_->addresses().mongodb));
  return world_->init_position();
}

Status Demo::start_planes() {
  file_ = app::load(app_, world_->front_config_path());
  if (!file_) return fail(React::kFatal, "the demo's own configuration is refused");
  app::ServiceOptions options;
  for (size_t kind = 0; kind < kFaultKinds; ++kind)
    options.faults.push_back({std::string(button_name(static_cast<FaultKind>(kind))),
                              std::string(button_label(static_cast<FaultKind>(kind)))});
  options.inflict = [this](const std::string& button) { return orders_.order(button); };
  TIDEMARK_ASSIGN(service_, app::Service::create(app_, *file_, std::move(options)));
  TIDEMARK_TRY(service_->start());
  return world_->start_worker();
}

Status Demo::begin() {
  started_ = clock().now();
  Poster::Options posting;
  posting.port = world_->addresses().page_port;
  posting.path = kInletPath;
  posting.rate = bounded_rate(options_);
  posting.events_max = kEventsMax;
  posting.seed = seed_;
  poster_ = std::make_unique<Poster>(posting, quakes_, clock());
  Faults::Options breaking;
  breaking.seed = seed_ + 1;
  breaking.started = started_;
  breaking.scheduled = options_.faults;
  breaking.tell = [this](const std::string& text) { service_->note("fault", text); };
  faults_ =
      std::make_unique<Faults>(pool_->connection(), *world_, *poster_, orders_, std::move(breaking), clock());
  watch_ = std::make_unique<Watch>(pool_->connection(), world_->addresses(), *poster_, *faults_, clock());
  return {};
}

void Demo::print_intro() const {
  std::printf(
      "Tidemark demo, seed %llu, in %s\n\n"
      "  The page:  %s\n\n"
      "  Earthquakes are posted there, go through RabbitMQ, are classified and stored in\n"
      "  MongoDB, and from there to the page and into SQLite, while\n"
      "  %s.\n\n"
      "  Look at:  the row of stations - each plane's state in words, its rate and lag\n"
      "            proof of life - \"Silence the feed\" leaves everything green but the\n"
      "            feed, and it says so\n"
      "            the timeline - what broke, and how it went on\n"
      "            dead letters - what could never be stored\n"
      "            the buttons - break it yourself\n\n"
      "  It ends after %s with an audit; --for 10m leaves more time to look,\n"
      "  Ctrl-C ends it now.\n\n",
      static_cast<unsigned long long>(seed_), world_->folder().c_str(), service_->url().c_str(),
      options_.faults ? "servers and processes are killed" : "the buttons of the page break what you choose",
      human_duration(options_.duration).c_str());
  std::fflush(stdout);
}

// The demo can't run: why, and where to look.
int Demo::refuse(const Error& error) {
  screen_.reset();
  if (world_) world_->keep_folder();
  const int code = app::report(error);
  if (world_) std::fprintf(stderr, "  the demo's folder is kept: %s\n", world_->folder().c_str());
  if (world_) world_->abandon();
  std::fflush(nullptr);
  // Pipelines may wait for servers that never came.
  if (service_) std::_Exit(code);
  return code;
}

// Shows what happens until `ready`, the deadline or a signal.
Demo::Ended Demo::stage(const std::string& name, Mono deadline, const std::function<bool()>& ready) {
  next_line_ = clock().now();
  for (;;) {
    if (broken()) return Ended::kBroken;
    show(name);
    if (ready()) return Ended::kReady;
    const Mono now = clock().now();
    if (now >= deadline) return Ended::kTime;
    const auto left = std::chrono::ceil<milliseconds>(deadline - now);
    if (signals_.wait_for(std::min<milliseconds>(kFrame, left))) return Ended::kInterrupted;
  }
}

bool Demo::broken() {
  if (!error_) error_ = failure();
  return error_.has_value();
}

std::optional<Error> Demo::failure() {
  if (auto death = world_->death()) return death;
  for (const PipelineView& view : service_->pipelines())
    if (view.ended && !view.error.empty())
      return Error{React::kFatal, "pipeline \"" + view.name + "\" ended: " + view.error};
  if (faults_ && faults_->failure()) return faults_->failure();
  if (poster_ && poster_->failure()) {
    Error error = *poster_->failure();
    error.what = "the poster gave up: " + error.what;
    return error;
  }
  return std::nullopt;
}

Snapshot Demo::snapshot(const std::string& stage_name) const {
  Snapshot snapshot;
  snapshot.stage = stage_name;
  snapshot.page_url = service_->url();
  snapshot.seed = seed_;
  snapshot.duration = options_.duration;
  snapshot.elapsed = std::chrono::duration_cast<milliseconds>(clock().now() - started_);
  const auto process = [](int starts, pid_t pid) {
    return pid != 0 ? fmt::format("start {}, pid {}", starts, pid) : std::string("down");
  };
  snapshot.worker = process(world_->worker_starts(), world_->worker_pid());
  snapshot.broker = process(world_->broker().starts(), world_->broker().pid());
  snapshot.deployment = "3 members";
  if (faults_) {
    const FaultLedger ledger = faults_->ledger();
    snapshot.deployment = faults_->deployment();
    snapshot.inflicted = ledger.inflicted_counts();
    snapshot.survived = ledger.survived_counts();
    snapshot.last_faults = ledger.newest_first(8);
  }
  if (watch_) watch_->fill(snapshot);
  return snapshot;
}

void Demo::show(const std::string& stage_name) {
  if (screen_) {
    screen_->draw(render_frame(snapshot(stage_name), screen_->width(), screen_->height(),
                               std::getenv("NO_COLOR") == nullptr));
    return;
  }
  if (clock().now() < next_line_) return;
  next_line_ = clock().now() + kPlainEvery;
  std::printf("%s\n", render_line(snapshot(stage_name)).c_str());
  std::fflush(stdout);
}

// The orderly end: each stage needs the one before, and any can be cut short by a second Ctrl-C.
int Demo::finish() {
  faults_->request_heal();
  Ended ended = stage("healing", clock().now() + kHealPatience, [this] { return faults_->healed(); });
  if (ended != Ended::kReady) end_early(ended);
  poster_->request_stop();
  ended = stage("last post", clock().now() + kPosterPatience, [this] { return poster_->finished(); });
  if (ended != Ended::kReady) end_early(ended);
  ended = stage("draining", clock().now() + kDrainPatience, [this] { return watch_->drained(); });
  if (ended == Ended::kInterrupted || ended == Ended::kBroken) end_early(ended);
  // Not drained in time is for the audit to judge: it will find what is missing.
  show("auditing every event and every document");
  const Audit judged = audit();
  const Snapshot last = snapshot("");
  end_in_order();
  return judge(judged, last);
}

Audit Demo::audit() {
  Server server = pool_->connection();
  const Destination destination(world_->database_path(), clock());
  for (int tries = 0;; ++tries) {
    const auto audit = audit_demo(poster_->promises(), server, destination);
    if (audit) return *audit;
    if (tries == kAuditTries) {
      error_ = audit.error();
      end_early(Ended::kBroken);
    }
    if (signals_.wait_for(kFrame)) end_early(Ended::kInterrupted);
  }
}

// The planes in the order in which data flows, then what they stand on.
void Demo::end_in_order() {
  watch_.reset();
  std::atomic<bool> ended = false;
  std::jthread stopper([&] {
    service_->stop();
    worker_exit_ = world_->stop_worker(kWorkerStopPatience);
    world_->broker().stop(kBrokerStopPatience);
    ended = true;
  });
  const Mono deadline = clock().now() + kEndPatience;
  while (!ended && clock().now() < deadline) {
    if (signals_.wait_for(kFrame)) end_early(Ended::kInterrupted);
  }
  if (ended) return;
  error_ = Error{React::kFatal, "the demo doesn't end in order", "its log is " + world_->log_path()};
  end_early(Ended::kBroken);
}

std::string Demo::survived_text(const Snapshot& last) const {
  std::string text;
  int survived = 0, inflicted = 0;
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    survived += last.survived[kind];
    inflicted += last.inflicted[kind];
    if (last.inflicted[kind] > 0)
      text += fmt::format("\n    {:>3}  {}", last.survived[kind], plural(static_cast<FaultKind>(kind)));
  }
  return inflicted == 0 ? "none inflicted" : fmt::format("{} of {}{}", survived, inflicted, text);
}

int Demo::judge(const Audit& audit, const Snapshot& last) {
  screen_.reset();
  std::printf("\nAudit of every event and every document, after %s:\n\n%s\n",
              human_duration(last.elapsed).c_str(), audit_text(audit).c_str());
  std::printf("  posted again     %s times, after a 503 or no answer\n", grouped(last.refusals).c_str());
  std::printf("  dead letters     %s, of %s poisoned events\n",
              last.page.dead_letters ? grouped(*last.page.dead_letters).c_str() : "unknown",
              grouped(last.poisoned).c_str());
  std::printf("  faults survived  %s\n", survived_text(last).c_str());
  if (!worker_exit_ || !worker_exit_->clean())
    std::printf("  the worker did not end in order: %s\n",
                worker_exit_ ? worker_exit_->describe().c_str() : "it had to be killed");
  if (audit.equal()) {
    std::printf(
        "\nEvery event answered with 202 is stored exactly once, and both ends are equal.\nSeed %llu.\n",
        static_cast<unsigned long long>(seed_));
    if (!world_->temporary()) std::printf("Kept: %s\n", world_->folder().c_str());
    return app::kOk;
  }
  world_->keep_folder();
  std::printf("\nThe ends DIFFER. Run it again with --seed %llu; kept: %s\n",
              static_cast<unsigned long long>(seed_), world_->folder().c_str());
  return app::kDifferent;
}

// Threads may wait for servers that will never answer again: the children, the folder and the terminal are
// all that must not stay behind.
void Demo::end_early(Ended ended) {
  screen_.reset();
  int code = app::kInterrupted;
  if (ended == Ended::kInterrupted) {
    std::fprintf(stderr, "tidemark: ended without the audit\n");
  } else {
    code = app::report(error_.value_or(
        Error{React::kFatal, "the demo's servers did not recover in time", "look at its logs"}));
    std::fprintf(stderr, "  seed %llu; kept: %s\n", static_cast<unsigned long long>(seed_),
                 world_->folder().c_str());
    world_->keep_folder();
  }
  world_->abandon();
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace

int run(const Options& options) { return Demo(options).run(); }

}  // namespace tidemark::demo
