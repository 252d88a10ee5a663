#include "env/posix/log_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/mutex.h"

namespace tidemark {
namespace {

// A pipe that says POLLOUT takes this much at once (pipe(7)); a regular file always does.
constexpr size_t kAtOnce = 4096;

// spdlog's own sinks make folders that nobody asked for, throw on a full disk, don't notice a reader that is gone, and wait
// for one that doesn't read.
class DescriptorWriter final : public LogWriter {
 public:
  DescriptorWriter(int fd, std::string file) : file_(std::move(file)), fd_(fd) {}
  ~DescriptorWriter() override {
    if (!file_.empty()) ::close(fd_);
  }

  bool write(std::string_view line) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!line.empty()) {
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
      const ssize_t written = ::write(fd_, line.data(), std::min(line.size(), kAtOnce));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      line.remove_prefix(static_cast<size_t>(written));
    }
    return true;
  }

  Status reopen() override EXCLUDES(mutex_) {
    if (file_.empty()) return {};
    TIDEMARK_ASSIGN(const int fd, open(file_));
    MutexLock lock(mutex_);
    ::close(std::exchange(fd_, fd));
    return {};
  }

  static Result<int> open(const std::string& file) {
    // Without waiting, for a pipe that nobody reads.
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd >= 0) return fd;
    return fail(
        React::kConfig, "the log " + file + " can't be written: " + std::strerror(errno),
        "its folder must exist, and this user must be allowed to write there; a relative path starts at "
        "the working directory");
  }

 private:
  const std::string file_;  // empty = standard error
  Mutex mutex_;
  int fd_ GUARDED_BY(mutex_);
};

}  // namespace

void hold_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)::open("/dev/null", O_RDWR);
}

Result<std::shared_ptr<LogWriter>> make_log_writer(const std::string& file) {
  if (!file.empty()) {
    TIDEMARK_ASSIGN(const int fd, DescriptorWriter::open(file));
    return std::make_shared<DescriptorWriter>(fd, file);
  }
  if (::isatty(STDERR_FILENO) != 0) return nullptr;
  return std::make_shared<DescriptorWriter>(STDERR_FILENO, file);
}

}  // namespace tidemark
