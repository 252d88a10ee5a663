#include "base/log.h"

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

}  // namespace

void init_log(LogLevel level) {
  auto logger =
      std::make_shared<spdlog::logger>("tidemark", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %v", spdlog::pattern_time_type::utc);
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

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
