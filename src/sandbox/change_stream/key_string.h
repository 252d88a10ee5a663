// KeyString: the byte form that a mongod gives to BSON values so that comparing bytes compares values. Resume
// tokens are KeyStrings in hexadecimal, which is why their text sorts in stream order.
//
// Integers, strings, documents and all the other types are byte for byte what a server writes; fractions and
// numbers beyond 2^63 keep the server's order, not its bytes (only the server that made a token ever reads
// it). Writers and readers belong to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bson/document.h"
#include "sandbox/replication/oplog.h"
#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

class KeyStringWriter {
 public:
  void clear() {
    bytes_.clear();
    type_bits_.clear();
    type_bit_count_ = 0;
  }
  void timestamp(bson::Timestamp value);
  void integer(int64_t value);
  void boolean(bool value);
  void null();
  void uuid(const Uuid& value);
  void value(const bson::Element& element);
  void object(bson::View document);
  // The parts of an object that the caller writes himself: begin_object, field_*..., end_object.
  void begin_object();
  void field_string(std::string_view name, std::string_view value);
  void field_object(std::string_view name, bson::View document);
  void end_object();
  // Bytes that a reader took out of another KeyString.
  void raw(std::string_view bytes) { bytes_ += bytes; }
  void end();

  const std::string& bytes() const { return bytes_; }
  // What tells apart values that compare equal (1, 1.0, NumberLong(1)); empty when all of them are of the
  // default type.
  std::string type_bits() const;

 private:
  void byte(uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void big_endian(uint64_t value, int count, bool invert);
  void magnitude(uint64_t value, bool negative, bool fraction);
  void number(double value);
  void text(std::string_view value);
  void binary(const uint8_t* data, uint32_t size, uint8_t subtype);
  void elements(bson::View document, bool named);
  void type_bit(bool value);

  std::string bytes_;
  std::string type_bits_;
  size_t type_bit_count_ = 0;
};

// Reads what a client sent: nothing in it is trusted.
class KeyStringReader {
 public:
  explicit KeyStringReader(std::string_view bytes) : bytes_(bytes) {}

  // True when nothing but the end mark is left.
  bool at_end() const {
    return position_ >= bytes_.size() || static_cast<uint8_t>(bytes_[position_]) == kEnd;
  }
  // The type byte of the next value; REQUIRES !at_end().
  uint8_t next_type() const { return static_cast<uint8_t>(bytes_[position_]); }

  Reply<bson::Timestamp> timestamp();
  Reply<int64_t> integer();
  Reply<bool> boolean();
  Reply<Uuid> uuid();
  // Steps over one value of any type and returns its bytes.
  Reply<std::string_view> any();

  static constexpr uint8_t kEnd = 4;
  static bool is_number(uint8_t type);
  static bool is_boolean(uint8_t type);
  static constexpr uint8_t kNullType = 20;
  static constexpr uint8_t kObjectType = 70;
  static constexpr uint8_t kBinaryType = 90;
  static constexpr uint8_t kTimestampType = 130;

 private:
  Reply<std::string_view> take(size_t count);
  Reply<void> skip_value(int depth);
  Reply<void> skip_text();
  Reply<void> skip_name();
  Reply<void> skip_number(uint8_t type);

  std::string_view bytes_;
  size_t position_ = 0;
};

// Appends two hexadecimal digits, in upper case, for every byte.
void append_hex(std::string_view bytes, std::string& out);
// False when `hex` isn't an even number of hexadecimal digits.
bool parse_hex(std::string_view hex, std::string& out);

}  // namespace tidemark::sandbox
