#include "golden/placeholders.h"

#include <algorithm>
#include <optional>

#include "bson/json.h"
#include "sandbox/change_stream/token.h"

namespace tidemark::golden {
namespace {

std::string text_of(const bson::Element& element) {
  std::string out;
  bson::append_json_value(element, bson::JsonMode::kCanonical, out);
  if (out.size() > 200) {
    out.resize(200);
    out += "...";
  }
  return out;
}

std::optional<bson_type_t> type_of_placeholder(std::string_view name) {
  if (name == "%str") return BSON_TYPE_UTF8;
  if (name == "%int") return BSON_TYPE_INT32;
  if (name == "%long") return BSON_TYPE_INT64;
  if (name == "%double") return BSON_TYPE_DOUBLE;
  if (name == "%date") return BSON_TYPE_DATE_TIME;
  if (name == "%ts") return BSON_TYPE_TIMESTAMP;
  if (name == "%oid") return BSON_TYPE_OID;
  if (name == "%bin") return BSON_TYPE_BINARY;
  if (name == "%doc") return BSON_TYPE_DOCUMENT;
  return std::nullopt;
}

// What is wrong with `actual` as the kind of value that is bound under `name`; empty: nothing.
std::string kind_fault(std::string_view name, const bson::Element& actual) {
  switch (name[1]) {
    case 'c':
      if (actual.type() != BSON_TYPE_INT64 || bson_iter_int64(&actual.iter()) == 0)
        return "expected a cursor's id";
      return {};
    case 't':
      return actual.type() == BSON_TYPE_TIMESTAMP ? "" : "expected a time";
    default:
      break;
  }
  if (!actual.is_string()) return "expected a token";
  const auto token = sandbox::decode_token(actual.string(), sandbox::ServerVersion{7, 0});
  if (!token) return "expected a token: " + token.error().message;
  const char kind = token->high_water_mark ? 'H' : token->from_invalidate ? 'I' : 'E';
  if (kind != name[1]) return std::string("expected a token of kind ") + name[1] + ", found " + kind;
  return {};
}

std::vector<bson::Element> fields_of(bson::View view) {
  std::vector<bson::Element> fields;
  for (const bson::Element element : view) {
    if (element.key() != "$clusterTime") fields.push_back(element);  // not recorded
  }
  return fields;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (text.substr(0, star) != pattern.substr(0, star) || text.size() < star) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t from = star; from <= text.size(); ++from) {
    if (matches_glob(rest, text.substr(from))) return true;
  }
  return false;
}

bson::Document Bindings::fill(bson::View command) const {
  bson::Builder out;
  fill_fields(command, out.raw());
  return out.finish();
}

void Bindings::fill_fields(bson::View from, bson_t* out) const {
  for (const bson::Element element : from) fill_value(element.key(), element, out);
}

void Bindings::fill_value(std::string_view name, const bson::Element& value, bson_t* out) const {
  const int length = static_cast<int>(name.size());
  if (value.is_document() || value.is_array()) {
    bson_t child;
    if (value.is_array()) {
      bson_append_array_begin(out, name.data(), length, &child);
      fill_fields(value.document(), &child);
      bson_append_array_end(out, &child);
    } else {
      bson_append_document_begin(out, name.data(), length, &child);
      fill_fields(value.document(), &child);
      bson_append_document_end(out, &child);
    }
    return;
  }
  if (value.is_string() && value.string().starts_with('%')) {
    const std::string placeholder(value.string());
    if (placeholder[1] == 'S') {
      uint8_t uuid[16] = {0x5E, 0x55};
      uuid[15] = static_cast<uint8_t>(placeholder[2]);
      bson_append_binary(out, name.data(), length, BSON_SUBTYPE_UUID, uuid, sizeof uuid);
      return;
    }
    if (placeholder[1] == 'x') {
      const std::string text(std::stoul(placeholder.substr(2)), 'x');
      bson_append_utf8(out, name.data(), length, text.data(), static_cast<int>(text.size()));
      return;
    }
    if (placeholder == "%future") {
      bson_append_timestamp(out, name.data(), length, UINT32_MAX - 1, 1);
      return;
    }
    if (const auto it = bound_.find(placeholder); it != bound_.end()) {
      const bson::Element bound = *it->second.view().find("");
      bson_append_iter(out, name.data(), length, &bound.iter());
      return;
    }
  }
  bson_append_iter(out, name.data(), length, &value.iter());
}

std::vector<Difference> Bindings::compare(bson::View expected, bson::View actual, bool ordered) {
  differences_.clear();
  compare_fields("", expected, actual, ordered);
  return std::move(differences_);
}

void Bindings::compare_fields(const std::string& path, bson::View expected, bson::View actual, bool ordered) {
  const auto wanted = fields_of(expected);
  const auto found = fields_of(actual);
  const std::string prefix = path.empty() ? "" : path + ".";
  std::vector<std::string_view> common_wanted;
  std::vector<std::string_view> common_found;
  for (const bson::Element& want : wanted) {
    const auto it =
        std::find_if(found.begin(), found.end(), [&](const auto& f) { return f.key() == want.key(); });
    if (it == found.end()) {
      differ(prefix + std::string(want.key()), "missing; recorded " + text_of(want));
      continue;
    }
    common_wanted.push_back(want.key());
    compare_value(prefix + std::string(want.key()), want, *it);
  }
  for (const bson::Element& have : found) {
    const bool known =
        std::any_of(wanted.begin(), wanted.end(), [&](const auto& want) { return want.key() == have.key(); });
    if (known) {
      common_found.push_back(have.key());
    } else {
      differ(prefix + std::string(have.key()), "not recorded; found " + text_of(have));
    }
  }
  if (ordered && common_wanted != common_found) {
    std::string order;
    for (const std::string_view key : common_found) order += (order.empty() ? "" : ", ") + std::string(key);
    differ(prefix + "(order)", order);
  }
}

void Bindings::compare_value(const std::string& path, const bson::Element& expected,
                             const bson::Element& actual) {
  if (expected.is_string() && expected.string().starts_with('%')) {
    return compare_placeholder(path, std::string(expected.string()), actual);
  }
  if (expected.type() != actual.type()) {
    return differ(path, "recorded " + text_of(expected) + ", found " + text_of(actual));
  }
  if (expected.is_document()) return compare_fields(path, expected.document(), actual.document(), true);
  if (expected.is_array()) {
    const auto wanted = fields_of(expected.document());
    const auto found = fields_of(actual.document());
    if (wanted.size() != found.size()) {
      differ(path, "recorded " + std::to_string(wanted.size()) + " items, found " +
                       std::to_string(found.size()) + ": " + text_of(actual));
    }
    for (size_t i = 0; i < std::min(wanted.size(), found.size()); ++i) {
      compare_value(path + "[" + std::to_string(i) + "]", wanted[i], found[i]);
    }
    return;
  }
  const bool errmsg = expected.is_string() && expected.key() == "errmsg";
  const bool same = errmsg ? matches_glob(expected.string(), actual.string())
                           : std::ranges::equal(expected.value_bytes(), actual.value_bytes());
  if (!same) differ(path, "recorded " + text_of(expected) + ", found " + text_of(actual));
}

void Bindings::compare_placeholder(const std::string& path, const std::string& name,
                                   const bson::Element& actual) {
  if (const auto type = type_of_placeholder(name)) {
    if (actual.type() != *type) differ(path, "recorded a value like " + name + ", found " + text_of(actual));
    return;
  }
  if (std::string fault = kind_fault(name, actual); !fault.empty()) {
    return differ(path, std::move(fault) + " (" + name + "), found " + text_of(actual));
  }
  if (const auto it = bound_.find(name); it != bound_.end()) {
    const bson::Element bound = *it->second.view().find("");
    if (!std::ranges::equal(bound.value_bytes(), actual.value_bytes())) {
      differ(path,
             "expected the same " + name + " as before, " + text_of(bound) + ", found " + text_of(actual));
    }
    return;
  }
  bson::Builder value;
  value.append("", actual);
  bound_.emplace(name, value.finish());
}

}  // namespace tidemark::golden
