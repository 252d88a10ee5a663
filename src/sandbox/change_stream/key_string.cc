#include "sandbox/change_stream/key_string.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "sandbox/change_stream/key_string_types.h"

namespace tidemark::sandbox {
namespace {

using namespace key_string_types;

uint8_t class_of(bson_type_t type) {
  switch (type) {
    case BSON_TYPE_MINKEY:
      return kMinKey;
    case BSON_TYPE_UNDEFINED:
      return kUndefined;
    case BSON_TYPE_NULL:
      return kNull;
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DECIMAL128:
      return kNumeric;
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
      return kStringLike;
    case BSON_TYPE_DOCUMENT:
      return kObject;
    case BSON_TYPE_ARRAY:
      return kArray;
    case BSON_TYPE_BINARY:
      return kBinary;
    case BSON_TYPE_OID:
      return kObjectId;
    case BSON_TYPE_BOOL:
      return kBool;
    case BSON_TYPE_DATE_TIME:
      return kDate;
    case BSON_TYPE_TIMESTAMP:
      return kTimestamp;
    case BSON_TYPE_REGEX:
      return kRegex;
    case BSON_TYPE_DBPOINTER:
      return kDbPointer;
    case BSON_TYPE_CODE:
      return kCode;
    case BSON_TYPE_CODEWSCOPE:
      return kCodeWithScope;
    case BSON_TYPE_MAXKEY:
      return kMaxKey;
    case BSON_TYPE_EOD:
      break;
  }
  return kMinKey;
}

double to_double(const bson_decimal128_t& decimal) {
  char text[BSON_DECIMAL128_STRING];
  bson_decimal128_to_string(&decimal, text);
  return std::strtod(text, nullptr);
}

// The two type bits of a number.
constexpr int kIntBits = 0;
constexpr int kLongBits = 1;
constexpr int kDoubleBits = 2;
constexpr int kDecimalBits = 3;

}  // namespace

void KeyStringWriter::big_endian(uint64_t value, int count, bool invert) {
  for (int i = count - 1; i >= 0; --i) {
    const auto b = static_cast<uint8_t>(value >> (8 * i));
    byte(invert ? static_cast<uint8_t>(~b) : b);
  }
}

void KeyStringWriter::timestamp(bson::Timestamp value) {
  byte(kTimestamp);
  big_endian(value.seconds, 4, false);
  big_endian(value.increment, 4, false);
}

// REQUIRES 0 < value < 2^63. The lowest bit that is written says whether a fraction follows.
void KeyStringWriter::magnitude(uint64_t value, bool negative, bool fraction) {
  const uint64_t shifted = (value << 1) | (fraction ? 1 : 0);
  const int count = (64 - std::countl_zero(shifted) + 7) / 8;
  byte(static_cast<uint8_t>(negative ? kNegative1Byte - (count - 1) : kPositive1Byte + (count - 1)));
  big_endian(shifted, count, negative);
}

void KeyStringWriter::integer(int64_t value) {
  if (value == 0) {
    byte(kZero);
  } else if (value == INT64_MIN) {
    number(static_cast<double>(value));
  } else {
    magnitude(static_cast<uint64_t>(value < 0 ? -value : value), value < 0, false);
  }
}

void KeyStringWriter::number(double value) {
  if (std::isnan(value)) return byte(kNaN);
  if (value == 0) return byte(kZero);
  const bool negative = value < 0;
  const double size = std::fabs(value);
  if (size < 1) {
    byte(negative ? kNegativeSmall : kPositiveSmall);
    return big_endian(std::bit_cast<uint64_t>(size), 8, negative);
  }
  if (size >= 0x1p63) {
    byte(negative ? kNegativeLarge : kPositiveLarge);
    return big_endian(std::bit_cast<uint64_t>(size), 8, negative);
  }
  const auto whole = static_cast<uint64_t>(size);
  const double fraction = size - static_cast<double>(whole);
  magnitude(whole, negative, fraction != 0);
  if (fraction != 0) big_endian(static_cast<uint64_t>(fraction * 0x1p63), 8, negative);
}

void KeyStringWriter::boolean(bool value) { byte(static_cast<uint8_t>(kBool + (value ? 1 : 0))); }
void KeyStringWriter::null() { byte(kNull); }
void KeyStringWriter::uuid(const Uuid& value) {
  binary(value.data(), static_cast<uint32_t>(value.size()), BSON_SUBTYPE_UUID);
}
void KeyStringWriter::begin_object() { byte(kObject); }
void KeyStringWriter::end_object() { byte(0); }
void KeyStringWriter::end() { byte(KeyStringReader::kEnd); }

void KeyStringWriter::field_string(std::string_view name, std::string_view value) {
  byte(kStringLike);
  bytes_ += name;
  byte(0);
  byte(kStringLike);
  type_bit(false);
  text(value);
}

void KeyStringWriter::field_object(std::string_view name, bson::View document) {
  byte(kObject);
  bytes_ += name;
  byte(0);
  object(document);
}

void KeyStringWriter::object(bson::View document) {
  byte(kObject);
  elements(document, true);
  byte(0);
}

void KeyStringWriter::elements(bson::View document, bool named) {
  for (const bson::Element element : document) {
    if (named) {
      byte(class_of(element.type()));
      bytes_ += element.key();
      byte(0);
    }
    value(element);
  }
}

// A zero byte inside becomes 00 FF, so that the end, 00, sorts before everything.
void KeyStringWriter::text(std::string_view value) {
  for (size_t zero; (zero = value.find('\0')) != std::string_view::npos; value.remove_prefix(zero + 1)) {
    bytes_ += value.substr(0, zero + 1);
    byte(0xFF);
  }
  bytes_ += value;
  byte(0);
}

void KeyStringWriter::binary(const uint8_t* data, uint32_t size, uint8_t subtype) {
  byte(kBinary);
  if (size < 0xFF) {
    byte(static_cast<uint8_t>(size));
  } else {
    byte(0xFF);
    big_endian(size, 4, false);
  }
  byte(subtype);
  bytes_.append(reinterpret_cast<const char*>(data), size);
}

void KeyStringWriter::type_bit(bool value) {
  if (type_bit_count_ % 8 == 0) type_bits_.push_back('\0');
  if (value) {
    type_bits_.back() =
        static_cast<char>(static_cast<uint8_t>(type_bits_.back()) | (1U << (type_bit_count_ % 8)));
  }
  ++type_bit_count_;
}

std::string KeyStringWriter::type_bits() const {
  if (type_bits_.find_first_not_of('\0') == std::string::npos) return {};
  // One byte without its high bit stands for itself; anything longer is preceded by its length.
  if (type_bits_.size() == 1 && static_cast<uint8_t>(type_bits_[0]) < 0x80) return type_bits_;
  return static_cast<char>(0x80 | (type_bits_.size() & 0x7F)) + type_bits_;
}

void KeyStringWriter::value(const bson::Element& element) {
  const auto number_bits = [this](int bits) {
    type_bit((bits & 1) != 0);
    type_bit((bits & 2) != 0);
  };
  bson_decimal128_t decimal;
  switch (element.type()) {
    case BSON_TYPE_INT32:
      number_bits(kIntBits);
      return integer(bson_iter_int32(&element.iter()));
    case BSON_TYPE_INT64:
      number_bits(kLongBits);
      return integer(bson_iter_int64(&element.iter()));
    case BSON_TYPE_DOUBLE:
      number_bits(kDoubleBits);
      return number(bson_iter_double(&element.iter()));
    case BSON_TYPE_DECIMAL128:
      number_bits(kDecimalBits);
      bson_iter_decimal128(&element.iter(), &decimal);
      return number(to_double(decimal));
    case BSON_TYPE_UTF8:
      byte(kStringLike);
      type_bit(false);
      return text(element.string());
    case BSON_TYPE_SYMBOL:
      byte(kStringLike);
      type_bit(true);
      return text(element.string());
    case BSON_TYPE_DOCUMENT:
      return object(element.document());
    case BSON_TYPE_ARRAY:
      byte(kArray);
      elements(element.document(), false);
      return byte(0);
    case BSON_TYPE_BINARY:
      return binary(element.binary().bytes.data(), static_cast<uint32_t>(element.binary().bytes.size()),
                    element.binary().subtype);
    case BSON_TYPE_OID:
      byte(kObjectId);
      bytes_.append(reinterpret_cast<const char*>(bson_iter_oid(&element.iter())->bytes), 12);
      return;
    case BSON_TYPE_BOOL:
      return boolean(bson_iter_bool(&element.iter()));
    case BSON_TYPE_DATE_TIME:
      byte(kDate);
      // Flipping the sign makes the bytes of negative dates sort first.
      return big_endian(static_cast<uint64_t>(bson_iter_date_time(&element.iter())) ^ (1ULL << 63), 8, false);
    case BSON_TYPE_TIMESTAMP: {
      bson::Timestamp ts;
      bson_iter_timestamp(&element.iter(), &ts.seconds, &ts.increment);
      return timestamp(ts);
    }
    case BSON_TYPE_REGEX:
      byte(kRegex);
      bytes_.append(element.regex().pattern).push_back('\0');
      bytes_.append(element.regex().options).push_back('\0');
      return;
    case BSON_TYPE_DBPOINTER:
      byte(kDbPointer);
      big_endian(element.db_pointer().collection.size(), 4, false);
      bytes_.append(element.db_pointer().collection);
      bytes_.append(reinterpret_cast<const char*>(element.db_pointer().id.data()), 12);
      return;
    case BSON_TYPE_CODE:
      byte(kCode);
      return text(element.string());
    case BSON_TYPE_CODEWSCOPE:
      byte(kCodeWithScope);
      text(element.scoped_code().code);
      return object(element.scoped_code().scope);
    case BSON_TYPE_NULL:
      return null();
    case BSON_TYPE_UNDEFINED:
      return byte(kUndefined);
    case BSON_TYPE_MINKEY:
      return byte(kMinKey);
    case BSON_TYPE_MAXKEY:
      return byte(kMaxKey);
    case BSON_TYPE_EOD:
      return;
  }
}

void append_hex(std::string_view bytes, std::string& out) {
  static constexpr auto kPairs = [] {
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::array<std::array<char, 2>, 256> pairs{};
    for (size_t i = 0; i < 256; ++i) pairs[i] = {kDigits[i >> 4], kDigits[i & 15]};
    return pairs;
  }();
  const size_t start = out.size();
  out.resize(start + 2 * bytes.size());
  char* to = out.data() + start;
  for (const char c : bytes) {
    std::memcpy(to, kPairs[static_cast<uint8_t>(c)].data(), 2);
    to += 2;
  }
}

bool parse_hex(std::string_view hex, std::string& out) {
  if (hex.size() % 2 != 0) return false;
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  out.clear();
  out.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

}  // namespace tidemark::sandbox
