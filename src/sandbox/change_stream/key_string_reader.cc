#include <cstring>

#include "sandbox/change_stream/key_string.h"
#include "sandbox/change_stream/key_string_types.h"

namespace tidemark::sandbox {
namespace {

using namespace key_string_types;

constexpr int kDepthMax = 200;  // BSON itself nests no deeper

}  // namespace

bool KeyStringReader::is_number(uint8_t type) { return type >= kNaN && type <= kPositiveLarge; }
bool KeyStringReader::is_boolean(uint8_t type) { return type == kBool || type == kBool + 1; }

Reply<std::string_view> KeyStringReader::take(size_t count) {
  const size_t left = bytes_.size() - position_;
  if (count > left) {
    return command_error(15, "Invalid advance (" + std::to_string(count) + ") past end of buffer[" +
                                 std::to_string(left) + "] at offset: 0");
  }
  const std::string_view taken = bytes_.substr(position_, count);
  position_ += count;
  return taken;
}

Reply<bson::Timestamp> KeyStringReader::timestamp() {
  auto bytes = take(9);
  if (!bytes) return tl::unexpected(bytes.error());
  uint64_t value = 0;
  for (const char c : bytes->substr(1)) value = value << 8 | static_cast<uint8_t>(c);
  return bson::Timestamp{static_cast<uint32_t>(value >> 32), static_cast<uint32_t>(value)};
}

Reply<bool> KeyStringReader::boolean() {
  auto byte = take(1);
  if (!byte) return tl::unexpected(byte.error());
  return static_cast<uint8_t>(byte->front()) == kBool + 1;
}

Reply<int64_t> KeyStringReader::integer() {
  auto type = take(1);
  if (!type) return tl::unexpected(type.error());
  const auto t = static_cast<uint8_t>(type->front());
  if (t == kZero) return 0;
  const bool negative = t <= kNegative1Byte;
  const int count = negative ? kNegative1Byte - t + 1 : t - kPositive1Byte + 1;
  if (count < 1 || count > 8)
    return command_error(50811, "KeyString format error: Unknown type: " + std::to_string(t));
  auto bytes = take(static_cast<size_t>(count));
  if (!bytes) return tl::unexpected(bytes.error());
  uint64_t value = 0;
  for (const char c : *bytes)
    value = value << 8 | (negative ? static_cast<uint8_t>(~c) : static_cast<uint8_t>(c));
  const auto whole = static_cast<int64_t>(value >> 1);
  return negative ? -whole : whole;
}

Reply<Uuid> KeyStringReader::uuid() {
  auto head = take(3);
  if (!head) return tl::unexpected(head.error());
  if (static_cast<uint8_t>((*head)[1]) != 16 || static_cast<uint8_t>((*head)[2]) != BSON_SUBTYPE_UUID) {
    return command_error(207, "uuid must be a 16-byte binary field with UUID (4) subtype");
  }
  auto bytes = take(16);
  if (!bytes) return tl::unexpected(bytes.error());
  Uuid uuid;
  std::memcpy(uuid.data(), bytes->data(), uuid.size());
  return uuid;
}

Reply<std::string_view> KeyStringReader::any() {
  const size_t start = position_;
  if (auto skipped = skip_value(0); !skipped) return tl::unexpected(skipped.error());
  return bytes_.substr(start, position_ - start);
}

Reply<void> KeyStringReader::skip_text() {
  for (;;) {
    const size_t zero = bytes_.find('\0', position_);
    if (zero == std::string_view::npos)
      return command_error(50816, "KeyString format error: Expected string terminator");
    position_ = zero + 1;
    if (position_ >= bytes_.size() || static_cast<uint8_t>(bytes_[position_]) != 0xFF) return {};
    ++position_;
  }
}

Reply<void> KeyStringReader::skip_name() {
  const size_t zero = bytes_.find('\0', position_);
  if (zero == std::string_view::npos)
    return command_error(50816, "KeyString format error: Expected string terminator");
  position_ = zero + 1;
  return {};
}

Reply<void> KeyStringReader::skip_number(uint8_t type) {
  if (type == kNaN || type == kZero) return {};
  if (type == kNegativeLarge || type == kNegativeSmall || type == kPositiveSmall || type == kPositiveLarge) {
    if (auto bytes = take(8); !bytes) return tl::unexpected(bytes.error());
    return {};
  }
  const bool negative = type <= kNegative1Byte;
  const int count = negative ? kNegative1Byte - type + 1 : type - kPositive1Byte + 1;
  static_assert(kPositive8Byte - kPositive1Byte + 1 == 8);
  auto bytes = take(static_cast<size_t>(count));
  if (!bytes) return tl::unexpected(bytes.error());
  const auto last = static_cast<uint8_t>(bytes->back());
  const bool fraction = ((negative ? static_cast<uint8_t>(~last) : last) & 1) != 0;
  if (fraction) {
    if (auto rest = take(8); !rest) return tl::unexpected(rest.error());
  }
  return {};
}

Reply<void> KeyStringReader::skip_value(int depth) {
  if (depth > kDepthMax) return command_error(15, "KeyString format error: nested too deeply");
  auto head = take(1);
  if (!head) return tl::unexpected(head.error());
  const auto type = static_cast<uint8_t>(head->front());
  const auto fixed = [this](size_t count) -> Reply<void> {
    if (auto bytes = take(count); !bytes) return tl::unexpected(bytes.error());
    return {};
  };
  if (is_number(type)) return skip_number(type);
  switch (type) {
    case kMinKey:
    case kUndefined:
    case kNull:
    case kBool:
    case kBool + 1:
    case kMaxKey:
      return {};
    case kStringLike:
    case kCode:
      return skip_text();
    case kObjectId:
      return fixed(12);
    case kDate:
    case kTimestamp:
      return fixed(8);
    case kRegex:
      if (auto pattern = skip_name(); !pattern) return pattern;
      return skip_name();
    case kCodeWithScope:
      if (auto code = skip_text(); !code) return code;
      return skip_value(depth + 1);
    case kBinary:
    case kDbPointer: {
      size_t size = 0;
      bool wide = type == kDbPointer;
      if (!wide) {
        auto short_size = take(1);
        if (!short_size) return tl::unexpected(short_size.error());
        size = static_cast<uint8_t>(short_size->front());
        wide = size == 0xFF;
      }
      if (wide) {
        auto long_size = take(4);
        if (!long_size) return tl::unexpected(long_size.error());
        size = 0;
        for (const char c : *long_size) size = size << 8 | static_cast<uint8_t>(c);
      }
      return fixed(size + (type == kDbPointer ? 12 : 1));
    }
    case kObject:
    case kArray:
      for (;;) {
        auto mark = take(1);
        if (!mark) return tl::unexpected(mark.error());
        if (mark->front() == '\0') return {};
        if (type == kObject) {
          if (auto name = skip_name(); !name) return name;
        } else {
          --position_;  // an array's items have no mark of their own
        }
        if (auto value = skip_value(depth + 1); !value) return value;
      }
    default:
      return command_error(50811, "KeyString format error: Unknown type: " + std::to_string(type));
  }
}

}  // namespace tidemark::sandbox
