// The type bytes of KeyStrings, in the server's order of types. Constants.
#pragma once

#include <cstdint>

#include "sandbox/change_stream/key_string.h"

namespace tidemark::sandbox::key_string_types {

inline constexpr uint8_t kMinKey = 10;
inline constexpr uint8_t kUndefined = 15;
inline constexpr uint8_t kNull = KeyStringReader::kNullType;
inline constexpr uint8_t kNumeric = 30;
inline constexpr uint8_t kNaN = kNumeric + 0;
inline constexpr uint8_t kNegativeLarge = kNumeric + 1;
inline constexpr uint8_t kNegative1Byte = kNumeric + 9;
inline constexpr uint8_t kNegativeSmall = kNumeric + 10;
inline constexpr uint8_t kZero = kNumeric + 11;
inline constexpr uint8_t kPositiveSmall = kNumeric + 12;
inline constexpr uint8_t kPositive1Byte = kNumeric + 13;
inline constexpr uint8_t kPositive8Byte = kNumeric + 20;
inline constexpr uint8_t kPositiveLarge = kNumeric + 21;
inline constexpr uint8_t kStringLike = 60;
inline constexpr uint8_t kObject = KeyStringReader::kObjectType;
inline constexpr uint8_t kArray = 80;
inline constexpr uint8_t kBinary = KeyStringReader::kBinaryType;
inline constexpr uint8_t kObjectId = 100;
inline constexpr uint8_t kBool = 110;
inline constexpr uint8_t kDate = 120;
inline constexpr uint8_t kTimestamp = KeyStringReader::kTimestampType;
inline constexpr uint8_t kRegex = 140;
inline constexpr uint8_t kDbPointer = 150;
inline constexpr uint8_t kCode = 160;
inline constexpr uint8_t kCodeWithScope = 170;
inline constexpr uint8_t kMaxKey = 240;

}  // namespace tidemark::sandbox::key_string_types
