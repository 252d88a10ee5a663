#include "sinks/sql/settings.h"

#include "config/fields.h"

namespace tidemark::sql {
namespace {

constexpr const char* kPositionTable = "tidemark_positions";
constexpr const char* kOwnerTable = "tidemark_tables";
constexpr int kLanesMax = 64;

OnDrop on_drop_of(const std::string& text) {
  return text == "stop" ? OnDrop::kStop : text == "ignore" ? OnDrop::kIgnore : OnDrop::kApply;
}

Result<TablePattern> table_of(const config::Settings& settings, const Naming& naming) {
  auto table = TablePattern::parse(settings.string("table"), naming.schema);
  if (!table) return fail(settings.error("table", table.error().what, table.error().hint));
  return table;
}

bool keeps_current_state(const config::Settings& settings) { return settings.string("mode") == "current"; }

}  // namespace

std::vector<config::FieldSpec> row_fields(const Naming& naming) {
  using namespace config::fields;
  const bool schemas = naming.schema == TablePattern::Schema::kAllowed;
  const std::string with_schema = schemas ? ", with its schema before a dot if need be" : "";
  return {
      required(text("table", "The table" + with_schema +
                                 ". {database} and {collection} stand for the event's own, so that each "
                                 "collection gets a table; in mode \"current\" a source that watches more "
                                 "than one collection needs that." +
                                 (schemas ? " Schemas are created when absent." : "")),
               "\"{database}.{collection}\""),
      choice(
          "mode", {"current", "log"},
          "current: one row per document (id, doc, token, cluster_time), deletes remove it; token guards the "
          "row against older events: the first bytes of its event's token. log: one row per event (token, "
          "cluster_time, op, ns, id, doc, before, update); with {collection} in the "
          "table's name, events of a whole database are left out."),
      choice("on_drop", {"apply", "ignore", "stop"},
             "What a drop, rename or dropDatabase does in mode \"current\". apply: the rows go, or move "
             "with the collection. ignore: the rows stay. stop: the pipeline stops."),
      text("position_table", kPositionTable,
           "The table of the positions, one row per pipeline" + with_schema + "."),
      text("owner_table", kOwnerTable,
           "Mode \"current\": the table that says which collection each table belongs to, so that no two "
           "share one. A drop or a rename of the collection gives its table back."),
  };
}

std::vector<std::string> RowSettings::reserved(const ComponentContext& context) const {
  std::vector<std::string> names = {position_table, owner_table, kPositionTable, kOwnerTable};
  names.insert(names.end(), context.reserved.begin(), context.reserved.end());
  return names;
}

Result<RowSettings> row_settings(const config::Settings& settings, const Naming& naming) {
  RowSettings rows;
  TIDEMARK_ASSIGN(rows.table, table_of(settings, naming));
  rows.position_table = settings.string("position_table");
  if (rows.position_table.empty() || rows.position_table == settings.string("table"))
    return fail(
        settings.error("position_table", "positions need a table of their own", "give it another name"));
  rows.owner_table = settings.string("owner_table");
  if (rows.owner_table.empty() || rows.owner_table == settings.string("table") ||
      naming.fold(rows.owner_table) == naming.fold(rows.position_table))
    return fail(
        settings.error("owner_table", "the owners need a table of their own", "give it another name"));
  rows.mode = settings.string("mode") == "log" ? Mode::kLog : Mode::kCurrent;
  rows.on_drop = on_drop_of(settings.string("on_drop"));
  return rows;
}

Result<TablePattern> audited_table(const config::Settings& settings, const Naming& naming) {
  if (!keeps_current_state(settings)) {
    return fail(settings.error("mode", "an audit compares documents, and in mode \"log\" the rows are events",
                               "audit a pipeline with mode = \"current\""));
  }
  return table_of(settings, naming);
}

SinkComponent rows_component(config::ComponentSpec spec, const Naming& naming, const std::string& place) {
  SinkComponent component;
  component.lanes_max = kLanesMax;
  component.pattern = [naming](const config::Settings& settings) {
    auto pattern = TablePattern::parse(settings.string("table"), naming.schema);
    return pattern ? std::optional(std::move(*pattern)) : std::nullopt;
  };
  component.keeps_namespaces = [](const config::Settings& settings) {
    return !keeps_current_state(settings);
  };
  component.needs_full_documents = keeps_current_state;
  component.keeps_owners = keeps_current_state;
  component.keeps = [type = spec.type, place](const config::Settings& settings) -> KeptNames {
    return {type + " " + settings.string(place),
            {settings.string("position_table"), settings.string("owner_table")}};
  };
  component.spec = std::move(spec);
  return component;
}

}  // namespace tidemark::sql
