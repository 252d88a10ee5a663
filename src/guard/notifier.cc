#include "guard/notifier.h"

#include <fmt/format.h>

#include "base/log.h"

namespace tidemark::guard {

std::string sentence(const AlertView& alert) {
  const std::string who = alert.pipeline.empty() ? "" : alert.pipeline + ": ";
  if (!alert.firing) return fmt::format("{}alert {} resolved", who, alert.name);
  return fmt::format("{}alert {} ({}): {}. {}", who, alert.name, to_string(alert.severity), alert.text,
                     alert.hint);
}

void LogNotifier::notify(const AlertView& alert) {
  const std::string line = sentence(alert);
  if (!alert.firing)
    log::info("{}", line);
  else if (alert.severity == Severity::kCritical)
    log::error("{}", line);
  else
    log::warn("{}", line);
}

}  // namespace tidemark::guard
