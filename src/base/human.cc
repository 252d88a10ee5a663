#include "base/human.h"

#include <fmt/format.h>

namespace tidemark {

std::string grouped_digits(uint64_t value, bool negative) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return negative ? "-" + digits : digits;
}

std::string human_duration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms < 1'000) return fmt::format("{} ms", ms);
  if (ms < 120'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
  return fmt::format("{} min", ms / 60'000);
}

}  // namespace tidemark
