#include "guard/report.h"

namespace tidemark::guard {

std::string_view to_string(Severity severity) {
  return severity == Severity::kCritical ? "critical" : "warning";
}

}  // namespace tidemark::guard
