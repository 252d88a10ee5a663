#include "sandbox/store/index.h"

#include <algorithm>

#include "bson/compare.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/path_values.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kPathsMax = 32;
constexpr size_t kNameMax = 1024;

// What one path of the pattern contributes: distinct keys in order, with their values.
struct PathKeys {
  std::vector<std::pair<std::string, Value>> keys;
  bool array = false;
  bool missing = true;  // nothing but missing
};

PathKeys path_keys(const bson::Document& document, const std::string& path) {
  PathKeys result;
  visit_path(
      document.view(), path, true,
      [&](const bson::Element* value) {
        std::string key;
        if (value != nullptr)
          bson::canonical_key(*value, key);
        else
          bson::canonical_key_of_null(key);
        result.missing &= value == nullptr;
        const bool known = std::any_of(result.keys.begin(), result.keys.end(),
                                       [&](const auto& k) { return k.first == key; });
        if (!known)
          result.keys.emplace_back(std::move(key),
                                   value != nullptr ? Value(document, *value) : Value::null());
      },
      &result.array);
  if (result.keys.empty()) {  // an empty array is indexed as undefined
    bson::Builder undefined;
    bson_append_undefined(undefined.raw(), "", 0);
    const bson::Document holder = undefined.finish();
    const Value value(holder, *holder.view().begin());
    result.keys.emplace_back(bson::canonical_key(value.element()), value);
    result.missing = false;
  }
  return result;
}

Reply<void> check_key(bson::View key) {
  if (key.empty()) return command_error(kCannotCreateIndex, "Index keys cannot be an empty object.");
  for (const bson::Element part : key) {
    const std::string path(part.key());
    if (path.empty()) return command_error(kCannotCreateIndex, "Index keys cannot be an empty field.");
    if (path.starts_with("$"))
      return command_error(kCannotCreateIndex,
                           "Index key contains an illegal field name: field name starts with '$'.");
    if (path.find("$**") != path.npos || part.is_string()) {
      if (part.is_string() && part.string() == "hashed") continue;
      return command_error(kNotImplemented,
                           "Index kind " + shell_field(part) + " is not implemented by the sandbox");
    }
    if (!part.is_number())
      return command_error(kCannotCreateIndex,
                           "Values in v:2 index key pattern cannot be of type " +
                               std::string(type_name(part.type())) +
                               ". Only numbers > 0, numbers < 0, and strings are allowed.");
    if (!part.truthy())
      return command_error(kCannotCreateIndex, "Values in the index key pattern cannot be 0.");
  }
  return {};
}

}  // namespace

Reply<Index> Index::parse(bson::View spec) {
  Index index;
  bson::Builder extra;
  const auto key = spec.find("key");
  if (!key)
    return command_error(kFailedToParse, "The 'key' field is a required property of an index specification");
  if (!key->is_document())
    return command_error(kTypeMismatch,
                         "The field 'key' must be an object, but got " + std::string(type_name(key->type())));
  SANDBOX_TRY(check_key(key->document()));
  index.key_ = bson::Document(key->document());
  for (const bson::Element part : index.key_.view()) index.paths_.emplace_back(part.key());
  if (index.paths_.size() > kPathsMax) return command_error(13103, "too many compound keys");
  const auto name = spec.find("name");
  if (!name)
    return command_error(kFailedToParse, "The 'name' field is a required property of an index specification");
  if (!name->is_string() || name->string().size() > kNameMax)
    return command_error(
        kTypeMismatch, "The field 'name' must be a string, but got " + std::string(type_name(name->type())));
  if (name->string().empty()) return command_error(kCannotCreateIndex, "Index name cannot be empty");
  if (name->string() == "*") return command_error(kBadValue, "The index name '*' is not valid.");
  index.name_ = name->string();
  for (const bson::Element option : spec) {
    const std::string_view option_name = option.key();
    if (option_name == "key" || option_name == "name" || option_name == "ns" || option_name == "background")
      continue;
    if (option_name == "v") {
      if (!option.is_number() || option.integer() != 2)
        return command_error(kCannotCreateIndex,
                             "Index version " + shell_text(option) + " is not implemented by the sandbox");
      continue;
    }
    if (option_name == "unique" || option_name == "sparse" || option_name == "hidden") {
      if (option.type() != BSON_TYPE_BOOL && !option.is_number())
        return command_error(kTypeMismatch, "The field '" + std::string(option_name) + "' has value " +
                                                shell_field(option) + ", which is not convertible to bool");
      if (option_name == "unique") index.unique_ = option.truthy();
      if (option_name == "sparse") index.sparse_ = option.truthy();
      if (option.truthy()) extra.append(option_name, true);
      continue;
    }
    if (option_name == "partialFilterExpression") {
      if (!option.is_document())
        return command_error(kTypeMismatch, "The field 'partialFilterExpression' must be an object");
      SANDBOX_ASSIGN(index.filter_, parse_filter(option.document()));
      extra.append(option_name, option);
      continue;
    }
    if (option_name == "expireAfterSeconds" || option_name == "collation" ||
        option_name == "wildcardProjection" || option_name == "weights" || option_name == "storageEngine" ||
        option_name == "prepareUnique")
      return command_error(kNotImplemented, "The index option '" + std::string(option_name) +
                                                "' is not implemented by the sandbox");
    return command_error(197,
                         "The field '" + std::string(option_name) +
                             "' is not valid for an index specification. Specification: " + shell_text(spec));
  }
  if (index.sparse_ && index.filter_)
    return command_error(kCannotCreateIndex, "cannot mix \"partialFilterExpression\" and \"sparse\" options");
  bson::Builder shown;
  shown.append("v", int32_t{2})
      .append("key", index.key_.view())
      .append("name", index.name_)
      .concat(extra.view());
  index.spec_ = shown.finish();
  return index;
}

Reply<std::vector<std::string>> Index::keys(bson::View document) const {
  std::vector<std::string> result;
  if (filter_ && !filter_->matches(document)) return result;
  const bson::Document owned(document);
  bool array = false;
  bool all_missing = true;
  result.emplace_back();
  for (const std::string& path : paths_) {
    const PathKeys part = path_keys(owned, path);
    if (part.array && array)
      return command_error(171, "cannot index parallel arrays [" + path + "] [" + paths_[0] + "]");
    array |= part.array;
    all_missing &= part.missing;
    std::vector<std::string> longer;
    longer.reserve(result.size() * part.keys.size());
    for (const std::string& prefix : result) {
      for (const auto& [key, value] : part.keys) longer.push_back(prefix + key);
    }
    result = std::move(longer);
  }
  if (sparse_ && all_missing) result.clear();
  return result;
}

bson::Document Index::key_value(bson::View document, const std::string& key) const {
  const bson::Document owned(document);
  bson::Builder builder;
  std::string_view rest = key;
  for (const std::string& path : paths_) {
    for (const auto& [part, value] : path_keys(owned, path).keys) {
      if (!rest.starts_with(part)) continue;
      value.append_to(builder, path);
      rest.remove_prefix(part.size());
      break;
    }
  }
  return builder.finish();
}

std::optional<RecordId> Index::holder(const std::string& key, RecordId self) const {
  for (auto entry = entries_.lower_bound({key, 0}); entry != entries_.end() && entry->first == key; ++entry) {
    if (entry->second != self) return entry->second;
  }
  return std::nullopt;
}

}  // namespace tidemark::sandbox
