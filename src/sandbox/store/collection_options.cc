// What may be inserted and what a collection may be created with.
#include <set>

#include "sandbox/store/collection.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/storable.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kDocumentBytesMax = 16 * 1024 * 1024;

Reply<void> check_images(const bson::Element& option) {
  if (!option.is_document())
    return command_error(kTypeMismatch,
                         "BSON field 'create.changeStreamPreAndPostImages' is the wrong type '" +
                             std::string(type_name(option.type())) + "', expected type 'object'");
  for (const bson::Element field : option.document()) {
    const std::string name(field.key());
    if (name != "enabled")
      return command_error(
          40415, "BSON field 'create.changeStreamPreAndPostImages." + name + "' is an unknown field.");
    if (field.type() != BSON_TYPE_BOOL)
      return command_error(kTypeMismatch,
                           "BSON field 'create.changeStreamPreAndPostImages.enabled' is the wrong type '" +
                               std::string(type_name(field.type())) + "', expected type 'bool'");
  }
  if (!option.document().find("enabled"))
    return command_error(
        40414, "BSON field 'create.changeStreamPreAndPostImages.enabled' is missing but a required field");
  return {};
}

Reply<void> check_validator(const bson::Element& option) {
  if (!option.is_document())
    return command_error(kTypeMismatch, "BSON field 'create.validator' is the wrong type '" +
                                            std::string(type_name(option.type())) +
                                            "', expected type 'object'");
  SANDBOX_TRY(parse_filter(option.document()));
  return {};
}

}  // namespace

Reply<bson::Document> prepare_insert(const bson::Document& document,
                                     const std::function<bson_oid_t()>& new_id) {
  const bson::View view = document.view();
  if (view.size() > kDocumentBytesMax)
    return command_error(kBadValue,
                         "object to insert too large. size in bytes: " + std::to_string(view.size()) +
                             ", max size: " + std::to_string(kDocumentBytesMax));
  const auto id = view.find("_id");
  if (!id) {
    bson::Builder builder;
    const bson_oid_t oid = new_id();
    bson_append_oid(builder.raw(), "_id", -1, &oid);
    builder.concat(view);
    return builder.finish();
  }
  switch (id->type()) {
    case BSON_TYPE_ARRAY:
      return command_error(kBadValue, "can't use an array for _id");
    case BSON_TYPE_UNDEFINED:
      return command_error(kBadValue, "can't use a undefined for _id");
    case BSON_TYPE_REGEX:
      return command_error(kBadValue, "can't use a regex for _id");
    case BSON_TYPE_DOCUMENT:
      for (const bson::Element field : id->document()) {
        if (field.key().starts_with("$") && field.key() != "$ref" && field.key() != "$id" &&
            field.key() != "$db")
          return command_error(kDollarPrefixedFieldName,
                               "_id fields may not contain '$'-prefixed fields: " + std::string(field.key()) +
                                   " is not valid for storage.");
      }
      break;
    default:
      break;
  }
  if ((*view.begin()).key() == "_id") return document;
  bson::Builder builder;
  builder.append("_id", *id);
  for (const bson::Element field : view) {
    if (field.key() != "_id") builder.append(field.key(), field);
  }
  return builder.finish();
}

Reply<bson::Document> prepare_inserted(const bson::Document& document, ServerVersion version,
                                       const std::function<bson_oid_t()>& new_id,
                                       const std::function<bson::Timestamp()>& now) {
  size_t ids = 0;
  for (const bson::Element field : document.view()) {
    if (field.key() == "_id" && ++ids > 1)
      return command_error(kBadValue, "can't have multiple _id fields in one document");
    if (field.key().starts_with("$") && version < ServerVersion{5, 0})
      return command_error(kBadValue,
                           "Document can't have $ prefixed field names: " + std::string(field.key()));
  }
  return prepare_insert(with_timestamps(document, now), new_id);
}

Reply<bson::Document> check_collection_options(bson::View options) {
  static const std::set<std::string_view> kMissing{"clusteredIndex", "encryptedFields", "collation",
                                                   "storageEngine", "expireAfterSeconds"};
  bson::Builder shown;
  bool capped = false;
  bool size = false;
  for (const bson::Element option : options) {
    const std::string name(option.key());
    if (kMissing.contains(name))
      return command_error(kNotImplemented,
                           "The option '" + name + "' of create is not implemented by the sandbox");
    if (name == "capped") {
      if (option.type() != BSON_TYPE_BOOL && !option.is_number())
        return command_error(kTypeMismatch, "BSON field 'create.capped' is the wrong type '" +
                                                std::string(type_name(option.type())) +
                                                "', expected types '[bool, long, int, decimal, double]'");
      capped = option.truthy();
      if (!capped) continue;
      shown.append("capped", true);
      continue;
    } else if (name == "size" || name == "max") {
      if (!option.is_number())
        return command_error(kTypeMismatch, "BSON field 'create." + name + "' is the wrong type '" +
                                                std::string(type_name(option.type())) +
                                                "', expected types '[long, int, decimal, double]'");
      size |= name == "size";
    } else if (name == "changeStreamPreAndPostImages") {
      SANDBOX_TRY(check_images(option));
    } else if (name == "viewOn" || name == "pipeline" || name == "timeseries") {
      const bson_type_t type = name == "viewOn"     ? BSON_TYPE_UTF8
                               : name == "pipeline" ? BSON_TYPE_ARRAY
                                                    : BSON_TYPE_DOCUMENT;
      if (option.type() != type)
        return command_error(kTypeMismatch, "BSON field 'create." + name + "' is the wrong type '" +
                                                std::string(type_name(option.type())) + "', expected type '" +
                                                std::string(type_name(type)) + "'");
    } else if (name == "validator") {
      SANDBOX_TRY(check_validator(option));
    } else if (name == "autoIndexId" || name == "idIndex" || name == "flags") {
      continue;
    } else if (name != "validationLevel" && name != "validationAction" && name != "indexOptionDefaults" &&
               name != "temp") {
      return command_error(40415, "BSON field 'create." + name + "' is an unknown field.");
    }
    shown.append(name, option);
  }
  if (options && options.find("pipeline") && !options.find("viewOn"))
    return command_error(kInvalidOptions, "'pipeline' requires 'viewOn' to also be specified");
  if (capped && !size)
    return command_error(kInvalidOptions, "the 'size' field is required when 'capped' is true");
  if (!capped && size)
    return command_error(
        kInvalidOptions,
        "the 'capped' field needs to be true when either the 'size' or 'max' fields are present");
  return shown.finish();
}

}  // namespace tidemark::sandbox
