// One column of many rows as a single parameter: a PostgreSQL array in the binary form of array_recv (array elements
// need no quoting there, and the server parses nothing but the elements themselves).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bson/document.h"
#include "sinks/postgres/connection.h"

namespace tidemark::postgres {

// OIDs of built-in types, fixed in pg_type.dat.
inline constexpr uint32_t kText = 25, kTextArray = 1009;
inline constexpr uint32_t kBytea = 17, kByteaArray = 1001;
inline constexpr uint32_t kTid = 27;
inline constexpr uint32_t kJsonb = 3802, kJsonbArray = 3807;
inline constexpr uint32_t kTimestamptz = 1184, kTimestamptzArray = 1185;

class ArrayParam {
 public:
  // Empties the array; its memory stays.
  void start(uint32_t element_type, uint32_t array_type) {
    array_type_ = array_type;
    count_ = 0;
    has_null_ = false;
    bytes_.clear();
    for (const uint32_t word : {1u, 0u, element_type, 0u, 1u}) put32(word);
  }
  void add(std::string_view text) {
    put32(static_cast<uint32_t>(text.size()));
    bytes_.append(text);
    ++count_;
  }
  // jsonb_recv wants its version in front of the text.
  void add_jsonb(std::string_view json) {
    put32(static_cast<uint32_t>(json.size() + 1));
    bytes_.push_back(1);
    bytes_.append(json);
    ++count_;
  }
  void add_time(bson::Timestamp time) {
    put32(8);
    put64(micros_since_2000(time));
    ++count_;
  }
  void add_null() {
    put32(UINT32_MAX);
    has_null_ = true;
    ++count_;
  }
  // REQUIRES at least one element; valid until the next start().
  Param param() {
    set32(4, has_null_ ? 1 : 0);
    set32(12, count_);
    return {bytes_, true, false, array_type_};
  }

  static uint64_t micros_since_2000(bson::Timestamp time) {
    constexpr int64_t k2000 = 946'684'800;
    return static_cast<uint64_t>((int64_t{time.seconds} - k2000) * 1'000'000);
  }

 private:
  void put32(uint32_t value) {
    const char bytes[4] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                           static_cast<char>(value >> 8), static_cast<char>(value)};
    bytes_.append(bytes, 4);
  }
  void put64(uint64_t value) {
    put32(static_cast<uint32_t>(value >> 32));
    put32(static_cast<uint32_t>(value));
  }
  void set32(size_t at, uint32_t value) {
    for (int i = 0; i < 4; ++i)
      bytes_[at + static_cast<size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
  }

  std::string bytes_;
  uint32_t array_type_ = 0;
  uint32_t count_ = 0;
  bool has_null_ = false;
};

}  // namespace tidemark::postgres
