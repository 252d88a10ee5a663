// The program's log: spdlog behind one door, so that its level and destination are set in one place.
//
// A log that can't be written ends nothing and holds nobody up: a line whose reader is gone, whose disk is full, or whose
// pipe nobody empties is dropped and counted, and the next line that gets through says how many are missing.
//
// Messages name the pipeline first ("orders: ..."). Secrets never reach the log: a URI is logged through
// redact_uri() (base/uri.h), and nothing logs a whole configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

#include "base/result.h"

namespace tidemark {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

// Where lines go; env/posix/log_writer.h has the one there is.
class LogWriter {
 public:
  virtual ~LogWriter() = default;
  // One whole line at once, without waiting. False: it could not be written. One thread at a time.
  virtual bool write(std::string_view line) = 0;
  // Opens what it writes to again under its name, for whoever has moved it away (logrotate). Any thread, also while another
  // writes. kConfig, with the old one still in use, when the new one can't be opened.
  virtual Status reopen() = 0;
};

// Logs go there from then on; without a writer, to standard error in colours. REQUIRES that no other thread logs yet; may be
// called again.
void init_log(LogLevel level, std::shared_ptr<LogWriter> writer = nullptr);

// LogWriter::reopen of the writer in use; without one it does nothing. Any thread.
Status reopen_log();

void flush_log();

// Lines that could not be written since the process began. Any thread.
uint64_t log_lines_lost();

namespace log {
using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;
}  // namespace log

}  // namespace tidemark
