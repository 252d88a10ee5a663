#include "env/posix/child_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

extern char** environ;

namespace tidemark {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kLineBytesMax = 64 * 1024;
constexpr auto kReapInterval = std::chrono::milliseconds(2);

// What the child needs between fork and exec, built before the fork: a process with threads may call only
// async-signal-safe functions there, and allocating is not one of them.
struct Launch {
  std::vector<std::string> env_text;
  std::vector<char*> argv;
  std::vector<char*> envp;
  int out = -1;
  int err = -1;
  int failure = -1;  // where errno goes when exec fails
  const char* folder = nullptr;
  pid_t parent = -1;
};

Launch prepare(const ChildOptions& options) {
  Launch launch;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced =
        std::ranges::any_of(options.env, [&](const auto& pair) { return pair.first == name; });
    const bool removed = std::ranges::find(options.env_without, name) != options.env_without.end();
    if (!replaced && !removed) launch.env_text.emplace_back(text);
  }
  for (const auto& [name, value] : options.env) launch.env_text.push_back(name + "=" + value);
  for (std::string& text : launch.env_text) launch.envp.push_back(text.data());
  launch.envp.push_back(nullptr);
  for (const std::string& argument : options.argv) launch.argv.push_back(const_cast<char*>(argument.c_str()));
  launch.argv.push_back(nullptr);
  launch.folder = options.folder.empty() ? nullptr : options.folder.c_str();
  launch.parent = ::getpid();
  return launch;
}

[[noreturn]] void report_and_exit(const Launch& launch) {
  const int error = errno;
  // Nothing is left to do about a failure to report a failure.
  [[maybe_unused]] const ssize_t written = ::write(launch.failure, &error, sizeof error);
  ::_exit(127);
}

[[noreturn]] void become(const Launch& launch) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above took effect.
  if (::getppid() != launch.parent) ::_exit(127);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int ignored : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM}) ::signal(ignored, SIG_DFL);
  if (launch.folder != nullptr && ::chdir(launch.folder) != 0) report_and_exit(launch);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
  if (::dup2(launch.out, STDOUT_FILENO) < 0 || ::dup2(launch.err, STDERR_FILENO) < 0) report_and_exit(launch);
  ::execve(launch.argv[0], launch.argv.data(), launch.envp.data());
  report_and_exit(launch);
}

int open_log(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

// Closes what it holds, so that every early return leaves nothing open.
struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }
  void reset() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int release() { return std::exchange(fd, -1); }
};

tl::unexpected<Error> system_error(const std::string& what) {
  return fail(React::kConfig, what + ": " + std::strerror(errno));
}

ExitState decode(int status) {
  if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace

std::string ExitState::describe() const {
  return signal != 0 ? "killed by signal " + std::to_string(signal) : "exit code " + std::to_string(code);
}

Result<ChildProcess> ChildProcess::spawn(const ChildOptions& options) {
  TIDEMARK_CHECK(!options.argv.empty(), "a child needs a program");
  const std::string& program = options.argv[0];
  Descriptor read_end, write_end, out, err, failure_read, failure_write;
  int pair[2];
  if (options.stdout_path.empty()) {
    if (::pipe2(pair, O_CLOEXEC) != 0) return system_error("pipe for " + program);
    read_end.fd = pair[0];
    write_end.fd = pair[1];
  } else if ((out.fd = open_log(options.stdout_path)) < 0) {
    return system_error(options.stdout_path);
  }
  if (!options.stderr_path.empty() && (err.fd = open_log(options.stderr_path)) < 0)
    return system_error(options.stderr_path);
  if (::pipe2(pair, O_CLOEXEC) != 0) return system_error("pipe for " + program);
  failure_read.fd = pair[0];
  failure_write.fd = pair[1];

  Launch launch = prepare(options);
  launch.out = out.fd >= 0 ? out.fd : write_end.fd;
  launch.err = err.fd >= 0 ? err.fd : launch.out;
  launch.failure = failure_write.fd;
  ChildProcess child;
  child.pid_ = ::fork();
  if (child.pid_ == 0) become(launch);
  if (child.pid_ < 0) return system_error("fork for " + program);
  failure_write.reset();
  write_end.reset();
  child.pipe_ = read_end.release();

  // The other end closes without a byte when exec succeeds.
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(failure_read.fd, &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (got == sizeof error) {
    child.kill();
    return fail(React::kConfig, "can't start " + program + ": " + std::strerror(error));
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      buffer_(std::move(other.buffer_)),
      exit_(other.exit_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    forget();
    pid_ = std::exchange(other.pid_, -1);
    pipe_ = std::exchange(other.pipe_, -1);
    buffer_ = std::move(other.buffer_);
    exit_ = other.exit_;
  }
  return *this;
}

ChildProcess::~ChildProcess() { forget(); }

void ChildProcess::forget() {
  kill();
  if (pipe_ >= 0) ::close(std::exchange(pipe_, -1));
}

void ChildProcess::send_signal(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

std::optional<ExitState> ChildProcess::wait_for(std::chrono::milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  while (pid_ > 0) {
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) {
      exit_ = decode(status);
      pid_ = -1;
    } else if (SteadyClock::now() >= deadline) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(kReapInterval);
    }
  }
  return exit_;
}

ExitState ChildProcess::kill() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);  // the group: a shell's children too
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    exit_ = decode(status);
    pid_ = -1;
  }
  return exit_.value_or(ExitState{});
}

bool ChildProcess::fill(std::chrono::milliseconds timeout) {
  if (pipe_ < 0) return false;
  pollfd ready{pipe_, POLLIN, 0};
  const int wait_ms = static_cast<int>(std::max<int64_t>(0, timeout.count()));
  const int polled = ::poll(&ready, 1, wait_ms);
  if (polled < 0) return errno == EINTR;
  if (polled == 0) return false;
  char bytes[4096];
  const ssize_t got = ::read(pipe_, bytes, sizeof bytes);
  if (got < 0) return errno == EINTR;
  if (got == 0) {
    ::close(std::exchange(pipe_, -1));
    return false;
  }
  buffer_.append(bytes, static_cast<size_t>(got));
  return true;
}

std::optional<std::string> ChildProcess::read_line(std::chrono::milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos || buffer_.size() >= kLineBytesMax) {
      const size_t taken = std::min(end, kLineBytesMax);
      std::string line = buffer_.substr(0, taken);
      buffer_.erase(0, taken == end ? taken + 1 : taken);
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (!fill(left)) break;
  }
  if (pipe_ >= 0 || buffer_.empty()) return std::nullopt;
  return std::exchange(buffer_, {});
}

std::string ChildProcess::read_rest(std::chrono::milliseconds timeout, size_t bytes_max) {
  const auto deadline = SteadyClock::now() + timeout;
  while (buffer_.size() < bytes_max &&
         fill(std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()))) {
  }
  return std::exchange(buffer_, {});
}

std::string executable_folder() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) return ".";
  const std::string_view text(path, static_cast<size_t>(length));
  return std::string(text.substr(0, text.rfind('/')));
}

}  // namespace tidemark
