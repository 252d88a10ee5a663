#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

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
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    return sink;
  } catch (const spdlog::spdlog_ex& error) {
    return fail(React::kConfig, "the log " + file + " can't be written: " + error.what(),
                "may this user write the file and its folder?");
  }
}

}  // namespace

Status init_log(LogLevel level, const std::string& file) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
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
