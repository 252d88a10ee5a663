// Reads one TOML table into Settings by its ComponentSpec. Internal to this folder: the only header with
// toml++ in it. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "config/diagnostic.h"
#include "config/environment.h"
#include "config/field_spec.h"
#include "config/settings.h"

namespace tidemark::config {

inline Place place_of(const toml::source_region& source) { return {source.begin.line, source.begin.column}; }
inline Place place_of(const toml::node& node) { return place_of(node.source()); }

// "an integer", "a table": what stands there, for messages.
std::string describe_node(const toml::node& node);

class TableReader {
 public:
  // Both outlive the reader.
  TableReader(Report& report, const Environment& environment) : report_(report), environment_(environment) {}

  // Every field of `spec` with its value or default. Findings go to the report and leave their field empty;
  // the settings may be used only when no error was reported. `reserved` names keys of the table that the
  // caller reads itself.
  Settings read(const toml::table& table, const ComponentSpec& spec, const std::string& path,
                const std::vector<std::string>& reserved);

  // The value of a string that is no field of a spec (`type`), environment filled in; empty after a finding.
  std::string read_string(const toml::node& node, const std::string& path);

 private:
  void read_field(const toml::node& node, const FieldSpec& field, const std::string& path,
                  Settings& settings);
  void read_list(const toml::node& node, const FieldSpec& field, const std::string& path, Settings& settings);
  void read_map(const toml::node& node, const FieldSpec& field, const std::string& path, Settings& settings);
  void read_scalar(const toml::node& node, const FieldSpec& field, const std::string& path,
                   Settings& settings);
  Result<Settings::Value> scalar(const toml::node& node, const FieldSpec& field, const std::string& path);
  Result<Settings::Value> from_string(const toml::node& node, const FieldSpec& field,
                                      const std::string& path);
  Result<Settings::Value> from_file(const toml::table& table, const FieldSpec& field);
  std::string where(Place place, const std::string& path) const;

  Report& report_;
  const Environment& environment_;
};

}  // namespace tidemark::config
