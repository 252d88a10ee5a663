// The exit codes, after sysexits.h where it has one. docs/operating.md says what to do about each.
#pragma once

#include "base/result.h"

namespace tidemark::app {

enum ExitCode : int {
  kOk = 0,
  kDifferent = 1,  // an audit found the two ends different, or a look of `guard --once` an alert
  kUsage = 64,     // EX_USAGE: the command line is wrong
  kData = 65,  // EX_DATAERR: a stored position is corrupt, or an event was rejected and on_reject = "stop"
  kUnavailable = 69,   // EX_UNAVAILABLE: a server can't be reached (commands that don't wait)
  kInternal = 70,      // EX_SOFTWARE
  kTemporary = 75,     // EX_TEMPFAIL: try again later
  kPositionLost = 76,  // the position is no longer in the oplog: terminal, the operator chooses
  kFenced = 77,        // EX_NOPERM: another instance owns the position
  kInterrupted = 130,  // a command with an end of its own was cut short by a signal
  kConfig = 78,        // EX_CONFIG: the configuration, a grant, or no stored position
};

inline ExitCode exit_code(React react) {
  switch (react) {
    case React::kRetry:
      return kTemporary;
    case React::kReject:
    case React::kCorrupt:
      return kData;
    case React::kPositionLost:
      return kPositionLost;
    case React::kFenced:
      return kFenced;
    case React::kCancelled:
      return kOk;
    case React::kConfig:
    case React::kDenied:
      return kConfig;
    case React::kFatal:
      return kInternal;
  }
  return kInternal;
}

}  // namespace tidemark::app
