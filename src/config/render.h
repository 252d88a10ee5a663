// Settings back into TOML: for `check --verbose`, and because what can be written and read back is what was
// understood. Pure functions.
#pragma once

#include <string>

#include "config/parser.h"

namespace tidemark::config {

enum class Secrets {
  kHide,  // "***", and URIs without their password; for people
  kShow,  // for tests of the round trip; never printed or logged
};

// `text` as a TOML string, quotes included, that parse() gives back unchanged: `${` is escaped too.
std::string toml_string(std::string_view text);

// One table's fields, a line each, in the order of the spec; fields without a value are left out.
std::string render_fields(const ComponentSpec& spec, const Settings& settings, Secrets secrets);

// A whole `[[pipeline]]`, defaults included.
std::string render(const PipelineConfig& pipeline, Secrets secrets);

// The same for one component on one line: `sqlite path = "orders.db", table = "orders"`, secrets hidden.
std::string describe(const Component& component);

}  // namespace tidemark::config
