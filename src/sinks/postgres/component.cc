#include "sinks/postgres/component.h"

#include "config/fields.h"
#include "sinks/postgres/audit.h"
#include "sinks/postgres/sink.h"

namespace tidemark {
namespace {

constexpr int64_t kHourMs = 3'600'000;

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "postgres";
  spec.summary =
      "Change events as rows of a PostgreSQL database (12 or newer). Rows and position commit in one "
      "transaction, therefore effectively once. Documents are canonical Extended JSON in jsonb, so that "
      "every type survives (jsonb itself doesn't keep the order of fields, and refuses U+0000 in a text). "
      "Tables are created when absent. The position is leased by a session lock, so the uri must lead to "
      "the server or to a pooler in session mode.";
  spec.fields = {uri("TIDEMARK_POSTGRES_URI", "The database, as libpq reads it.")};
  for (config::FieldSpec& field : sql::row_fields(postgres::kNaming)) spec.fields.push_back(std::move(field));
  spec.fields.insert(
      spec.fields.end(),
      {duration("connect_timeout", "10s", 1, kHourMs, "How long one attempt to connect may take."),
       duration("statement_timeout", "60s", 0, kHourMs,
                "How long the server may work at one statement; 0s for ever."),
       duration("takeover_timeout", "5s", 1, kHourMs,
                "How long to wait for the position's lock before saying that another instance runs: the "
                "server needs a moment to notice the end of one that was killed.")});
  return spec;
}

SinkComponent make_component() {
  SinkComponent component = sql::rows_component(make_spec(), postgres::kNaming, "uri");
  component.plain = postgres::make_sink;
  component.transactional = postgres::make_transactional;
  component.own_positions = postgres::make_positions;
  component.audit = postgres::make_audit_end;
  return component;
}

}  // namespace

const SinkComponent& postgres_sink_component() {
  static const SinkComponent component = make_component();
  return component;
}

}  // namespace tidemark
