#include "config/fields.h"

#include "base/check.h"

namespace tidemark::config::fields {
namespace {

FieldSpec field(FieldType type, std::string name, std::string doc) {
  return {.name = std::move(name), .type = type, .doc = std::move(doc)};
}

FieldSpec bounded(FieldType type, std::string name, std::string default_text, int64_t min, int64_t max,
                  std::string doc) {
  TIDEMARK_CHECK(min <= max, "a field that no value fits");
  FieldSpec made = field(type, std::move(name), std::move(doc));
  made.default_text = std::move(default_text);
  made.min = min;
  made.max = max;
  return made;
}

}  // namespace

FieldSpec text(std::string name, std::string doc) {
  return field(FieldType::kString, std::move(name), std::move(doc));
}

FieldSpec text(std::string name, std::string default_text, std::string doc) {
  return with_default(text(std::move(name), std::move(doc)), std::move(default_text));
}

FieldSpec choice(std::string name, std::vector<std::string> choices, std::string doc) {
  TIDEMARK_CHECK(!choices.empty(), "a choice of nothing");
  FieldSpec made = optional_choice(std::move(name), std::move(choices), std::move(doc));
  made.default_text = made.choices.front();
  return made;
}

FieldSpec optional_choice(std::string name, std::vector<std::string> choices, std::string doc) {
  FieldSpec made = field(FieldType::kEnum, std::move(name), std::move(doc));
  made.choices = std::move(choices);
  return made;
}

FieldSpec flag(std::string name, bool is_default, std::string doc) {
  return with_default(field(FieldType::kBoolean, std::move(name), std::move(doc)),
                      is_default ? "true" : "false");
}

FieldSpec number(std::string name, std::string default_text, int64_t min, int64_t max, std::string doc) {
  return bounded(FieldType::kInteger, std::move(name), std::move(default_text), min, max, std::move(doc));
}

FieldSpec duration(std::string name, std::string default_text, int64_t min_ms, int64_t max_ms,
                   std::string doc) {
  return bounded(FieldType::kDuration, std::move(name), std::move(default_text), min_ms, max_ms,
                 std::move(doc));
}

FieldSpec bytes(std::string name, std::string default_text, int64_t min, int64_t max, std::string doc) {
  return bounded(FieldType::kBytes, std::move(name), std::move(default_text), min, max, std::move(doc));
}

FieldSpec quantity(std::string name, std::string doc) {
  return field(FieldType::kQuantity, std::move(name), std::move(doc));
}

FieldSpec list(std::string name, std::string doc) {
  return field(FieldType::kStringList, std::move(name), std::move(doc));
}

FieldSpec map(std::string name, std::string doc) {
  return field(FieldType::kStringMap, std::move(name), std::move(doc));
}

FieldSpec json(std::string name, std::string doc) {
  return field(FieldType::kJson, std::move(name), std::move(doc));
}

FieldSpec uri(const std::string& variable, std::string doc) {
  return required(secret(text("uri", std::move(doc))), "\"${" + variable + "}\"");
}

FieldSpec required(FieldSpec field, std::string example) {
  field.required = true;
  return with_example(std::move(field), std::move(example));
}

FieldSpec with_example(FieldSpec field, std::string example) {
  field.example = std::move(example);
  return field;
}

FieldSpec secret(FieldSpec field) {
  field.secret = true;
  return field;
}

FieldSpec with_default(FieldSpec field, std::string default_text) {
  field.default_text = std::move(default_text);
  return field;
}

}  // namespace tidemark::config::fields
