// Where the values of a BSON document begin and end (bsonspec.org), all levels down: the one check that stands between
// bytes from outside and a View. It judges lengths and terminators alone, never contents: text that isn't UTF-8, a
// boolean of 2, a binary of subtype 2 without its inner length are carried as they are. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::bson {

// Documents and arrays in each other, the outermost included. A server stops at 200, and a change event puts its
// documents one or two levels further down.
inline constexpr int kDepthMax = 250;

inline uint32_t load_u32(const uint8_t* at) {
  return uint32_t{at[0]} | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24;
}

// How many bytes a value of each type has: a number, or one of these.
inline constexpr int8_t kVariable = -1, kNoType = -2;
inline constexpr std::array<int8_t, 256> kValueBytes = [] {
  std::array<int8_t, 256> sizes{};
  sizes.fill(kNoType);
  for (const int type : {0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f}) sizes[type] = kVariable;
  for (const int type : {0x06, 0x0a, 0x7f, 0xff}) sizes[type] = 0;  // undefined, null, MaxKey, MinKey
  sizes[0x08] = 1;                                                  // a boolean
  sizes[0x10] = 4;                                                  // int32
  for (const int type : {0x01, 0x09, 0x11, 0x12}) sizes[type] = 8;  // double, date, timestamp, int64
  sizes[0x07] = 12;                                                 // an ObjectId
  sizes[0x13] = 16;                                                 // Decimal128
  return sizes;
}();

struct FramingFlaw {
  std::string path;  // the field, dotted; empty for the document itself
  size_t at = 0;     // the byte
  std::string what;  // "a string that has no end"
};

// Empty when `bytes` are exactly one document of at most `levels` levels.
std::optional<FramingFlaw> find_framing_flaw(std::span<const uint8_t> bytes, int levels = kDepthMax);

// Whether `bytes` are exactly one value of this type, `levels` being what documents in it may have.
bool is_framed_value(uint8_t type, std::span<const uint8_t> bytes, int levels);

// A field of a document that isn't framed all the way down.
struct OuterField {
  uint8_t type = 0;
  std::string_view key;
  std::span<const uint8_t> value;
};
// For saving what can be saved: the fields of the outermost level, where they are right by their own lengths, whatever lies
// inside of them. Empty when not even this level is right.
std::optional<std::vector<OuterField>> outer_fields(std::span<const uint8_t> bytes);

}  // namespace tidemark::bson
