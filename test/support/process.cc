#include "support/process.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

extern char** environ;

namespace tidemark::testing {
namespace {

// The environment of the child: the test's own with `added` over it.
std::vector<std::string> environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (added.count(text.substr(0, text.find('='))) == 0) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

int unlinked_file() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tidemark-stderr-XXXXXX").string();
  const int fd = mkostemp(pattern.data(), O_CLOEXEC);
  TIDEMARK_CHECK(fd >= 0, "a temporary file can be made");
  unlink(pattern.c_str());
  return fd;
}

bool can_bind(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return free;
}

}  // namespace

namespace internal {

std::chrono::nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch(); }
void pause(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

}  // namespace internal

Process::Process(std::vector<std::string> args, Options options) {
  int out[2];
  TIDEMARK_CHECK(pipe2(out, O_CLOEXEC) == 0, "a pipe can be made");
  error_fd_ = unlinked_file();
  std::vector<std::string> variables = environment(options.env);
  std::vector<char*> argv = pointers(args);
  std::vector<char*> envp = pointers(variables);

  const pid_t parent = getpid();
  pid_ = fork();
  TIDEMARK_CHECK(pid_ >= 0, "a process can be started");
  if (pid_ == 0) {
    // Only calls that are safe between fork and exec in a program with threads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    const int null = open("/dev/null", O_RDONLY);
    if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(127);
    dup2(null, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(error_fd_, STDERR_FILENO);
    execvpe(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(out[1]);
  out_fd_ = out[0];
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  TIDEMARK_CHECK(pid_fd_ >= 0, "a process can be watched");
}

Process::~Process() {
  if (running()) kill_now();
  for (const int fd : {pid_fd_, out_fd_, error_fd_}) {
    if (fd >= 0) close(fd);
  }
}

bool Process::running() {
  if (status_) return false;
  int raw = 0;
  if (waitpid(pid_, &raw, WNOHANG) != pid_) return true;
  status_ = WIFEXITED(raw) ? ExitStatus{WEXITSTATUS(raw), 0} : ExitStatus{-1, WTERMSIG(raw)};
  return false;
}

bool Process::pump(std::chrono::nanoseconds until) {
  const auto left = std::chrono::duration_cast<Milliseconds>(until - internal::now()).count();
  pollfd fds[] = {{pid_fd_, POLLIN, 0}, {out_fd_, POLLIN, 0}};
  if (left <= 0 || poll(fds, 2, static_cast<int>(left) + 1) <= 0) return false;
  if (out_fd_ < 0 || (fds[1].revents & (POLLIN | POLLHUP)) == 0) return true;
  char buffer[65536];
  const ssize_t count = read(out_fd_, buffer, sizeof buffer);
  if (count > 0) {
    output_.append(buffer, static_cast<size_t>(count));
  } else {
    close(out_fd_);
    out_fd_ = -1;
  }
  return true;
}

std::optional<std::string> Process::read_line(Milliseconds patience) {
  const auto deadline = internal::now() + patience;
  for (;;) {
    const size_t end = output_.find('\n', line_start_);
    if (end != std::string::npos) {
      std::string line = output_.substr(line_start_, end - line_start_);
      line_start_ = end + 1;
      return line;
    }
    if (out_fd_ < 0 || !pump(deadline)) return std::nullopt;
  }
}

std::optional<std::string> Process::read_until(std::string_view text, Milliseconds patience) {
  const auto deadline = internal::now() + patience;
  for (;;) {
    const auto left = std::chrono::duration_cast<Milliseconds>(deadline - internal::now());
    std::optional<std::string> line = read_line(left);
    if (!line || line->find(text) != std::string::npos) return line;
  }
}

void Process::signal(int number) {
  if (running()) kill(pid_, number);
}

void Process::kill_now() {
  signal(SIGKILL);
  wait();
}

std::optional<ExitStatus> Process::wait(Milliseconds patience) {
  const auto deadline = internal::now() + patience;
  while (running()) {
    if (!pump(deadline)) return std::nullopt;
  }
  // What stands in the pipe still; a grandchild may hold the other end open, so don't wait for its end.
  while (out_fd_ >= 0) {
    pollfd fd = {out_fd_, POLLIN, 0};
    if (poll(&fd, 1, 0) <= 0 || !pump(internal::now() + Milliseconds(100))) break;
  }
  return status_;
}

std::string Process::error_output() const {
  std::string text;
  char buffer[65536];
  ssize_t count;
  while ((count = pread(error_fd_, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer, static_cast<size_t>(count));
  }
  return text;
}

Finished run(std::vector<std::string> args, Process::Options options, Process::Milliseconds patience) {
  Process process(std::move(args), std::move(options));
  Finished finished;
  finished.status = process.wait(patience);
  if (!finished.status) process.kill_now();
  finished.output = process.output();
  finished.error_output = process.error_output();
  return finished;
}

int free_ports(int count) {
  // Below the range that the system hands out by itself; each test program starts to look at a place of its
  // own.
  constexpr int kFirst = 20'000, kLast = 32'000;
  static int next = kFirst + (getpid() * 37) % (kLast - kFirst);
  for (int tries = 0; tries < kLast - kFirst; ++tries) {
    if (next + count > kLast) next = kFirst;
    const int base = next;
    next += count;
    bool free = true;
    for (int port = base; port < base + count; ++port) free = free && can_bind(port);
    if (free) return base;
  }
  TIDEMARK_CHECK(false, "there is a free port");
}

std::string bin_dir() {
  const char* folder = std::getenv("TIDEMARK_BIN_DIR");
  return folder != nullptr ? folder : own_bin_dir();
}

std::string own_bin_dir() {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return (folder.filename() == "tests" ? folder.parent_path() : folder).string();
}

bool sanitized() { return std::getenv("TIDEMARK_SANITIZED") != nullptr; }

}  // namespace tidemark::testing
