// Documents for property tests, built from a stream of choices, so that RapidCheck shrinks the choices and
// thereby the document. For tests only.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "bson/document.h"

namespace tidemark::bson {

class ArbitraryBson {
 public:
  // kFramed: whatever a server stores, well-formed or not: text that is no UTF-8, the deprecated types, odd bytes in every
  // type that has room for them, names that look like Extended JSON, doubled names, arrays whose keys are no indexes.
  // kStored: those of them that a server takes: it refuses a boolean other than 0 and 1.
  enum class Kind { kPlain, kFramed, kStored };

  explicit ArbitraryBson(std::vector<uint32_t> choices, Kind kind = Kind::kPlain)
      : choices_(std::move(choices)), odd_(kind != Kind::kPlain), odd_booleans_(kind == Kind::kFramed) {}

  Document document() {
    Builder builder;
    fields(builder, 0, false);
    return builder.finish();
  }
  // {"v": some value}
  Document value() {
    Builder builder;
    append(builder, "v", 0);
    return builder.finish();
  }
  uint32_t choose(uint32_t below) { return at_ < choices_.size() ? choices_[at_++] % below : 0; }

  void append(Builder& builder, const std::string& key, int depth) {
    if (odd_ && choose(2) == 1) return append_odd(builder, key, depth);
    bson_t* raw = builder.raw();
    switch (choose(depth < 3 ? 20 : 16)) {
      case 0:
        builder.append_null(key);
        return;
      case 1:
      case 2:
        builder.append(key, static_cast<int32_t>(choose(5)) - 2);
        return;
      case 3:
        builder.append(key, pick<int64_t>({0, 1, -1, INT64_MAX, INT64_MIN, (int64_t{1} << 53) + 1,
                                           -(int64_t{1} << 53) - 1, (int64_t{1} << 60) + 1, 3}));
        return;
      case 4:
      case 5:
        builder.append(key, pick<double>({0.0, -0.0, 0.1, 1.0, -1.0, 1.5, 0x1p53, 0x1p63, -0x1p63, 1e300,
                                          5e-324, std::numeric_limits<double>::quiet_NaN(),
                                          std::numeric_limits<double>::infinity(),
                                          -std::numeric_limits<double>::infinity()}));
        return;
      case 6:
      case 7: {
        bson_decimal128_t decimal;
        bson_decimal128_from_string(
            pick<const char*>({"0", "-0", "1", "1.0", "0.1", "-0.1", "1.5", "9007199254740993",
                               "9223372036854775807", "1E+400", "-1E+400", "1E-400", "NaN", "Infinity",
                               "-Infinity", "-1E-6000", "0.1000000000000000055511151231257827",
                               "1152921504606846977"}),
            &decimal);
        bson_append_decimal128(raw, key.c_str(), -1, &decimal);
        return;
      }
      case 8:
      case 9:
        builder.append(key, text());
        return;
      case 10:
        builder.append(key, choose(2) == 1);
        return;
      case 11:
        builder.append_date(key, static_cast<int64_t>(choose(5)) - 2);
        return;
      case 12:
        builder.append_timestamp(key, choose(3), choose(3));
        return;
      case 13: {
        const uint8_t bytes[3] = {static_cast<uint8_t>(choose(3)), 0, 255};
        bson_append_binary(raw, key.c_str(), -1, choose(2) == 0 ? BSON_SUBTYPE_BINARY : BSON_SUBTYPE_USER,
                           bytes, choose(4));
        return;
      }
      case 14: {
        bson_oid_t oid{};
        oid.bytes[11] = static_cast<uint8_t>(choose(3));
        bson_append_oid(raw, key.c_str(), -1, &oid);
        return;
      }
      case 15:
        switch (choose(4)) {
          case 0:
            bson_append_minkey(raw, key.c_str(), -1);
            return;
          case 1:
            bson_append_maxkey(raw, key.c_str(), -1);
            return;
          case 2:
            bson_append_regex(raw, key.c_str(), -1, choose(2) == 0 ? "a" : "b", choose(2) == 0 ? "" : "i");
            return;
          default:
            bson_append_undefined(raw, key.c_str(), -1);
            return;
        }
      case 16:
      case 17: {
        Builder inner;
        fields(inner, depth + 1, false);
        builder.append(key, inner.view());
        return;
      }
      default: {
        Builder inner;
        fields(inner, depth + 1, true);
        builder.append_array(key, inner.view());
        return;
      }
    }
  }

 private:
  template <class T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + choose(static_cast<uint32_t>(values.size())));
  }

  // A string in BSON: length, bytes, terminator.
  static void put_string(std::string& out, std::string_view text) {
    put_u32(out, static_cast<uint32_t>(text.size() + 1));
    out.append(text).push_back('\0');
  }
  static void put_u32(std::string& out, uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
  }
  void put_noise(std::string& out, size_t count) {
    static const std::string kBytes("\0\1\x02\x7f\x80\xff\xf8i", 8);
    for (size_t i = 0; i < count; ++i) out.push_back(kBytes[choose(8)]);
  }

  void append_odd(Builder& builder, const std::string& key, int depth) {
    std::string bytes;
    uint8_t type = 0;
    switch (choose(12)) {
      case 0:
        type = pick<uint8_t>({BSON_TYPE_UTF8, BSON_TYPE_SYMBOL, BSON_TYPE_CODE});
        put_string(bytes, text());
        break;
      case 1: {
        type = BSON_TYPE_BINARY;
        std::string data;
        // Often the deprecated form, with an inner length that may be right, wrong or missing.
        const bool deprecated = choose(2) == 1;
        if (deprecated && choose(2) == 1) put_u32(data, choose(4));
        put_noise(data, choose(6));
        put_u32(bytes, static_cast<uint32_t>(data.size()));
        bytes.push_back(deprecated ? '\2' : static_cast<char>(choose(256)));
        bytes += data;
        break;
      }
      case 2:
        type = BSON_TYPE_BOOL;
        bytes.push_back(static_cast<char>(choose(odd_booleans_ ? 256 : 2)));
        break;
      case 3:  // anything, and NaNs of every kind
        type = BSON_TYPE_DOUBLE;
        put_noise(bytes, 6);
        bytes += choose(2) == 1 ? std::string("\xf8\x7f") : std::string("\xf1\xff");
        break;
      case 4:
        type = BSON_TYPE_DECIMAL128;
        for (int i = 0; i < 16; ++i) bytes.push_back(static_cast<char>(choose(256)));
        break;
      case 5: {
        type = BSON_TYPE_REGEX;
        for (int part = 0; part < 2; ++part) {
          std::string cstring = part == 1 && choose(2) == 1 ? "xsi" : text();
          std::erase(cstring, '\0');
          bytes += cstring;
          bytes.push_back('\0');
        }
        break;
      }
      case 6:
        type = BSON_TYPE_DBPOINTER;
        put_string(bytes, text());
        put_noise(bytes, 12);
        break;
      case 7: {
        type = BSON_TYPE_CODEWSCOPE;
        Builder scope;
        fields(scope, depth + 1, false);
        std::string parts;
        put_string(parts, text());
        parts.append(reinterpret_cast<const char*>(scope.view().data()), scope.view().size());
        put_u32(bytes, static_cast<uint32_t>(parts.size() + 4));
        bytes += parts;
        break;
      }
      case 8:
        type = pick<uint8_t>({BSON_TYPE_INT64, BSON_TYPE_DATE_TIME, BSON_TYPE_TIMESTAMP, BSON_TYPE_DOUBLE});
        put_noise(bytes, 8);
        break;
      case 9:
        type = pick<uint8_t>({BSON_TYPE_MINKEY, BSON_TYPE_MAXKEY, BSON_TYPE_UNDEFINED, BSON_TYPE_NULL});
        break;
      default: {  // documents and arrays that look like Extended JSON, or whose keys are odd
        type = pick<uint8_t>({BSON_TYPE_DOCUMENT, BSON_TYPE_ARRAY});
        Builder inner;
        if (depth < 4) odd_fields(inner, depth + 1);
        bytes.assign(reinterpret_cast<const char*>(inner.view().data()), inner.view().size());
      }
    }
    builder.append_raw(key, type, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }

  void odd_fields(Builder& builder, int depth) {
    static const std::vector<std::string> kNames{"0",       "1",      "00",    "$numberInt", "$oid",
                                                 "$code",   "$scope", "$bson", "$date",      "$ref",
                                                 "$schema", "",       "a",     "\xff"};
    const uint32_t count = choose(4);
    for (uint32_t i = 0; i < count; ++i)
      append(builder, kNames[choose(static_cast<uint32_t>(kNames.size()))], depth);
  }

  std::string text() {
    static const std::vector<std::string> kTexts{
        "", "a", "b", "ab", std::string("a\0", 2), std::string("a\0b", 3), "\xff", "\xc3\xa9"};
    return kTexts[choose(static_cast<uint32_t>(kTexts.size()))];
  }

  void fields(Builder& builder, int depth, bool array) {
    static const char* const kNames[] = {"a", "b", "c", "d"};
    const uint32_t count = choose(5);
    for (uint32_t i = 0; i < count; ++i) {
      if (array)
        append(builder, std::to_string(i), depth);
      else if (const char* name = kNames[choose(4)]; !builder.view().find(name))
        append(builder, name, depth);
    }
  }

  std::vector<uint32_t> choices_;
  size_t at_ = 0;
  bool odd_ = false;
  bool odd_booleans_ = false;
};

}  // namespace tidemark::bson
