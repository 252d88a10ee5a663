// What the sinks that write rows of an SQL database have in common: the fields that they declare, what those mean, and what
// the program must know of any such sink. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/row_plan.h"
#include "registry/declarations.h"

namespace tidemark::sql {

// `current`: one row per document. `log`: one row per event.
enum class Mode { kCurrent, kLog };

// How a database reads the names of tables.
struct Naming {
  TablePattern::Schema schema = TablePattern::Schema::kNone;
  // Two names are one table where these are equal.
  std::string (*fold)(std::string name) = [](std::string name) { return name; };
};

struct RowSettings {
  TablePattern table;
  std::string position_table;
  std::string owner_table;
  Mode mode = Mode::kCurrent;
  OnDrop on_drop = OnDrop::kApply;

  // The tables that no event may be written to: positions and owners, by the settings and by default, and what `context`
  // names. A name may stand twice.
  std::vector<std::string> reserved(const ComponentContext& context) const;
};

// `table`, `mode`, `on_drop`, `position_table` and `owner_table`.
std::vector<config::FieldSpec> row_fields(const Naming& naming);

// What they mean. kConfig, and names the field.
Result<RowSettings> row_settings(const config::Settings& settings, const Naming& naming);

// The table of an audit; kConfig also for mode "log", whose rows are events.
Result<TablePattern> audited_table(const config::Settings& settings, const Naming& naming);

// A declaration with everything but the ways to make the sink. `place` is the field that says which database it is.
SinkComponent rows_component(config::ComponentSpec spec, const Naming& naming, const std::string& place);

}  // namespace tidemark::sql
