#include "chaos/documents.h"

#include <string>
#include <vector>

#include <fmt/format.h>

#include "support/mongo.h"

namespace tidemark::chaos {
namespace {

constexpr uint64_t kDoubleTenth = 18, kDecimalTenth = 19, kDoubledName = 21;
// The first integer that a double can't hold.
constexpr int64_t kBeyondDoubles = 9'007'199'254'740'993;

bson::Document parse(const std::string& json) { return testing::json(json); }

std::vector<uint8_t> bytes(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

// A string of these very bytes, UTF-8 or not.
std::vector<uint8_t> text_value(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size() + 1);
  std::vector<uint8_t> value;
  value.reserve(text.size() + 5);
  for (int i = 0; i < 4; ++i) value.push_back(static_cast<uint8_t>(size >> (8 * i)));
  for (const char c : text) value.push_back(static_cast<uint8_t>(c));
  value.push_back(0);
  return value;
}

bson::Document odd_id(uint8_t type, std::span<const uint8_t> value) {
  bson::Builder out;
  out.append_raw("_id", type, value);
  return out.finish();
}

// One number in each of its types.
bson::Document number_id(int64_t value, int form) {
  bson::Builder out;
  if (form == 0) out.append("_id", static_cast<int32_t>(value));
  if (form == 1) out.append("_id", value);
  if (form == 2) out.append("_id", static_cast<double>(value));
  if (form == 3) return parse(fmt::format("{{\"_id\": {{\"$numberDecimal\": \"{}\"}}}}", value));
  return out.finish();
}

// Numbers that a careless comparison takes for one, and no server does: 0.1 as a double and as a Decimal128, and a double
// next to the longs of slot 7.
bson::Document neighbour_id(uint64_t slot, int generation) {
  if (slot == kDoubleTenth) return bson::Builder().append("_id", generation + 0.1).finish();
  if (slot == kDecimalTenth)
    return parse(fmt::format("{{\"_id\": {{\"$numberDecimal\": \"{}.1\"}}}}", generation));
  return bson::Builder()
      .append("_id", static_cast<double>(kBeyondDoubles - 1 + 7'000 + 2 * generation))
      .finish();
}

// Ids of several types. Among them what no driver makes: texts that differ in one byte that isn't UTF-8, a binary of subtype
// 2 without its inner length, a symbol.
bson::Document usual_id(uint64_t slot, int generation) {
  switch (slot % 8) {
    case 0:
      return parse(fmt::format("{{\"_id\": {}}}", slot * 1000 + static_cast<uint64_t>(generation)));
    case 1:
      return parse(fmt::format("{{\"_id\": \"order {}.{} | 'quoted' \\\\ é\"}}", slot, generation));
    case 2:
      return parse(
          fmt::format("{{\"_id\": {{\"$oid\": \"65f00000000000000000{:02x}{:02x}\"}}}}", slot, generation));
    case 3:
      return parse(fmt::format("{{\"_id\": {{\"shop\": \"s{}\", \"number\": {}}}}}", slot, generation));
    case 4:
      return odd_id(BSON_TYPE_UTF8,
                    text_value(fmt::format("caf{}{}", slot < 8 ? '\xe8' : '\xe9', generation)));
    case 5: {
      // Not at the top: libmongoc would not find such an _id, and make one.
      bson::Builder inner;
      inner.append_raw("b", BSON_TYPE_BINARY, bytes({3, 0, 0, 0, 2, static_cast<int>(slot), generation, 7}));
      bson::Builder out;
      out.append("_id", inner.view());
      return out.finish();
    }
    case 6:
      return odd_id(BSON_TYPE_SYMBOL, text_value(fmt::format("s{}.{}", slot, generation)));
    default:
      return parse(fmt::format("{{\"_id\": {{\"$numberLong\": \"{}\"}}}}",
                               kBeyondDoubles + static_cast<int64_t>(slot) * 1000 + generation));
  }
}

// A value that a text can lose: each is in the documents of its turn.
void append_odd(bson::Builder& out, int64_t n) {
  switch (n % 7) {
    case 0:
      out.append_raw("odd", BSON_TYPE_UTF8, text_value("not UTF-8: \xff\xc3"));
      break;
    case 1:
      out.append_raw("odd", BSON_TYPE_BINARY, bytes({2, 0, 0, 0, 2, 9, static_cast<int>(n & 0x7f)}));
      break;
    case 2: {
      bson::Builder literal;
      literal.append("$numberInt", "7");
      out.append("odd", literal.view());
      break;
    }
    case 3:
      out.append_raw("odd", BSON_TYPE_UNDEFINED, {});
      break;
    case 4:
      out.append_raw("odd", BSON_TYPE_SYMBOL, text_value("legacy"));
      break;
    case 5:
      out.append("odd", -0.0);
      break;
    default:
      break;
  }
}

// Once at the top and once within.
void append_doubled(bson::Builder& out, int64_t n) {
  if (n % 4 == 1) {
    out.append("twice", n).append("twice", "again");
    return;
  }
  bson::Builder inner;
  inner.append("at", n).append("at", "again");
  out.append("nested", inner.view());
}

}  // namespace

bool has_forms(uint64_t slot) { return slot == 16 || slot == 17; }

bool doubles_a_name(uint64_t slot, int64_t n) { return slot == kDoubledName && n % 2 == 1; }

bson::Document id_of(uint64_t slot, int generation, int form) {
  if (slot < 16) return usual_id(slot, generation);
  if (has_forms(slot)) return number_id(static_cast<int64_t>(slot) * 1000 + generation, form);
  if (slot == kDoubledName) return parse(fmt::format("{{\"_id\": \"doubled {}\"}}", generation));
  return neighbour_id(slot, generation);
}

bson::Document document_of(const bson::Document& id, uint64_t slot, int64_t n, bool literals) {
  bson::Builder out;
  out.concat(id);
  out.concat(parse(fmt::format(
      "{{\"v\": {}, \"total\": {{\"$numberDecimal\": \"{}.90\"}}, \"ratio\": "
      "{}, \"when\": {{\"$date\": "
      "{{\"$numberLong\": \"{}\"}}}}, \"lines\": [{{\"sku\": \"p{}\"}}, null, "
      "true]}}",
      n, n % 1000, n % 3 == 0 ? "{\"$numberDouble\": \"NaN\"}" : "0.5", 1'700'000'000'000 + n, n % 7)));
  if (literals || n % 7 != 2) append_odd(out, n);
  if (doubles_a_name(slot, n)) append_doubled(out, n);
  return out.finish();
}

}  // namespace tidemark::chaos
