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

#include "broker/launch.h"
#include "env/posix/file_system.h"

namespace tidemark::testing {
namespace {

namespace fs = std::filesystem;

// A start on a machine busy with other tests.
constexpr Process::Milliseconds kStartPatience{60'000};

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error("RabbitMQ for tests: " + what);
}

}  // namespace

std::optional<std::string> RabbitServer::unavailable() {
  const Status there = broker::installed();
  return there ? std::nullopt : std::optional(there.error().describe());
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
  PosixFileSystem files;
  std::map<std::string, std::string> settings = options_.settings;
  settings.emplace("loopback_users", "none");
  auto launch = broker::prepare(files, folder_, {port_, port_ + 1}, settings);
  if (!launch) give_up(launch.error().describe());
  process_ = std::make_unique<Process>(
      std::move(launch->argv),
      Process::Options{.env = {launch->env.begin(), launch->env.end()}, .folder = folder_});
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
  const std::string folder = folder_ + "/data/node/quorum/" + broker::kNode;
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
