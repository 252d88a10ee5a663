#include "sandbox/store/storable.h"

#include "sandbox/store/value.h"

namespace tidemark::sandbox {
namespace {

tl::unexpected<CommandError> bad_reference(std::string message) {
  return command_error(kInvalidDbRef, std::move(message));
}

Reply<void> check_string(const bson::Element& field) {
  if (field.is_string()) return {};
  return bad_reference("The DBRef " + std::string(field.key()) + " field must be a String, not a " +
                       std::string(type_name(field.type())));
}

// `before` and `behind` are the names around `field`; empty at the ends.
Reply<void> check_name(const bson::Element& field, std::string_view before, std::string_view behind,
                       const std::string& path) {
  const std::string_view name = field.key();
  if (!name.starts_with("$")) return {};
  if (name == "$db") {
    SANDBOX_TRY(check_string(field));
    if (before != "$id") return bad_reference("Found $db field without a $id before it, which is invalid.");
  } else if (name == "$id") {
    if (before != "$ref") return bad_reference("Found $id field without a $ref before it, which is invalid.");
  } else if (name == "$ref") {
    SANDBOX_TRY(check_string(field));
    if (behind != "$id") return bad_reference("The DBRef $ref field must be following by a $id field");
  } else {
    return command_error(kDollarPrefixedFieldName, "The dollar ($) prefixed field '" + std::string(name) +
                                                       "' in '" + path + "' is not valid for storage.");
  }
  return {};
}

Reply<void> check_below(const bson::Element& field, const std::string& path);

// The items of an array have no names of their own.
Reply<void> check_fields_of(bson::View view, bool names, const std::string& path) {
  std::string_view before;
  for (auto at = view.begin(); at != view.end();) {
    const bson::Element field = *at;
    ++at;
    const std::string here = path.empty() ? std::string(field.key()) : path + "." + std::string(field.key());
    if (names)
      SANDBOX_TRY(check_name(field, before, at != view.end() ? (*at).key() : std::string_view(), here));
    SANDBOX_TRY(check_below(field, here));
    before = field.key();
  }
  return {};
}

Reply<void> check_below(const bson::Element& field, const std::string& path) {
  if (!field.is_document() && !field.is_array()) return {};
  return check_fields_of(field.document(), field.is_document(), path);
}

bool means_now(const bson::Element& field) {
  if (field.type() != BSON_TYPE_TIMESTAMP || field.key() == "_id") return false;
  uint32_t seconds = 0;
  uint32_t increment = 0;
  bson_iter_timestamp(&field.iter(), &seconds, &increment);
  return seconds == 0 && increment == 0;
}

}  // namespace

Reply<void> check_storable(bson::View document) { return check_fields_of(document, true, ""); }

Reply<void> check_storable_values(bson::View fields) {
  for (const auto& field : fields) SANDBOX_TRY(check_below(field, std::string(field.key())));
  return {};
}

bson::Document with_timestamps(const bson::Document& document, const std::function<bson::Timestamp()>& now) {
  bool any = false;
  for (const auto& field : document.view()) any |= means_now(field);
  if (!any) return document;
  bson::Builder out;
  for (const auto& field : document.view()) {
    if (!means_now(field)) {
      out.append(field.key(), field);
      continue;
    }
    const bson::Timestamp time = now();
    out.append_timestamp(field.key(), time.seconds, time.increment);
  }
  return out.finish();
}

}  // namespace tidemark::sandbox
