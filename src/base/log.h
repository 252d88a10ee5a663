// The program's log: spdlog behind one door, so that its level and destination are set in one place.
//
// A log that can't be written ends nothing and holds nobody up: a line whose reader is gone, whose disk is full, or whose
// pipe nobody empties is dropped and counted, and the next line that gets through says how many are missing.
//
// Messages name the pipeline first ("orders: ..."). Secrets never reach the log: a URI is logged through
// redact_uri(), and nothing logs a whole configuration.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

#include "base/result.h"

namespace tidemark {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// Logs go to standard error from then on, or to the end of `file` where one is named. REQUIRES that no other thread logs
// yet; may be called again. kConfig, with the log left as it was, when the file can't be opened; no folder is made for it.
Status init_log(LogLevel level, const std::string& file = {});

// Opens the log's file again under its name, for whoever has moved it away (logrotate); without a file it does nothing.
// Any thread. kRetry, with the old file still in use, when the new one can't be written.
Status reopen_log();

void flush_log();

// Lines that could not be written since the process began. Any thread.
uint64_t log_lines_lost();

// `uri` with any password, and any query value that is a secret, replaced by ***.
std::string redact_uri(std::string_view uri);

namespace log {
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;
}  // namespace log

}  // namespace tidemark
