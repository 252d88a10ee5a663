#include "sinks/sqlite/component.h"

#include "config/fields.h"
#include "sinks/sqlite/audit.h"
#include "sinks/sqlite/sink.h"

namespace tidemark {
namespace {

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "sqlite";
  spec.summary =
      "Change events as rows of an SQLite database. Rows and position commit in one transaction, therefore "
      "effectively once. Documents are canonical Extended JSON, so that every type survives. Tables are "
      "created when absent.";
  spec.fields = {required(text("path", "The database file; created when absent."), "\"orders.db\"")};
  for (config::FieldSpec& field : sql::row_fields(sqlite::kNaming)) spec.fields.push_back(std::move(field));
  spec.fields.push_back(
      choice("synchronous", {"full", "normal"},
             "full: every commit is on the disk before it counts. normal: a power loss may take back "
             "the last commits, rows and position together, and they are delivered again."));
  spec.fields.push_back(duration("busy_timeout", "5s", 0, 600'000,
                                 "How long to wait for a lock that another process holds on the database."));
  return spec;
}

SinkComponent make_component() {
  SinkComponent component = sql::rows_component(make_spec(), sqlite::kNaming, "path");
  component.plain = sqlite::make_sink;
  component.transactional = sqlite::make_transactional;
  component.own_positions = sqlite::make_positions;
  component.audit = sqlite::make_audit_end;
  return component;
}

}  // namespace

const SinkComponent& sqlite_sink_component() {
  static const SinkComponent component = make_component();
  return component;
}

}  // namespace tidemark
