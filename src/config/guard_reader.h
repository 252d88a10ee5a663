// Reads `[guard]` with its rules, webhooks and audits, and checks what they say of the file's pipelines. Internal to this
// folder. One thread.
#pragma once

#include "config/parser.h"
#include "config/table_reader.h"

namespace tidemark::config {

class GuardReader {
 public:
  // All outlive the reader; `file` holds every pipeline already.
  GuardReader(Report& report, const SpecLookup& specs, TableReader& reader, const File& file)
      : report_(report), specs_(specs), reader_(reader), file_(file) {}

  // The guard that stands in `node`, the value of the key "guard". Findings go to the report.
  GuardConfig read(const toml::node& node);

 private:
  // Every table of `[[guard.KEY]]`; `check` looks at each one that was read.
  template <class Check>
  std::vector<Settings> read_tables(const toml::table& guard, const std::string& key, size_t tables_max,
                                    Check check);
  void check_pipeline(const toml::table& table, const Settings& settings, const std::string& path);
  void wrong_shape(const toml::node& node, const std::string& path, const std::string& shape);

  Report& report_;
  const SpecLookup& specs_;
  TableReader& reader_;
  const File& file_;
};

}  // namespace tidemark::config
