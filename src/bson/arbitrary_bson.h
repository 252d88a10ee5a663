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
  explicit ArbitraryBson(std::vector<uint32_t> choices) : choices_(std::move(choices)) {}

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
};

}  // namespace tidemark::bson
