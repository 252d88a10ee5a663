#include "demo/broker.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "demo/net.h"

namespace tidemark::demo {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr const char* kNode = "tidemark@127.0.0.1";
constexpr auto kLook = milliseconds(50);

// Where the installed broker's applications are: Debian keeps each version in a folder of its own.
std::string applications_folder() {
  std::error_code ignored;
  std::string newest;
  for (const auto& entry : fs::directory_iterator("/usr/lib/rabbitmq/lib", ignored)) {
    const std::string folder = (entry.path() / "plugins").string();
    if (fs::is_directory(folder, ignored) && folder > newest) newest = folder;
  }
  return newest;
}

// An ordinary user's PATH may lack the folders of the system's programs; Erlang's is an ordinary one.
std::string find_erlang() {
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "";
  folders += ":/usr/bin:/usr/local/bin:/usr/sbin:/usr/lib/erlang/bin";
  std::error_code ignored;
  for (size_t from = 0; from <= folders.size();) {
    const size_t end = std::min(folders.find(':', from), folders.size());
    const std::string program = folders.substr(from, end - from) + "/erl";
    if (end > from && fs::is_regular_file(program, ignored)) return program;
    from = end + 1;
  }
  return {};
}

bool is_plugin(const std::string& name) {
  if (name.starts_with("rabbitmq_")) return !name.starts_with("rabbitmq_prelaunch");
  for (const char* of_plugins : {"cow", "gun-", "jose-", "eetcd-", "prometheus-"})
    if (name.starts_with(of_plugins)) return true;
  return false;
}

// The server looks through every application it can see when it starts. Without the plugins, of which none is enabled,
// a start takes half the time.
Status link_applications(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_directories(to, error);
  for (const auto& entry : fs::directory_iterator(from, error)) {
    const std::string name = entry.path().filename().string();
    std::error_code exists;
    if (!is_plugin(name)) fs::create_directory_symlink(entry.path(), to + "/" + name, exists);
  }
  if (error) return fail(React::kConfig, "can't prepare the broker's folder " + to + ": " + error.message());
  return {};
}

}  // namespace

Status Broker::installed() {
  if (!applications_folder().empty() && !find_erlang().empty()) return {};
  return fail(React::kConfig, "the demo runs a RabbitMQ of its own, and none is installed",
              "`make deps` installs it (Debian: apt-get install rabbitmq-server); its service needn't run");
}

Result<std::unique_ptr<Broker>> Broker::create(FileSystem& files, Clock& clock, const std::string& folder) {
  TIDEMARK_ASSIGN(const std::vector<int> ports, free_ports(2));
  std::error_code error;
  for (const char* name : {"/user", "/log", "/data"}) fs::create_directories(folder + name, error);
  if (error) return fail(React::kConfig, "can't create " + folder + ": " + error.message());
  TIDEMARK_TRY(link_applications(applications_folder(), folder + "/applications"));
  TIDEMARK_TRY(files.replace_file(folder + "/rabbitmq.conf", fmt::format("listeners.tcp.1 = 127.0.0.1:{}\n"
                                                                         "log.console = false\n"
                                                                         "disk_free_limit.absolute = 1MB\n",
                                                                         ports[0])));
  TIDEMARK_TRY(files.replace_file(folder + "/enabled_plugins", "[].\n"));
  return std::unique_ptr<Broker>(new Broker(clock, folder, ports[0], ports[1], find_erlang()));
}

Broker::Broker(Clock& clock, std::string folder, int port, int distribution_port, std::string erl)
    : clock_(clock),
      folder_(std::move(folder)),
      port_(port),
      distribution_port_(distribution_port),
      erl_(std::move(erl)) {}

// Erlang itself instead of the script rabbitmq-server, which changes the user, reads /etc and puts a shell in between:
// so kill -9 kills the broker, and SIGTERM ends it in order.
Status Broker::start() {
  ChildOptions options;
  options.argv = {erl_, "-noinput", "-boot", "start_sasl", "-s", "rabbit", "boot"};
  for (const char* flag : {"+W",
                           "w",
                           "+B",
                           "i",
                           "+S",
                           "2:2",
                           "+sbwt",
                           "none",
                           "+sbwtdcpu",
                           "none",
                           "+sbwtdio",
                           "none",
                           "-syslog",
                           "logger",
                           "[]",
                           "-syslog",
                           "syslog_error_logger",
                           "false",
                           "-kernel",
                           "prevent_overlapping_partitions",
                           "false",
                           "-setcookie",
                           "tidemark"})
    options.argv.emplace_back(flag);
  for (const std::string& flag : {std::string("-name"), std::string(kNode), std::string("-erl_epmd_port"),
                                  std::to_string(distribution_port_)})
    options.argv.push_back(flag);
  options.env = {
      {"HOME", folder_ + "/user"},
      {"RABBITMQ_NODENAME", kNode},
      {"RABBITMQ_USE_LONGNAME", "true"},
      {"RABBITMQ_CONFIG_FILE", folder_ + "/rabbitmq.conf"},
      {"RABBITMQ_ADVANCED_CONFIG_FILE", folder_ + "/none"},
      {"RABBITMQ_CONF_ENV_FILE", folder_ + "/none"},
      {"RABBITMQ_GENERATED_CONFIG_DIR", folder_ + "/config"},
      {"RABBITMQ_MNESIA_BASE", folder_ + "/data"},
      {"RABBITMQ_MNESIA_DIR", folder_ + "/data/node"},
      {"RABBITMQ_LOG_BASE", folder_ + "/log"},
      {"RABBITMQ_PID_FILE", folder_ + "/pid"},
      {"RABBITMQ_ENABLED_PLUGINS_FILE", folder_ + "/enabled_plugins"},
      {"RABBITMQ_PLUGINS_DIR", folder_ + "/applications"},
      {"ERL_LIBS", folder_ + "/applications"},
      // The node's port is given, so that it asks no epmd; port 1 refuses whoever asks all the same.
      {"ERL_AFLAGS", "-start_epmd false"},
      {"ERL_EPMD_PORT", "1"},
      {"ERL_CRASH_DUMP_SECONDS", "0"}};
  options.folder = folder_;
  options.stdout_path = folder_ + "/log/console.log";
  options.stderr_path = options.stdout_path;
  MutexLock lock(mutex_);
  TIDEMARK_ASSIGN(process_, ChildProcess::spawn(options));
  wanted_ = true;
  ++starts_;
  return {};
}

bool Broker::answers() const { return broker_answers(port_); }

void Broker::stop(milliseconds patience) {
  const Mono deadline = clock_.now() + patience;
  {
    MutexLock lock(mutex_);
    wanted_ = false;
    process_.send_signal(SIGTERM);
  }
  // The lock is free in between: others ask how the broker is.
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!process_.running() || process_.wait_for(milliseconds(0))) return;
    }
    if (clock_.now() >= deadline) break;
    clock_.sleep_until(clock_.now() + kLook, {});
  }
  kill();
}

void Broker::kill() {
  MutexLock lock(mutex_);
  wanted_ = false;
  process_.kill();
}

std::optional<ExitState> Broker::died() {
  MutexLock lock(mutex_);
  if (!wanted_) return std::nullopt;
  return process_.wait_for(milliseconds(0));
}

int Broker::starts() const {
  MutexLock lock(mutex_);
  return starts_;
}

pid_t Broker::pid() const {
  MutexLock lock(mutex_);
  return process_.running() ? process_.pid() : 0;
}

std::string Broker::uri() const { return fmt::format("amqp://guest:guest@127.0.0.1:{}/%2f", port_); }

}  // namespace tidemark::demo
