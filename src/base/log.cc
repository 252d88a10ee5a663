#include "base/log.h"

#include <atomic>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <unistd.h>

namespace tidemark {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// Replaces the value of `key=` in a query string or in libpq's key/value form.
void redact_parameter(std::string& text, std::string_view key) {
  size_t at = 0;
  while ((at = text.find(key, at)) != std::string::npos) {
    const size_t value = at + key.size();
    const bool starts_word = at == 0 || text[at - 1] == '?' || text[at - 1] == '&' || text[at - 1] == ' ';
    if (starts_word) text.replace(value, text.find_first_of("& ", value) - value, "***");
    at = value;
  }
}

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v";

std::atomic<uint64_t> g_lines_lost = 0;

// Lines to a descriptor, one write each. spdlog's own sinks make folders that nobody asked for, throw on a full disk, don't
// notice a reader that is gone, and wait for one that doesn't read.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  DescriptorSink(int fd, bool owned) : fd_(fd), owned_(owned) {}
  ~DescriptorSink() override {
    if (owned_) ::close(fd_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (missing_ > 0) {
      const std::string note =
          fmt::format("(log: {} lines before this one could not be written)\n", missing_);
      if (write_line(note)) missing_ = 0;
    }
    if (missing_ == 0 && write_line({line.data(), line.size()})) return;
    ++missing_;
    ++g_lines_lost;
  }
  void flush_() override {}

 private:
  // A pipe that says POLLOUT takes this much at once (pipe(7)); a regular file always does.
  static constexpr size_t kAtOnce = 4096;

  bool write_line(std::string_view text) const {
    while (!text.empty()) {
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return false;
      const ssize_t written = ::write(fd_, text.data(), std::min(text.size(), kAtOnce));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<size_t>(written));
    }
    return true;
  }

  const int fd_;
  const bool owned_;
  uint64_t missing_ = 0;  // since the last line that was written
};

// What stands behind the logger; its set of sinks can be changed while others log.
struct Destination {
  std::shared_ptr<spdlog::sinks::dist_sink_mt> sinks;
  std::string file;  // empty = standard error
};

Destination& destination() {
  static Destination instance;
  return instance;
}

Result<spdlog::sink_ptr> open_file(const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd >= 0) return std::make_shared<DescriptorSink>(fd, true);
  return fail(
      React::kConfig, "the log " + file + " can't be written: " + std::strerror(errno),
      "its folder must exist, and this user must be allowed to write there; a relative path starts at the "
      "working directory");
}

spdlog::sink_ptr standard_error() {
  // A terminal has its colours, and somebody in front of it.
  if (::isatty(STDERR_FILENO) != 0) return std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  return std::make_shared<DescriptorSink>(STDERR_FILENO, false);
}

}  // namespace

Status init_log(LogLevel level, const std::string& file) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = standard_error();
  } else {
    TIDEMARK_ASSIGN(sink, open_file(file));
  }
  auto sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  sinks->add_sink(std::move(sink));
  auto logger = std::make_shared<spdlog::logger>("tidemark", sinks);
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>(kPattern, spdlog::pattern_time_type::utc));
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  destination() = {std::move(sinks), file};
  return {};
}

Status reopen_log() {
  Destination& to = destination();
  if (to.file.empty()) return {};
  TIDEMARK_ASSIGN(spdlog::sink_ptr sink, open_file(to.file));
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(kPattern, spdlog::pattern_time_type::utc));
  to.sinks->set_sinks({std::move(sink)});
  return {};
}

void flush_log() { spdlog::default_logger_raw()->flush(); }

uint64_t log_lines_lost() { return g_lines_lost; }

std::string redact_uri(std::string_view uri) {
  std::string text(uri);
  if (const size_t scheme = text.find("://"); scheme != std::string::npos) {
    const size_t authority = scheme + 3;
    const size_t end = std::min(text.find_first_of("/?", authority), text.size());
    const size_t at = text.rfind('@', end);
    if (at != std::string::npos && at >= authority) {
      const size_t colon = text.find(':', authority);
      if (colon != std::string::npos && colon < at) text.replace(colon + 1, at - colon - 1, "***");
    }
  }
  for (std::string_view key : {"password=", "sslpassword=", "tlsCertificateKeyFilePassword=",
                               "authMechanismProperties=", "passfile="})
    redact_parameter(text, key);
  return text;
}

}  // namespace tidemark
