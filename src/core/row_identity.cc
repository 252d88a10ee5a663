#include "core/row_identity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/digest.h"
#include "bson/compare.h"
#include "bson/decimal_text.h"
#include "bson/json.h"

namespace tidemark {
namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0xbf58476d1ce4e5b9;
  return hash ^ (hash >> 29);
}

uint64_t hash_text(std::string_view text) {
  return hash64(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

std::string decimal_text(const bson::Element& value) {
  bson_decimal128_t decimal;
  bson_iter_decimal128(&value.iter(), &decimal);
  char text[BSON_DECIMAL128_STRING];
  bson_decimal128_to_string(&decimal, text);
  return text;
}

// The nearest double: equal numbers have the same one, whatever their types.
double as_double(const bson::Element& value) {
  switch (value.type()) {
    case BSON_TYPE_INT32:
      return bson_iter_int32(&value.iter());
    case BSON_TYPE_INT64:
      return static_cast<double>(bson_iter_int64(&value.iter()));
    case BSON_TYPE_DOUBLE:
      return bson_iter_double(&value.iter());
    default: {
      bson_decimal128_t decimal;
      bson_iter_decimal128(&value.iter(), &decimal);
      char text[BSON_DECIMAL128_STRING];
      bson_decimal128_to_string(&decimal, text);
      return std::strtod(text, nullptr);
    }
  }
}

uint64_t hash_value(const bson::Element& value, int depth);

uint64_t hash_document(bson::View document, bool names, int depth) {
  uint64_t hash = 0x9e3779b97f4a7c15;
  // As deep as a server lets documents be.
  if (depth > 200) return hash;
  for (const bson::Element field : document) {
    if (names) hash = mix(hash, hash_text(field.key()));
    hash = mix(hash, hash_value(field, depth + 1));
  }
  return hash;
}

uint64_t hash_value(const bson::Element& value, int depth) {
  const auto bracket = static_cast<uint64_t>(bson::canonical_type(value.type()));
  switch (value.type()) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_DECIMAL128: {
      double number = as_double(value);
      if (number == 0) number = 0;  // -0.0
      return mix(bracket, std::isnan(number) ? 1 : std::bit_cast<uint64_t>(number));
    }
    case BSON_TYPE_UTF8:
    case BSON_TYPE_SYMBOL:
      return mix(bracket, hash_text(value.string()));
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
      return mix(bracket, hash_document(value.document(), value.is_document(), depth));
    case BSON_TYPE_CODEWSCOPE:  // holds a document; too odd a key to be told apart
      return bracket;
    default:
      return mix(bracket, hash64(value.value_bytes()));
  }
}

bool same_bytes(const bson::Element& a, const bson::Element& b) {
  return a.type() == b.type() && std::ranges::equal(a.value_bytes(), b.value_bytes());
}

// --- other forms

// digits * 10^exponent, digits without trailing zeros; "0" for zero.
struct Exact {
  bool negative = false;
  std::string digits;
  int exponent = 0;
};

// Reads "-1.500", "1E+3", "0.25"; false for NaN and infinities, which have one form in each type.
bool read_exact(std::string_view text, Exact& out) {
  if (!text.empty() && text.front() == '-') {
    out.negative = true;
    text.remove_prefix(1);
  }
  int after_point = -1;
  size_t at = 0;
  for (; at < text.size() && text[at] != 'E' && text[at] != 'e'; ++at) {
    if (text[at] == '.') {
      after_point = 0;
    } else if (text[at] >= '0' && text[at] <= '9') {
      out.digits.push_back(text[at]);
      if (after_point >= 0) ++after_point;
    } else {
      return false;
    }
  }
  if (at < text.size()) out.exponent = std::atoi(std::string(text.substr(at + 1)).c_str());
  out.exponent -= std::max(after_point, 0);
  out.digits.erase(0, std::min(out.digits.find_first_not_of('0'), out.digits.size()));
  while (!out.digits.empty() && out.digits.back() == '0') {
    out.digits.pop_back();
    ++out.exponent;
  }
  if (out.digits.empty()) {
    out.digits = "0";
    out.exponent = 0;
  }
  return true;
}

constexpr size_t kDecimalDigitsMax = 34;

// The bytes of one value, in a document of their own.
bson::Document holding(const bson::Element& value) {
  bson::Builder builder;
  return builder.append("", value).finish();
}

bson::Document holding_decimal(const bson_decimal128_t& decimal) {
  bson::Builder builder;
  bson_append_decimal128(builder.raw(), "", 0, &decimal);
  return builder.finish();
}

void add_decimals(const Exact& exact, bool shortest, std::vector<bson::Document>& out) {
  const size_t zeros = shortest ? 0 : kDecimalDigitsMax - std::min(exact.digits.size(), kDecimalDigitsMax);
  if (exact.digits.size() > kDecimalDigitsMax) return;
  const bool zero = exact.digits == "0";
  for (size_t padded = 0; padded <= zeros; ++padded) {
    const std::string digits = zero ? exact.digits : exact.digits + std::string(padded, '0');
    const std::string text = digits + "E" + std::to_string(exact.exponent - static_cast<int>(padded));
    for (const bool negative : {false, true}) {
      if (!zero && negative != exact.negative) continue;
      if (const auto decimal = bson::decimal_from_text((negative ? "-" : "") + text))
        out.push_back(holding_decimal(*decimal));
    }
  }
}

// Documents with one field each: the value in every type that can hold it exactly, itself included.
std::vector<bson::Document> forms_of_number(const bson::Element& value, bool shortest) {
  std::vector<bson::Document> out;
  Exact exact;
  std::string text;
  if (value.type() == BSON_TYPE_DECIMAL128) {
    text = decimal_text(value);
  } else if (value.type() == BSON_TYPE_DOUBLE) {
    // Every digit: enough for any double whose decimal expansion a Decimal128 could hold.
    char digits[128];
    std::snprintf(digits, sizeof digits, "%.60e", bson_iter_double(&value.iter()));
    text = digits;
  } else {
    text = std::to_string(*value.integer());
  }
  out.push_back(holding(value));
  const double nearest = as_double(value);
  const auto add_double = [&out](double number) {
    out.push_back(bson::Builder().append("", number).finish());
  };
  if (!read_exact(text, exact)) {
    add_double(nearest);
    const char* name = std::isnan(nearest) ? "NaN" : nearest < 0 ? "-Infinity" : "Infinity";
    out.push_back(holding_decimal(*bson::decimal_from_text(name)));
    return out;
  }
  add_double(nearest);
  if (nearest == 0) add_double(std::signbit(nearest) ? 0.0 : -0.0);
  if (exact.exponent >= 0 && exact.exponent < 20) {
    const std::string whole =
        (exact.negative ? "-" : "") + exact.digits + std::string(static_cast<size_t>(exact.exponent), '0');
    errno = 0;
    const int64_t number = std::strtoll(whole.c_str(), nullptr, 10);
    if (errno == 0) {
      out.push_back(bson::Builder().append("", number).finish());
      if (number >= INT32_MIN && number <= INT32_MAX)
        out.push_back(bson::Builder().append("", static_cast<int32_t>(number)).finish());
    }
  }
  add_decimals(exact, shortest, out);
  // The nearest double of a number that no double holds is another number.
  std::erase_if(out,
                [&](const bson::Document& form) { return bson::compare(*form.view().begin(), value) != 0; });
  return out;
}

size_t count_numbers(bson::View document, int depth = 0) {
  size_t count = 0;
  if (depth > 200) return count;
  for (const bson::Element field : document) {
    if (field.is_number()) ++count;
    if (field.is_document() || field.is_array()) count += count_numbers(field.document(), depth + 1);
  }
  return count;
}

std::vector<bson::Document> forms_of(const bson::Element& value, bool shortest, int depth);

std::vector<bson::Document> forms_of_document(const bson::Element& value, bool shortest, int depth) {
  // Field by field, every form so far with every form of the field.
  std::vector<bson::Document> all{bson::Builder().finish()};
  for (const bson::Element field : value.document()) {
    const auto forms = forms_of(field, shortest, depth + 1);
    std::vector<bson::Document> next;
    for (const bson::Document& so_far : all) {
      for (const bson::Document& form : forms) {
        if (next.size() >= kFormsMax) break;
        bson::Builder builder;
        builder.concat(so_far).append(field.key(), *form.view().begin());
        next.push_back(builder.finish());
      }
    }
    all = std::move(next);
  }
  for (bson::Document& form : all) {
    bson::Builder builder;
    value.is_array() ? builder.append_array("", form) : builder.append("", form.view());
    form = builder.finish();
  }
  return all;
}

std::vector<bson::Document> forms_of(const bson::Element& value, bool shortest, int depth) {
  if (value.is_number()) return forms_of_number(value, shortest);
  if ((value.is_document() || value.is_array()) && depth < 100)
    return forms_of_document(value, shortest, depth);
  std::vector<bson::Document> out{holding(value)};
  if (value.is_string()) {
    bson::Builder builder;
    const std::string_view text = value.string();
    bson_append_symbol(builder.raw(), "", 0, text.data(), static_cast<int>(text.size()));
    out.push_back(builder.finish());
  }
  if (value.type() == BSON_TYPE_SYMBOL) out.push_back(bson::Builder().append("", value.string()).finish());
  return out;
}

// --- shard keys

std::optional<bson::Element> at_name(bson::View document, std::string_view name) {
  if (auto found = document.find(name)) return found;
  return name.find('.') == std::string_view::npos ? std::nullopt : document.find_path(name);
}

bool matches_value(const bson::Element& wanted, const std::optional<bson::Element>& found) {
  if (wanted.is_null()) return !found || found->is_null();
  if (!found) return false;
  if (!wanted.is_document()) return same_bytes(wanted, *found);
  if (!found->is_document()) return false;
  const bson::View document = found->document();
  for (const bson::Element field : wanted.document())
    if (!matches_value(field, at_name(document, field.key()))) return false;
  return true;
}

}  // namespace

uint64_t hash_id(const bson::Element& id) { return hash_value(id, 0); }

bool same_id(const bson::Element& a, const bson::Element& b) {
  return same_bytes(a, b) || bson::compare(a, b) == 0;
}

bool has_other_forms(const bson::Element& id) {
  return id.is_number() || id.is_string() || id.type() == BSON_TYPE_SYMBOL || id.is_document();
}

std::vector<std::string> other_forms(const bson::Element& id) {
  const bool shortest = id.is_document() && count_numbers(id.document()) > 1;
  std::vector<std::string> out;
  std::string own;
  bson::append_json_value(id, bson::JsonMode::kCanonical, own);
  for (const bson::Document& form : forms_of(id, shortest, 0)) {
    std::string text;
    bson::append_json_value(*form.view().begin(), bson::JsonMode::kCanonical, text);
    if (text != own) out.push_back(std::move(text));
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool has_shard_key(bson::View key) {
  for (const bson::Element field : key)
    if (field.key() != "_id") return true;
  return false;
}

bool matches_shard_key(bson::View key, bson::View document) {
  for (const bson::Element field : key)
    if (field.key() != "_id" && !matches_value(field, at_name(document, field.key()))) return false;
  return true;
}

void append_shard_key(bson::View key, std::string& out) {
  // Leaves by their dotted names, sorted: the server nests them in some events and not in others.
  std::vector<std::pair<std::string, std::string>> leaves;
  const auto add = [&leaves](const auto& self, const std::string& name, const bson::Element& value) -> void {
    if (value.is_document() && !value.document().empty()) {
      for (const bson::Element field : value.document())
        self(self, name + "." + std::string(field.key()), field);
      return;
    }
    std::string text;
    bson::append_json_value(value, bson::JsonMode::kCanonical, text);
    leaves.emplace_back(name, std::move(text));
  };
  for (const bson::Element field : key)
    if (field.key() != "_id") add(add, std::string(field.key()), field);
  std::ranges::sort(leaves);
  out.push_back('{');
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (i > 0) out.push_back(',');
    bson::append_json_string(leaves[i].first, out);
    out.push_back(':');
    out.append(leaves[i].second);
  }
  out.push_back('}');
}

void append_row_token(const Event& event, std::string& out) {
  out.append(event.id);
  if (!has_shard_key(event.key) || matches_shard_key(event.key, event.after)) return;
  out.push_back(' ');
  append_shard_key(event.key, out);
}

std::string_view shard_key_of_token(std::string_view token) {
  const size_t space = token.find(' ');
  return space == std::string_view::npos ? std::string_view() : token.substr(space + 1);
}

bool is_row_of(bson::View key, const Event& put) {
  for (const bson::Element field : key) {
    if (field.key() == "_id") continue;
    // The event's own documentKey first: no transform takes it away. It lacks what the shard key got later.
    auto found = at_name(put.key, field.key());
    if (!found) found = at_name(put.after, field.key());
    if (!matches_value(field, found)) return false;
  }
  return true;
}

}  // namespace tidemark
