// The pieces that both forms of Extended JSON are made of. Private to bson/json.cc. Pure; any thread.
#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tidemark::bson {

// `text` in quotes. False when it is not UTF-8: it stops at the first such byte then, or with `replaces` puts U+FFFD in its
// place and goes on.
template <bool replaces>
bool append_string(std::string_view text, std::string& out);

template <class Number>
void append_number(Number value, std::string& out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

// The shortest digits that read back as the same double, always with a mark of a fraction or an exponent so
// that a reader of plain JSON numbers doesn't take it for an integer. REQUIRES a finite value.
void append_finite(double value, std::string& out);

void append_date(int64_t ms, bool canonical, std::string& out);
void append_base64(std::span<const uint8_t> bytes, std::string& out);
void append_hex_byte(uint8_t byte, std::string& out);
// REQUIRES twelve bytes.
void append_oid(const uint8_t* bytes, std::string& out);

}  // namespace tidemark::bson
