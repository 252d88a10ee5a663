#include "base/log.h"

#include <atomic>

#include <spdlog/details/null_mutex.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "base/human.h"

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

// %* is the message as Printable writes it.
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %*";

// A message is one line, whatever names and words of others are in it: a collection may be called like a line of this log.
class Printable final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<Printable>();
  }
};

std::atomic<uint64_t> g_lines_lost = 0;

// Hands lines to a LogWriter. dist_sink_mt, behind which it stands, calls it from one thread at a time.
class WriterSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit WriterSink(std::shared_ptr<LogWriter> writer) : writer_(std::move(writer)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (missing_ > 0 &&
        writer_->write(fmt::format("(log: {} lines before this one could not be written)\n", missing_)))
      missing_ = 0;
    if (missing_ == 0 && writer_->write({line.data(), line.size()})) return;
    ++missing_;
    ++g_lines_lost;
  }
  void flush_() override {}

 private:
  const std::shared_ptr<LogWriter> writer_;
  uint64_t missing_ = 0;  // since the last line that was written
};

std::shared_ptr<LogWriter>& current_writer() {
  static std::shared_ptr<LogWriter> instance;
  return instance;
}

}  // namespace

void init_log(LogLevel level, std::shared_ptr<LogWriter> writer) {
  spdlog::sink_ptr sink;
  // spdlog colours its lines where standard error is a terminal.
  if (writer)
    sink = std::make_shared<WriterSink>(writer);
  else
    sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto sinks = std::make_shared<spdlog::sinks::dist_sink_mt>();
  sinks->add_sink(std::move(sink));
  auto logger = std::make_shared<spdlog::logger>("tidemark", std::move(sinks));
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<Printable>('*').set_pattern(kPattern);
  logger->set_formatter(std::move(formatter));
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  current_writer() = std::move(writer);
}

Status reopen_log() {
  const std::shared_ptr<LogWriter> writer = current_writer();
  return writer ? writer->reopen() : Status();
}

void flush_log() { spdlog::default_logger_raw()->flush(); }

uint64_t log_lines_lost() { return g_lines_lost; }

}  // namespace tidemark
