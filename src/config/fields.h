// The words in which components declare their fields: one function for each kind of value, and a few that add to what
// it made. Pure; any thread. What stands first is short, what the reference prints stands last:
//
//     using namespace config::fields;
//     spec.fields = {required(text("path", "The database file; created when absent."), "\"orders.db\""),
//                    duration("busy_timeout", "5s", 0, 600'000, "How long to wait for another's lock.")};
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/field_spec.h"

namespace tidemark::config::fields {

// A default is as it would stand in TOML, without quotes; "" = none.
FieldSpec text(std::string name, std::string doc);
FieldSpec text(std::string name, std::string default_text, std::string doc);
// The first choice is the default.
FieldSpec choice(std::string name, std::vector<std::string> choices, std::string doc);
// No default: what isn't given is absent.
FieldSpec optional_choice(std::string name, std::vector<std::string> choices, std::string doc);
FieldSpec flag(std::string name, bool is_default, std::string doc);
FieldSpec number(std::string name, std::string default_text, int64_t min, int64_t max, std::string doc);
// Written as "30s"; the bounds are in milliseconds.
FieldSpec duration(std::string name, std::string default_text, int64_t min_ms, int64_t max_ms,
                   std::string doc);
// Written as "64KiB"; the bounds are in bytes.
FieldSpec bytes(std::string name, std::string default_text, int64_t min, int64_t max, std::string doc);
// A number or a duration: what it counts, another field says.
FieldSpec quantity(std::string name, std::string doc);
FieldSpec list(std::string name, std::string doc);
FieldSpec map(std::string name, std::string doc);
FieldSpec json(std::string name, std::string doc);
// A connection string: required, and secret, because it may hold a password. `variable` is the environment's that the
// example names.
FieldSpec uri(const std::string& variable, std::string doc);

// `example` is as it would stand in TOML, quotes included.
FieldSpec required(FieldSpec field, std::string example);
FieldSpec with_example(FieldSpec field, std::string example);
// Never printed or logged.
FieldSpec secret(FieldSpec field);
FieldSpec with_default(FieldSpec field, std::string default_text);

}  // namespace tidemark::config::fields
