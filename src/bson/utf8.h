// UTF-8 as RFC 3629 has it, for the writer and the reader of Extended JSON. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace tidemark::bson {

// The length of the well-formed UTF-8 sequence at `text`, or 0 (no overlong forms, no surrogates, nothing above
// U+10FFFF). REQUIRES a first byte of 0x80 or more.
inline size_t utf8_length(const uint8_t* text, size_t left) {
  const uint8_t first = text[0];
  size_t length = 0;
  uint8_t low = 0x80, high = 0xbf;  // the bounds of the second byte
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || left < length || text[1] < low || text[1] > high) return 0;
  for (size_t i = 2; i < length; ++i)
    if ((text[i] & 0xc0) != 0x80) return 0;
  return length;
}

inline bool is_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  for (size_t i = 0; i < text.size();) {
    const size_t length = bytes[i] < 0x80 ? 1 : utf8_length(bytes + i, text.size() - i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

// True when all eight bytes stand for themselves in a JSON string: ASCII, no control character, quote or backslash. The
// usual tricks for "has a byte below n" and "has a zero byte", so that long strings go by eight bytes at a time.
inline bool eight_plain(const uint8_t* text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
  uint64_t word;
  std::memcpy(&word, text, 8);
  const uint64_t quote = word ^ (kOnes * '"');
  const uint64_t backslash = word ^ (kOnes * '\\');
  const uint64_t special = ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
                           ((backslash - kOnes) & ~backslash) | word;
  return (special & kHighs) == 0;
}

inline bool is_plain(uint8_t c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

}  // namespace tidemark::bson
