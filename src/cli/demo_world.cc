#include "cli/demo_world.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/exit_codes.h"

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kStartPatience = seconds(20);
constexpr int kInitTries = 20;
constexpr uint64_t kLogBytesMax = 256ull << 20;

std::string program(const char* name) { return executable_folder() + "/" + name; }

std::string configuration(const std::string& uri, const std::string& database_path) {
  return "# Written by `tidemark demo`.\n"
         "[[pipeline]]\n"
         "name      = \"" +
         std::string(DemoWorld::kPipeline) +
         "\"\n"
         "idle_save = \"1s\"\n\n"
         "[pipeline.source]\n"
         "type          = \"mongodb\"\n"
         "uri           = \"" +
         uri +
         "\"\n"
         "database      = \"" +
         DemoWorld::kDatabase +
         "\"\n"
         "collection    = \"" +
         DemoWorld::kCollection +
         "\"\n"
         "full_document = \"update_lookup\"\n\n"
         "[pipeline.sink]\n"
         "type  = \"sqlite\"\n"
         "path  = \"" +
         database_path +
         "\"\n"
         "table = \"" +
         DemoWorld::kTable +
         "\"\n"
         "mode  = \"current\"\n";
}

}  // namespace

DemoWorld::DemoWorld(FileSystem& files, std::string folder, bool temporary)
    : files_(files), folder_(std::move(folder)), temporary_(temporary) {}

Result<std::unique_ptr<DemoWorld>> DemoWorld::create(FileSystem& files, const std::string& keep) {
  std::error_code error;
  if (!keep.empty()) {
    std::filesystem::create_directories(keep, error);
    if (error) return fail(React::kConfig, "can't create folder " + keep + ": " + error.message());
    const std::string folder = std::filesystem::absolute(keep, error).string();
    if (std::filesystem::exists(folder + "/demo.db", error))
      return fail(React::kConfig, folder + " holds the demo.db of an earlier demo",
                  "name another folder with --keep, or remove that one");
    return std::unique_ptr<DemoWorld>(new DemoWorld(files, folder, false));
  }
  std::string pattern = (std::filesystem::temp_directory_path(error) / "tidemark-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return fail(React::kConfig, "can't create a temporary folder " + pattern + ": " + std::strerror(errno),
                "TMPDIR names another place for it, --keep DIR a folder of your own");
  return std::unique_ptr<DemoWorld>(new DemoWorld(files, pattern, true));
}

DemoWorld::~DemoWorld() { abandon(); }

void DemoWorld::abandon() {
  {
    MutexLock lock(mutex_);
    relay_wanted_ = false;
    relay_.kill();
  }
  sandbox_.kill();
  std::error_code ignored;
  if (temporary_) std::filesystem::remove_all(folder_, ignored);
}

Status DemoWorld::start_sandbox(uint64_t seed) {
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
  uri_ = line->substr(at);
  uri_ = uri_.substr(0, uri_.find_first_of(" \t\r"));
  return files_.replace_file(config_path(), configuration(uri_, database_path()));
}

// A deployment that has just begun may be electing: what an operator would try again is tried again.
Status DemoWorld::init_position() {
  ChildOptions options;
  options.argv = {program("tidemark"), "position", "init", config_path(),
                  kPipeline,           "--from",   "now",  "--yes"};
  std::string output;
  for (int tries = 0; tries < kInitTries; ++tries) {
    TIDEMARK_ASSIGN(ChildProcess child, ChildProcess::spawn(options));
    output = child.read_rest(kStartPatience);
    const auto exit = child.wait_for(kStartPatience);
    if (exit && exit->clean()) return {};
    output = (exit ? exit->describe() : std::string("no answer in time")) + ": " + output;
    if (!exit || exit->code != kUnavailable) break;
  }
  return fail(React::kFatal, "`tidemark position init` ended with " + output);
}

Status DemoWorld::start_relay() {
  MutexLock lock(mutex_);
  ChildOptions options;
  options.argv = {program("tidemark"), "run", config_path()};
  options.stdout_path = folder_ + "/relay.log";
  options.stderr_path = options.stdout_path;
  TIDEMARK_ASSIGN(relay_, ChildProcess::spawn(options));
  relay_wanted_ = true;
  ++relay_starts_;
  return {};
}

pid_t DemoWorld::kill_relay() {
  MutexLock lock(mutex_);
  if (!relay_.running()) return 0;
  const pid_t pid = relay_.pid();
  relay_wanted_ = false;
  relay_.kill();
  return pid;
}

std::optional<ExitState> DemoWorld::stop_relay(milliseconds patience) {
  MutexLock lock(mutex_);
  relay_wanted_ = false;
  if (!relay_.running()) return std::nullopt;
  relay_.send_signal(SIGTERM);
  auto exit = relay_.wait_for(patience);
  if (!exit) relay_.kill();
  return exit;
}

std::optional<ExitState> DemoWorld::relay_died() {
  MutexLock lock(mutex_);
  if (!relay_wanted_) return std::nullopt;
  return relay_.wait_for(milliseconds(0));
}

int DemoWorld::relay_starts() const {
  MutexLock lock(mutex_);
  return relay_starts_;
}

pid_t DemoWorld::relay_pid() const {
  MutexLock lock(mutex_);
  return relay_.running() ? relay_.pid() : 0;
}

std::string DemoWorld::relay_log_tail(size_t lines_max) const {
  auto text = files_.read_file(folder_ + "/relay.log", kLogBytesMax);
  if (!text) return text.error().describe();
  size_t from = text->size();
  for (size_t lines = 0; from > 0 && lines <= lines_max; --from)
    if ((*text)[from - 1] == '\n' && ++lines > lines_max) break;
  return text->substr(from);
}

}  // namespace tidemark::cli
