#include "demo/world.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "app/exit_codes.h"
#include "demo/net.h"

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kStartPatience = seconds(20);
constexpr auto kLook = milliseconds(20);
constexpr int kInitTries = 20;
constexpr uint64_t kLogBytesMax = 256ull << 20;
constexpr size_t kLogLines = 15;

std::string program(const char* name) { return executable_folder() + "/" + name; }

// The last lines of a log.
std::string log_tail(FileSystem& files, const std::string& path) {
  auto text = files.read_file(path, kLogBytesMax);
  if (!text) return text.error().describe();
  size_t from = text->size();
  for (size_t lines = 0; from > 0 && lines <= kLogLines; --from)
    if ((*text)[from - 1] == '\n' && ++lines > kLogLines) break;
  return text->substr(from);
}

}  // namespace

World::World(FileSystem& files, Clock& clock, std::string folder, bool temporary)
    : files_(files), clock_(clock), folder_(std::move(folder)), temporary_(temporary) {}

Result<std::unique_ptr<World>> World::create(FileSystem& files, Clock& clock, const std::string& keep) {
  std::error_code error;
  if (!keep.empty()) {
    std::filesystem::create_directories(keep, error);
    if (error) return fail(React::kConfig, "can't create folder " + keep + ": " + error.message());
    const std::string folder = std::filesystem::absolute(keep, error).string();
    if (std::filesystem::exists(folder + "/demo.db", error))
      return fail(React::kConfig, folder + " holds the demo.db of an earlier demo",
                  "name another folder with --keep, or remove that one");
    return std::unique_ptr<World>(new World(files, clock, folder, false));
  }
  std::string pattern = (std::filesystem::temp_directory_path(error) / "tidemark-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return fail(React::kConfig, "can't create a temporary folder " + pattern + ": " + std::strerror(errno),
                "TMPDIR names another place for it, --keep DIR a folder of your own");
  return std::unique_ptr<World>(new World(files, clock, pattern, true));
}

World::~World() { abandon(); }

void World::abandon() {
  {
    MutexLock lock(mutex_);
    worker_wanted_ = false;
    worker_.kill();
  }
  if (broker_) broker_->kill();
  sandbox_.kill();
  std::error_code ignored;
  if (temporary_) std::filesystem::remove_all(folder_, ignored);
}

Status World::start_servers(uint64_t seed, int page_port) {
  // The broker takes the longest to start, so it goes first.
  TIDEMARK_ASSIGN(broker_, Broker::create(files_, clock_, folder_ + "/broker"));
  TIDEMARK_TRY(broker_->start());
  ChildOptions options;
  options.argv = {program("tidemark-sandbox"), "--members",     "3",  "--port", "0", "--seed",
                  std::to_string(seed),        "--election-ms", "300"};
  options.stderr_path = folder_ + "/sandbox.log";
  TIDEMARK_ASSIGN(sandbox_, ChildProcess::spawn(options));
  const auto line = sandbox_.read_line(kStartPatience);
  const size_t at = line ? line->find("mongodb://") : std::string::npos;
  if (at == std::string::npos)
    return fail(React::kFatal,
                "the sandbox printed no connection URI" + (line ? ": " + *line : std::string()),
                "its log is " + options.stderr_path);
  addresses_.mongodb = line->substr(at);
  addresses_.mongodb = addresses_.mongodb.substr(0, addresses_.mongodb.find_first_of(" \t\r"));
  addresses_.amqp_file = folder_ + "/broker/uri";
  TIDEMARK_TRY(files_.replace_file(addresses_.amqp_file, broker_->uri() + "\n"));
  addresses_.database_path = database_path();
  TIDEMARK_ASSIGN(addresses_.page_port, free_port(page_port));
  TIDEMARK_ASSIGN(addresses_.worker_port, free_port(0));
  TIDEMARK_TRY(files_.replace_file(front_config_path(), front_config(addresses_)));
  return files_.replace_file(worker_config_path(), worker_config(addresses_));
}

// A deployment that has just begun may be electing: what an operator would try again is tried again.
Status World::init_position() {
  ChildOptions options;
  options.argv = {
      program("tidemark"), "position", "init", worker_config_path(), kArchive, "--from", "now", "--yes"};
  std::string output;
  for (int tries = 0; tries < kInitTries; ++tries) {
    TIDEMARK_ASSIGN(ChildProcess child, ChildProcess::spawn(options));
    output = child.read_rest(kStartPatience);
    const auto exit = child.wait_for(kStartPatience);
    if (exit && exit->clean()) return {};
    output = (exit ? exit->describe() : std::string("no answer in time")) + ": " + output;
    if (!exit || exit->code != app::kUnavailable) break;
  }
  return fail(React::kFatal, "`tidemark position init` ended with " + output);
}

Status World::start_worker() {
  MutexLock lock(mutex_);
  ChildOptions options;
  options.argv = {program("tidemark"), "run", worker_config_path()};
  options.stdout_path = worker_log_path();
  options.stderr_path = options.stdout_path;
  TIDEMARK_ASSIGN(worker_, ChildProcess::spawn(options));
  worker_wanted_ = true;
  ++worker_starts_;
  return {};
}

pid_t World::kill_worker() {
  MutexLock lock(mutex_);
  if (!worker_.running()) return 0;
  const pid_t pid = worker_.pid();
  worker_wanted_ = false;
  worker_.kill();
  return pid;
}

std::optional<ExitState> World::stop_worker(milliseconds patience) {
  const Mono deadline = clock_.now() + patience;
  {
    MutexLock lock(mutex_);
    worker_wanted_ = false;
    if (!worker_.running()) return std::nullopt;
    worker_.send_signal(SIGTERM);
  }
  // The lock is free in between: others ask how the worker is.
  do {
    MutexLock lock(mutex_);
    if (const auto exit = worker_.wait_for(milliseconds(0))) return exit;
  } while (clock_.now() < deadline && clock_.sleep_until(clock_.now() + kLook, {}));
  MutexLock lock(mutex_);
  worker_.kill();
  return std::nullopt;
}

std::optional<Error> World::death() {
  {
    MutexLock lock(mutex_);
    const auto exit = worker_wanted_ ? worker_.wait_for(milliseconds(0)) : std::nullopt;
    if (exit)
      return Error{React::kFatal, "the worker ended by itself, with " + exit->describe() +
                                      ". Its log ends with:\n" + log_tail(files_, worker_log_path())};
  }
  if (const auto exit = broker_->died())
    return Error{React::kFatal, "the broker ended by itself, with " + exit->describe() +
                                    ". Its log ends with:\n" +
                                    log_tail(files_, broker_->log_folder() + "/console.log")};
  return std::nullopt;
}

int World::worker_starts() const {
  MutexLock lock(mutex_);
  return worker_starts_;
}

pid_t World::worker_pid() const {
  MutexLock lock(mutex_);
  return worker_.running() ? worker_.pid() : 0;
}

}  // namespace tidemark::demo
