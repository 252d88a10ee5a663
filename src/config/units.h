// Durations and sizes as they stand in a configuration file: "250ms", "30s", "8MiB". Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark::config {

// A whole number and one unit of ms, s, m, h, d, in milliseconds; empty for anything else and for what int64
// can't hold.
std::optional<int64_t> parse_duration_ms(std::string_view text);

// A whole number and one unit of B, KiB, MiB, GiB, TiB, or no unit for bytes; empty for anything else.
std::optional<int64_t> parse_bytes(std::string_view text);

// A decimal integer with an optional minus; empty for anything else.
std::optional<int64_t> parse_integer(std::string_view text);

// In the largest unit that leaves a whole number; parse_* takes it back.
std::string format_duration_ms(int64_t ms);
std::string format_bytes(int64_t bytes);

}  // namespace tidemark::config
