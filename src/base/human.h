// Numbers, durations and the words of others as people read them. Pure; any thread.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark {

std::string grouped_digits(uint64_t value, bool negative);

// "1,234,567".
template <std::integral Number>
std::string grouped(Number value) {
  const bool negative = value < Number{0};
  return grouped_digits(negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value), negative);
}

// `text` on one line and without effect on a terminal: control characters (also those of U+0080 to U+009F) as \n, \r, \t, \xNN.
// Names and messages of others may hold anything.
std::string printable(std::string_view text);

// "340 ms", "12.4 s", "3 min".
std::string human_duration(std::chrono::milliseconds duration);

}  // namespace tidemark
