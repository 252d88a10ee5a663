#include "chaos/relay.h"

#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <sys/resource.h>

#include "chaos/writer.h"
#include "env/random.h"

namespace tidemark::chaos {
namespace {

constexpr int kKilled = 137;  // tidemark-crash, when it got there
constexpr int kFenced = 77;   // another instance owns the position
constexpr std::chrono::seconds kStopPatience{20};
constexpr int kInitTries = 20;
constexpr size_t kLastWords = 1'000;

// Times in the driver are as short as it allows, so that a trial waits seconds and not minutes.
std::string source_toml(const RelaySetup& setup, SeededRandom& random) {
  const char* preference = random.below(4) == 0 ? "&readPreference=secondaryPreferred" : "";
  const char* lookup = !setup.kind->log || random.below(2) == 0 ? "update_lookup" : "default";
  constexpr int kBatchSizes[] = {1, 3, 20, 1000};
  return fmt::format(
      "[pipeline.source]\ntype = \"mongodb\"\nuri = \"{}{}&heartbeatFrequencyMS=500\"\ndatabase = "
      "\"{}\"\ncollection = \"{}\"\nfull_document = \"{}\"\nbatch_size = {}\nmax_await = "
      "\"50ms\"\nserver_selection_timeout = \"500ms\"\nconnect_timeout = \"500ms\"\nsocket_timeout = "
      "\"1s\"\napp_name = \"relay{}\"\n",
      setup.places.mongodb_uri, preference, setup.places.database, kCollection, lookup,
      kBatchSizes[random.below(4)], setup.index);
}

std::string pipeline_toml(const RelaySetup& setup, const std::string& sink, bool rejects) {
  SeededRandom random(setup.seed * 31 + static_cast<uint64_t>(setup.index));
  constexpr int kEventsMax[] = {1, 4, 25, 1000};
  constexpr int kUnsavedMax[] = {5, 50, 100'000};
  return fmt::format(
             "[[pipeline]]\nname = \"orders\"\nlanes = {}\nretry_initial = \"10ms\"\nretry_max = "
             "\"80ms\"\nread_wait = \"40ms\"\nidle_save = \"100ms\"\nbatch_events_max = "
             "{}\nunsaved_events_max = "
             "{}\ndrain_timeout = \"5s\"\non_reject = \"{}\"\n\n",
             setup.kind->lanes, kEventsMax[random.below(4)], kUnsavedMax[random.below(3)],
             rejects ? "dead_letter" : "stop") +
         source_toml(setup, random) + "\n" + sink +
         (setup.places.keeps_logs
              ? fmt::format("[log]\nfile = \"{}/relay{}.log\"\n", setup.places.folder, setup.index)
              : "");
}

std::string tail(const std::string& text) {
  return text.size() > kLastWords ? "..." + text.substr(text.size() - kLastWords) : text;
}

}  // namespace

Relay::Relay(const RelaySetup& setup)
    : setup_(setup),
      end_(End::make(*setup.kind, setup.places, setup.index)),
      config_(fmt::format("{}/relay{}.toml", setup.places.folder, setup.index)) {
  std::ofstream(config_) << pipeline_toml(setup, end_->toml(), end_->rejects_doubled());
}

Relay::~Relay() = default;

void Relay::begin_init() {
  process_ = std::make_unique<Process>(std::vector<std::string>{
      testing::bin_dir() + "/tidemark", "position", "init", config_, "orders", "--from", "now", "--yes"});
}

// Its timeouts are the relay's, and short: on a machine with much else to do an attempt may fail before any fault is inflicted.
Status Relay::finish_init() {
  for (int tries = 1;; ++tries) {
    const auto status = process_->wait();
    if (status && status->code == 0) return {};
    const std::string words = process_->error_output();
    // By an attempt that was done and didn't hear of it: nothing has been written since.
    if (tries > 1 && words.find("has a position already") != std::string::npos) return {};
    if (tries == kInitTries)
      return fail(React::kFatal, "position init of relay " + name() + " failed: " + words);
    begin_init();
  }
}

void Relay::start(Time) {
  std::vector<std::string> args = {testing::bin_dir() + "/tidemark", "run", config_};
  crashing_ = !next_point_.empty();
  if (crashing_)
    args = {testing::bin_dir() + "/tidemark-crash", config_, next_point_, std::to_string(next_reaches_)};
  next_point_.clear();
  Process::Options options;
  if (next_call_ > 0) {
    crashing_ = true;
    options.env = {{"LD_PRELOAD", testing::own_bin_dir() + "/libtidemark-chaos-calls.so"},
                   {"TIDEMARK_DIE_AT_CALL", std::to_string(std::exchange(next_call_, 0))}};
  }
  process_ = std::make_unique<Process>(std::move(args), std::move(options));
  state_ = State::kRunning;
  had_twin_ = twin_ != nullptr;
  ++starts_;
}

void Relay::went_down(Time now, Process::Milliseconds down, bool orderly) {
  state_ = State::kDown;
  restart_at_ = now + down;
  lease_left_ = !orderly;
  end_twin();
  if (!orderly) check_rows_beyond_position();
}

void Relay::kill(Time now, Process::Milliseconds down) {
  if (state_ == State::kDown) return;
  process_->kill_now();
  went_down(now, down, false);
}

void Relay::stop(Time now, Process::Milliseconds down) {
  if (state_ != State::kRunning) return;
  process_->signal(SIGCONT);
  process_->signal(SIGTERM);
  state_ = State::kStopping;
  stop_deadline_ = now + kStopPatience;
  down_ = down;
}

void Relay::crash(Time now, const std::string& point, int reaches) {
  next_point_ = point;
  next_reaches_ = reaches;
  kill(now, Process::Milliseconds(0));
}

void Relay::crash_at_call(Time now, int n) {
  next_call_ = n;
  kill(now, Process::Milliseconds(0));
}

void Relay::pause() {
  if (state_ == State::kRunning) process_->signal(SIGSTOP);
}
void Relay::resume() {
  if (state_ == State::kRunning) process_->signal(SIGCONT);
}

void Relay::limit_files(uint64_t bytes) {
  if (state_ == State::kDown) return;
  const rlimit limit{bytes, RLIM_INFINITY};
  (void)::prlimit(process_->pid(), RLIMIT_FSIZE, &limit, nullptr);
}

void Relay::start_twin() {
  if (state_ != State::kRunning || twin_ != nullptr) return;
  twin_ =
      std::make_unique<Process>(std::vector<std::string>{testing::bin_dir() + "/tidemark", "run", config_});
  had_twin_ = true;
}

void Relay::end_twin() {
  if (twin_ == nullptr) return;
  twin_->kill_now();
  twin_.reset();
  lease_left_ = true;
}

void Relay::hurry(Time now) {
  next_point_.clear();
  next_call_ = 0;
  if (state_ == State::kRunning && crashing_) kill(now, Process::Milliseconds(0));
  down_ = Process::Milliseconds(0);
  if (state_ == State::kDown) restart_at_ = std::min(restart_at_, now);
}

std::optional<std::string> Relay::ended(Time now) {
  const auto status = process_->wait(Process::Milliseconds(0));
  const int code = status ? status->code : -1;
  const bool stopping = state_ == State::kStopping;
  // A SIGTERM that comes before the program has looked for it ends it as any other program.
  const bool unheard = stopping && status && status->signal == SIGTERM;
  const bool crashed = crashing_ && code == kKilled;
  const bool fine = crashed || (stopping ? code == 0 || unheard : had_twin_ && code == kFenced);
  went_down(now, stopping ? down_ : Process::Milliseconds(0), stopping && code == 0);
  if (fine) return std::nullopt;
  failed_ = true;
  const std::string how =
      code >= 0 ? fmt::format("exit code {}", code) : fmt::format("signal {}", status ? status->signal : 0);
  return fmt::format("relay {} ended{} with {}: {}", name(), stopping ? " its stop" : " by itself", how,
                     last_words());
}

std::optional<std::string> Relay::look_after(Time now) {
  if (finding_) return std::exchange(finding_, std::nullopt);
  if (state_ == State::kDown) {
    if (now < restart_at_ || failed_) return std::nullopt;
    if (lease_left_ && kind().leases() && !expire_lease()) {
      restart_at_ = now + std::chrono::milliseconds(20);
      return std::nullopt;
    }
    lease_left_ = false;
    start(now);
    return std::nullopt;
  }
  if (!process_->running()) return ended(now);
  if (state_ == State::kStopping && now > stop_deadline_) {
    kill(now, Process::Milliseconds(0));
    return fmt::format("relay {} did not stop within {} s: {}", name(), kStopPatience.count(), last_words());
  }
  return std::nullopt;
}

// The next owner would wait for what is left of the lease of one that was killed, twelve seconds at least: time that the
// trial lets pass at once.
bool Relay::expire_lease() {
  testing::Mongo client(setup_.places.mongodb_uri +
                        "&serverSelectionTimeoutMS=300&socketTimeoutMS=300&connectTimeoutMS=300");
  const bool in_sink = kind().sink == SinkType::kMongodb;
  const std::string database = setup_.places.database + (in_sink ? fmt::format("_copy{}", index())
                                                                 : fmt::format("_positions{}", index()));
  return client
      .update(database, in_sink ? "tidemark_positions" : "positions", "{}",
              R"({"$set": {"leaseUntil": {"$date": {"$numberLong": "0"}}}})")
      .has_value();
}

// A kill is the moment in which rows without their position, or a position without its rows, would be seen.
void Relay::check_rows_beyond_position() {
  if (!kind().effectively_once()) return;
  try {
    if (const int64_t rows = end_->rows_beyond_position(); rows > 0)
      finding_ = fmt::format(
          "relay {} was killed, and {} of its rows are newer than its position: they would be "
          "delivered twice",
          name(), rows);
  } catch (const std::exception&) {
    // The destination can't be asked now; the end of the trial looks again.
  }
}

std::string Relay::position() {
  try {
    return end_->position();
  } catch (const std::exception&) {
    return "";
  }
}

std::string Relay::last_words() const { return process_ ? tail(process_->error_output()) : ""; }

}  // namespace tidemark::chaos
