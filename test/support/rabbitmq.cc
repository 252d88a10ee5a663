#include "support/rabbitmq.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace tidemark::testing {
namespace {

namespace fs = std::filesystem;

// A start on a machine busy with other tests.
constexpr Process::Milliseconds kStartPatience{60'000};

// Where the broker's applications are: the newest version's folder.
std::string applications_folder() {
  std::error_code ignored;
  std::string newest;
  for (const auto& entry : fs::directory_iterator("/usr/lib/rabbitmq/lib", ignored)) {
    const std::string folder = (entry.path() / "plugins").string();
    if (fs::is_directory(folder, ignored) && folder > newest) newest = folder;
  }
  return newest;
}

bool erlang_is_installed() {
  std::error_code ignored;
  for (const char* path : {"/usr/bin/erl", "/usr/local/bin/erl"})
    if (fs::exists(path, ignored)) return true;
  return false;
}

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error("RabbitMQ for tests: " + what);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
}

// Links to the applications that aren't plugins.
void link_applications(const std::string& from, const std::string& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    const bool plugin = name.rfind("rabbitmq_", 0) == 0 && name.rfind("rabbitmq_prelaunch", 0) != 0;
    const bool of_plugins = name.rfind("cow", 0) == 0 || name.rfind("gun-", 0) == 0 ||
                            name.rfind("jose-", 0) == 0 || name.rfind("eetcd-", 0) == 0 ||
                            name.rfind("prometheus-", 0) == 0;
    std::error_code ignored;
    if (!plugin && !of_plugins) fs::create_directory_symlink(entry.path(), to + "/" + name, ignored);
  }
}

}  // namespace

RabbitCommand rabbitmq_command(const std::string& folder, int port, int distribution_port,
                               const std::map<std::string, std::string>& settings) {
  const std::string node = "tidemark@127.0.0.1";
  const std::string applications = folder + "/applications";
  for (const char* name : {"/user", "/log", "/data"}) fs::create_directories(folder + name);
  link_applications(applications_folder(), applications);
  std::map<std::string, std::string> lines = {{"listeners.tcp.1", "127.0.0.1:" + std::to_string(port)},
                                              {"loopback_users", "none"},
                                              {"log.console", "false"},
                                              {"disk_free_limit.absolute", "1MB"}};
  for (const auto& [name, value] : settings) lines[name] = value;
  std::string config;
  for (const auto& [name, value] : lines) config += name + " = " + value + "\n";
  write_file(folder + "/rabbitmq.conf", config);
  write_file(folder + "/enabled_plugins", "[].\n");

  RabbitCommand command;
  command.args = {"erl",
                  "-noinput",
                  "-boot",
                  "start_sasl",
                  "-s",
                  "rabbit",
                  "boot",
                  "+W",
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
                  "-name",
                  node,
                  "-setcookie",
                  "tidemark",
                  "-erl_epmd_port",
                  std::to_string(distribution_port),
                  "-syslog",
                  "logger",
                  "[]",
                  "-syslog",
                  "syslog_error_logger",
                  "false",
                  "-kernel",
                  "prevent_overlapping_partitions",
                  "false"};
  command.environment = {{"HOME", folder + "/user"},
                         {"RABBITMQ_NODENAME", node},
                         {"RABBITMQ_USE_LONGNAME", "true"},
                         {"RABBITMQ_CONFIG_FILE", folder + "/rabbitmq.conf"},
                         {"RABBITMQ_ADVANCED_CONFIG_FILE", folder + "/none"},
                         {"RABBITMQ_CONF_ENV_FILE", folder + "/none"},
                         {"RABBITMQ_GENERATED_CONFIG_DIR", folder + "/config"},
                         {"RABBITMQ_MNESIA_BASE", folder + "/data"},
                         {"RABBITMQ_MNESIA_DIR", folder + "/data/node"},
                         {"RABBITMQ_LOG_BASE", folder + "/log"},
                         {"RABBITMQ_PID_FILE", folder + "/pid"},
                         {"RABBITMQ_ENABLED_PLUGINS_FILE", folder + "/enabled_plugins"},
                         {"RABBITMQ_PLUGINS_DIR", applications},
                         {"ERL_LIBS", applications},
                         {"ERL_AFLAGS", "-start_epmd false"},
                         {"ERL_EPMD_PORT", "1"},
                         {"ERL_CRASH_DUMP_SECONDS", "0"}};
  return command;
}

std::optional<std::string> RabbitServer::unavailable() {
  if (applications_folder().empty() || !erlang_is_installed())
    return "no RabbitMQ is installed (Debian: rabbitmq-server)";
  return std::nullopt;
}

RabbitServer& RabbitServer::shared() {
  static RabbitServer server;
  return server;
}

RabbitServer::RabbitServer(Options options) : options_(std::move(options)) {
  if (auto reason = unavailable()) give_up(*reason);
  folder_ = (fs::temp_directory_path() / "tidemark-rabbitmq-XXXXXX").string();
  if (::mkdtemp(folder_.data()) == nullptr) give_up("mkdtemp failed for " + folder_);
  port_ = free_ports(2);
  start();
}

RabbitServer::~RabbitServer() {
  if (process_) process_->kill_now();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void RabbitServer::start() {
  RabbitCommand command = rabbitmq_command(folder_, port_, port_ + 1, options_.settings);
  process_ = std::make_unique<Process>(
      std::move(command.args), Process::Options{.env = std::move(command.environment), .folder = folder_});
  const bool up = eventually([&] { return !process_->running() || answers(); }, kStartPatience);
  if (!up || !process_->running()) give_up("the broker doesn't start: " + last_words());
}

void RabbitServer::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  if (!process_->wait(kStartPatience)) give_up("the broker doesn't stop: " + last_words());
  process_.reset();
}

// RabbitMQ writes a new queue to disk up to two seconds (Mnesia's log) after it has declared the queue and confirmed
// messages to it, and the name of a quorum queue up to one second after (Ra's directory). Killed before that, it forgets
// the queue with everything in it.
bool RabbitServer::queues_are_on_disk() const {
  const std::string folder = folder_ + "/data/node/quorum/tidemark@127.0.0.1";
  std::ifstream file(folder + "/names.dets", std::ios::binary);
  const std::string names((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::error_code ignored;
  std::string tables;
  for (const auto& entry : fs::directory_iterator(folder_ + "/data/node", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name != "LATEST.LOG" && name.rfind("rabbit_durable_queue.", 0) != 0) continue;
    std::ifstream table(entry.path(), std::ios::binary);
    tables.append(std::istreambuf_iterator<char>(table), std::istreambuf_iterator<char>());
  }
  for (const std::string& queue : declared_) {
    if (tables.find(queue) == std::string::npos) return false;
  }
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored) && names.find(entry.path().filename().string()) == std::string::npos)
      return false;
  }
  return true;
}

void RabbitServer::kill() {
  eventually([&] { return queues_are_on_disk(); }, Process::Milliseconds(5'000));
  if (process_) process_->kill_now();
  process_.reset();
}

void RabbitServer::pause() { process_->signal(SIGSTOP); }
void RabbitServer::resume() { process_->signal(SIGCONT); }

// The protocol header, which a broker answers with connection.start.
bool RabbitServer::answers() const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience = {5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const char header[8] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};
  char answer = 0;
  const bool answered = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                        ::send(fd, header, sizeof header, MSG_NOSIGNAL) == sizeof header &&
                        ::recv(fd, &answer, 1, 0) == 1 && answer == 1;
  ::close(fd);
  return answered;
}

std::string RabbitServer::last_words() const {
  std::string text = process_ ? process_->output() + process_->error_output() : "";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_ + "/log", ignored)) {
    std::ifstream file(entry.path());
    text.append(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return text.size() > 3000 ? text.substr(text.size() - 3000) : text;
}

std::string RabbitServer::uri(const std::string& user, const std::string& password,
                              const std::string& vhost) const {
  return "amqp://" + user + ":" + password + "@127.0.0.1:" + std::to_string(port_) + "/" + vhost;
}

std::string RabbitServer::unique(const std::string& prefix) {
  return prefix + "." + std::to_string(++names_);
}

}  // namespace tidemark::testing
