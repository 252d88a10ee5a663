// The program's log: spdlog behind one door, so that its level and destination are set in one place.
//
// Messages name the pipeline first ("orders: ..."). Secrets never reach the log: a URI is logged through
// redact_uri(), and nothing logs a whole configuration.
#pragma once

#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

namespace tidemark {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// Logs go to standard error from then on. REQUIRES that no other thread logs yet; may be called again.
void init_log(LogLevel level);

// `uri` with any password, and any query value that is a secret, replaced by ***.
std::string redact_uri(std::string_view uri);

namespace log {
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;
}  // namespace log

}  // namespace tidemark
