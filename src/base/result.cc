#include "base/result.h"

namespace tidemark {

std::string_view to_string(React react) {
  switch (react) {
    case React::kRetry:
      return "retry";
    case React::kReject:
      return "reject";
    case React::kPositionLost:
      return "position lost";
    case React::kCorrupt:
      return "corrupt";
    case React::kFenced:
      return "fenced";
    case React::kCancelled:
      return "cancelled";
    case React::kConfig:
      return "configuration";
    case React::kDenied:
      return "denied";
    case React::kFatal:
      return "fatal";
  }
  return "unknown";
}

std::string Error::describe() const {
  if (hint.empty()) return what;
  return what + " (" + hint + ")";
}

}  // namespace tidemark
