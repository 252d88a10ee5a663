// Turning text into a checked value of one field: used for defaults, for values with `${ENV}` and for value
// files. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"

namespace tidemark::config {

// "a string", "a duration such as \"30s\"": what a field takes, for messages and the reference.
std::string describe_type(const FieldSpec& field);

// The error is kConfig with the `what` of a finding (no place); a secret's text never appears in it.
// kStringList and kStringMap have no text form and are refused.
Result<Settings::Value> value_from_text(const FieldSpec& field, std::string_view text);

// Checks `value` against min and max; the rest of value_from_text's errors likewise.
Result<Settings::Value> checked_number(const FieldSpec& field, int64_t value);

// The field's default, where it has one; for a whole spec: a table in which nothing stands.
void set_default(const FieldSpec& field, Settings& settings);
Settings default_settings(const ComponentSpec& spec);

// `value` as it reads in TOML without quotes: "8MiB", "true".
std::string format_value(const FieldSpec& field, int64_t value);

}  // namespace tidemark::config
