#include "cli/demo.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include <fmt/format.h>

#include "cli/demo_data.h"
#include "cli/demo_faults.h"
#include "cli/demo_server.h"
#include "cli/demo_view.h"
#include "cli/demo_watch.h"
#include "cli/demo_world.h"
#include "cli/demo_writer.h"
#include "cli/exit_codes.h"
#include "env/posix/child_process.h"
#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "env/posix/signals.h"

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kFrame = milliseconds(200);
constexpr auto kPlainEvery = seconds(2);
constexpr auto kHealPatience = seconds(30);
constexpr auto kWriterPatience = seconds(70);
constexpr auto kDrainPatience = seconds(60);
constexpr auto kStopPatience = seconds(15);
constexpr int kAuditTries = 20;
constexpr size_t kLogLines = 15;
constexpr int kInterrupted = 130;

int print_error(const Error& error) {
  std::fprintf(stderr, "tidemark: %s\n", error.what.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  what to do: %s\n", error.hint.c_str());
  return exit_code(error.react);
}

// One demo from start to audit. The main thread's.
class Demo {
 public:
  explicit Demo(const DemoOptions& options)
      : options_(options), seed_(options.seed.value_or(random_seed() % 1'000'000)) {}

  int run();

 private:
  // Why a stage ended.
  enum class Ended { kReady, kTime, kInterrupted, kBroken };

  Status set_up();
  Ended stage(const std::string& name, Mono deadline, const std::function<bool()>& ready);
  bool broken();
  void show(const std::string& stage_name);
  DemoSnapshot snapshot(const std::string& stage_name) const;
  int finish();
  int judge(const guard::Comparison& comparison);
  [[noreturn]] void end_early(Ended ended);
  void print_ids(const char* what, const guard::Difference& difference) const;
  std::string survived_text() const;

  const DemoOptions options_;
  const uint64_t seed_;
  PosixClock clock_;
  PosixFileSystem files_;
  SignalWaiter signals_{SIGINT, SIGTERM, SIGHUP};
  std::vector<Quake> quakes_;
  // Destroyed from the last to the first: what looks on goes before what it looks at.
  std::unique_ptr<DemoWorld> world_;
  std::optional<DemoServerPool> pool_;
  std::unique_ptr<DemoWriter> writer_;
  std::unique_ptr<DemoFaults> faults_;
  std::unique_ptr<DemoWatch> watch_;
  std::unique_ptr<Screen> screen_;
  Mono started_;
  Mono next_line_;
  std::optional<Error> error_;
};

int Demo::run() {
  if (Status ready = set_up(); !ready) {
    if (world_) world_->keep_folder();
    const int code = print_error(ready.error());
    if (world_) std::fprintf(stderr, "  the demo's folder is kept: %s\n", world_->folder().c_str());
    return code;
  }
  if (!options_.plain && Screen::usable()) {
    screen_ = std::make_unique<Screen>();
  } else {
    std::printf("Tidemark demo, seed %llu, in %s\n", static_cast<unsigned long long>(seed_),
                world_->folder().c_str());
  }
  const Ended ended = stage(options_.faults ? "writing, and breaking things" : "writing",
                            started_ + options_.duration, [] { return false; });
  if (ended == Ended::kBroken) end_early(ended);
  return finish();
}

Status Demo::set_up() {
  const std::string path = options_.data.empty() ? default_quakes_path(executable_folder()) : options_.data;
  TIDEMARK_ASSIGN(quakes_, load_quakes(files_, path));
  TIDEMARK_ASSIGN(world_, DemoWorld::create(files_, options_.keep));
  TIDEMARK_TRY(world_->start_sandbox(seed_));
  TIDEMARK_TRY(world_->init_position());
  TIDEMARK_TRY(world_->start_relay());
  TIDEMARK_ASSIGN(pool_, DemoServerPool::connect(world_->uri()));
  started_ = clock_.now();
  writer_ = std::make_unique<DemoWriter>(pool_->connection(), quakes_, options_.rate, seed_, clock_);
  if (options_.faults)
    faults_ =
        std::make_unique<DemoFaults>(pool_->connection(), *world_, *writer_, seed_ + 1, started_, clock_);
  watch_ = std::make_unique<DemoWatch>(pool_->connection(), world_->database_path(), *writer_, faults_.get(),
                                       clock_);
  return {};
}

// Shows what happens until `ready`, the deadline or a signal.
Demo::Ended Demo::stage(const std::string& name, Mono deadline, const std::function<bool()>& ready) {
  next_line_ = clock_.now();
  for (;;) {
    if (broken()) return Ended::kBroken;
    show(name);
    if (ready()) return Ended::kReady;
    const Mono now = clock_.now();
    if (now >= deadline) return Ended::kTime;
    const auto left = std::chrono::ceil<milliseconds>(deadline - now);
    if (signals_.wait_for(std::min<milliseconds>(kFrame, left))) return Ended::kInterrupted;
  }
}

bool Demo::broken() {
  if (const auto exit = world_->relay_died()) {
    error_ = Error{React::kFatal, "the relay ended by itself, with " + exit->describe() +
                                      ". Its log ends with:\n" + world_->relay_log_tail(kLogLines)};
  } else if (faults_ && faults_->failure()) {
    error_ = faults_->failure();
  } else if (writer_->failure()) {
    error_ = writer_->failure();
    error_->what = "the writer gave up: " + error_->what;
  }
  return error_.has_value();
}

DemoSnapshot Demo::snapshot(const std::string& stage_name) const {
  DemoSnapshot snapshot;
  snapshot.stage = stage_name;
  snapshot.seed = seed_;
  snapshot.duration = options_.duration;
  snapshot.elapsed = std::chrono::duration_cast<milliseconds>(clock_.now() - started_);
  const pid_t pid = world_->relay_pid();
  snapshot.relay = pid != 0 ? fmt::format("start {}, pid {}", world_->relay_starts(), pid) : "starting again";
  snapshot.source = "3 members";
  if (faults_) {
    const FaultLedger ledger = faults_->ledger();
    snapshot.source = faults_->deployment();
    snapshot.inflicted = ledger.inflicted_counts();
    snapshot.survived = ledger.survived_counts();
    snapshot.last_faults = ledger.newest_first(8);
  }
  watch_->fill(snapshot);
  return snapshot;
}

void Demo::show(const std::string& stage_name) {
  if (screen_) {
    screen_->draw(render_frame(snapshot(stage_name), screen_->width(), screen_->height(),
                               std::getenv("NO_COLOR") == nullptr));
    return;
  }
  if (clock_.now() < next_line_) return;
  next_line_ = clock_.now() + kPlainEvery;
  std::printf("%s\n", render_line(snapshot(stage_name)).c_str());
  std::fflush(stdout);
}

// The orderly end: each stage needs the one before, and any can be cut short by a second Ctrl-C.
int Demo::finish() {
  if (faults_) {
    faults_->request_heal();
    const Ended ended = stage("healing", clock_.now() + kHealPatience, [this] { return faults_->healed(); });
    if (ended != Ended::kReady) end_early(ended);
  }
  writer_->request_stop();
  Ended ended = stage("last write", clock_.now() + kWriterPatience, [this] { return writer_->finished(); });
  if (ended != Ended::kReady) end_early(ended);
  ended = stage("draining", clock_.now() + kDrainPatience, [this] { return watch_->drained(); });
  if (ended == Ended::kInterrupted || ended == Ended::kBroken) end_early(ended);
  // Not drained in time is for the audit to judge: it will find what is missing.
  show("auditing every document");
  DemoServer server = pool_->connection();
  const DemoDestination destination(world_->database_path(), clock_);
  for (int tries = 0;; ++tries) {
    const auto comparison = audit_demo(server, destination);
    if (comparison) return judge(*comparison);
    if (tries == kAuditTries) {
      error_ = comparison.error();
      end_early(Ended::kBroken);
    }
    if (signals_.wait_for(kFrame)) end_early(Ended::kInterrupted);
  }
}

std::string Demo::survived_text() const {
  if (!faults_) return "none inflicted";
  const FaultLedger ledger = faults_->ledger();
  std::string text;
  int survived = 0, inflicted = 0;
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    survived += ledger.survived_counts()[kind];
    inflicted += ledger.inflicted_counts()[kind];
    text += fmt::format("{}{} {}", kind > 0 ? ", " : "", plural(static_cast<FaultKind>(kind)),
                        ledger.survived_counts()[kind]);
  }
  return fmt::format("{} of {}: {}", survived, inflicted, text);
}

void Demo::print_ids(const char* what, const guard::Difference& difference) const {
  for (const std::string& id : difference.first_ids) std::printf("    %s: %s\n", what, id.c_str());
}

int Demo::judge(const guard::Comparison& comparison) {
  const DemoSnapshot last = snapshot("");
  screen_.reset();
  const auto exit = world_->stop_relay(kStopPatience);
  std::printf(
      "\nAudit of every document at both ends, after %s, %s changes:\n\n"
      "  missing    %-8s at the source only\n"
      "  extra      %-8s at the destination only\n"
      "  different  %-8s at both, with other content\n"
      "  documents  %s at the source, %s at the destination\n\n"
      "  faults survived  %s\n",
      human_duration(last.elapsed).c_str(), grouped(writer_->written()).c_str(),
      grouped(static_cast<int64_t>(comparison.missing.count)).c_str(),
      grouped(static_cast<int64_t>(comparison.extra.count)).c_str(),
      grouped(static_cast<int64_t>(comparison.different.count)).c_str(),
      grouped(static_cast<int64_t>(comparison.source_total)).c_str(),
      grouped(static_cast<int64_t>(comparison.destination_total)).c_str(), survived_text().c_str());
  print_ids("missing", comparison.missing);
  print_ids("extra", comparison.extra);
  print_ids("different", comparison.different);
  if (!exit || !exit->clean()) {
    std::printf("  the relay did not end in order: %s\n",
                exit ? exit->describe().c_str() : "it had to be killed");
  }
  if (comparison.equal()) {
    std::printf("\nBoth ends are equal: nothing lost, nothing doubled, nothing altered. Seed %llu.\n",
                static_cast<unsigned long long>(seed_));
    if (!world_->temporary()) std::printf("Kept: %s\n", world_->folder().c_str());
    return kOk;
  }
  world_->keep_folder();
  std::printf("\nThe ends DIFFER. Run it again with --seed %llu; kept: %s\n",
              static_cast<unsigned long long>(seed_), world_->folder().c_str());
  return kDifferent;
}

// Threads may wait for servers that will never answer again: the children, the folder and the terminal are
// all that must not stay behind.
void Demo::end_early(Ended ended) {
  screen_.reset();
  int code = kInterrupted;
  if (ended == Ended::kInterrupted) {
    std::fprintf(stderr, "tidemark: ended without the audit\n");
  } else {
    code = print_error(error_.value_or(
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

int run_demo(const DemoOptions& options) { return Demo(options).run(); }

}  // namespace tidemark::cli
