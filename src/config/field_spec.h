// One declaration per configuration field, from which parsing, linting, defaults, secrets and the generated
// reference (docs/reference/) all follow.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tidemark::config {

enum class FieldType {
  kString,
  kInteger,
  kBoolean,
  kDuration,  // "250ms", "30s", "10m", "2h"; Settings::duration_ms
  kBytes,     // 4096, "64KiB", "8MiB"; Settings::bytes
  kEnum,      // one of `choices`
  kStringList,
  kStringMap,  // a TOML table of strings: rename = { a = "b" }
  kQuantity,   // a number, or a duration in quotes: what it counts depends on another field; Settings::string
  kJson,       // Extended JSON in a string; checked to parse as JSON, the component reads it
};

struct FieldSpec {
  std::string name;
  FieldType type = FieldType::kString;
  std::string doc = {};  // one or more sentences for the reference
  bool required = false;
  std::string default_text = {};          // as it would stand in TOML without quotes; empty = no value
  std::vector<std::string> choices = {};  // kEnum; of each item of a kStringList where it isn't empty
  int64_t min = std::numeric_limits<int64_t>::min();  // integers, durations in ms, bytes
  int64_t max = std::numeric_limits<int64_t>::max();
  bool secret = false;       // never printed or logged
  std::string example = {};  // as it would stand in TOML, quotes included
};

// What one component type takes.
struct ComponentSpec {
  // "source", "sink", "position", "transform", "dead_letters"; "pipeline" for the frame itself; "guard_audit" for
  // [[guard.audit]]
  std::string kind;
  std::string type;          // the value of `type`: "mongodb"
  std::string summary = {};  // one paragraph for the reference
  std::vector<FieldSpec> fields = {};
};

}  // namespace tidemark::config
