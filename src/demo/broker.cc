#include "demo/broker.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "demo/net.h"

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;

constexpr auto kLook = milliseconds(50);

}  // namespace

Status Broker::installed() {
  if (Status there = broker::installed(); !there)
    return fail(React::kConfig, "the demo runs a RabbitMQ of its own, and " + there.error().what,
                there.error().hint);
  return {};
}

Result<std::unique_ptr<Broker>> Broker::create(FileSystem& files, Clock& clock, const std::string& folder) {
  TIDEMARK_ASSIGN(const std::vector<int> ports, free_ports(2));
  TIDEMARK_ASSIGN(broker::Launch launch, broker::prepare(files, folder, {ports[0], ports[1]}));
  return std::unique_ptr<Broker>(new Broker(clock, folder, ports[0], std::move(launch)));
}

Broker::Broker(Clock& clock, std::string folder, int port, broker::Launch launch)
    : clock_(clock), folder_(std::move(folder)), port_(port), launch_(std::move(launch)) {}

Status Broker::start() {
  ChildOptions options;
  options.argv = launch_.argv;
  options.env = launch_.env;
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
