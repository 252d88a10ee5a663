// The one explicit list of every component. A new component is added here and nowhere else.
#include "app/app.h"
#include "deadletters/mongodb/dead_letters.h"
#include "deadletters/rabbitmq/dead_letters.h"
#include "deadletters/sqlite/dead_letters.h"
#include "guard/settings.h"
#include "http/server.h"
#include "http/webhook.h"
#include "positions/file/store.h"
#include "positions/memory/store.h"
#include "positions/mongodb/store.h"
#include "sinks/file/sink.h"
#include "sinks/live/sink.h"
#include "sinks/mongodb/audit.h"
#include "sinks/mongodb/sink.h"
#include "sinks/null/sink.h"
#include "sinks/postgres/audit.h"
#include "sinks/postgres/sink.h"
#include "sinks/rabbitmq/sink.h"
#include "sinks/sqlite/audit.h"
#include "sinks/sqlite/sink.h"
#include "sources/http/source.h"
#include "sources/mongodb/audit.h"
#include "sources/mongodb/source.h"
#include "sources/rabbitmq/source.h"
#include "stats/mongodb/stats.h"
#include "stats/rabbitmq/probe.h"
#include "transforms/classify/classify.h"
#include "transforms/enrich/enrich.h"
#include "transforms/filter/filter.h"
#include "transforms/project/project.h"
#include "transforms/redact/redact.h"

namespace tidemark::app {
namespace {

constexpr int kSqlLanesMax = 64;

// The webhook is the server's, the names of alerts are the guard's: only here do both meet.
const config::ComponentSpec& webhook_spec() {
  static const config::ComponentSpec spec = [] {
    config::ComponentSpec made = http::guard_webhook_spec();
    for (config::FieldSpec& field : made.fields)
      if (field.name == "alerts") field.choices = guard::rule_names();
    return made;
  }();
  return spec;
}

bool keeps_current_state(const config::Settings& settings) { return settings.string("mode") == "current"; }

// Rows of a log keep their namespace, so that two collections in one table harm nobody.
std::optional<TablePattern> rows_target(const config::Settings& settings, TablePattern::Schema schema) {
  if (!keeps_current_state(settings)) return std::nullopt;
  auto pattern = TablePattern::parse(settings.string("table"), schema);
  return pattern ? std::optional(std::move(*pattern)) : std::nullopt;
}

void add_sinks(Components& all) {
  SinkFactories sqlite;
  sqlite.transactional = make_sqlite_transactional;
  sqlite.plain = make_sqlite_sink;
  sqlite.own_positions = make_sqlite_position_store;
  sqlite.audit = make_sqlite_audit_end;
  sqlite.lanes_max = kSqlLanesMax;
  sqlite.is_per_collection = sqlite_table_is_per_collection;
  sqlite.is_per_database = sqlite_table_is_per_database;
  sqlite.needs_full_documents = keeps_current_state;
  sqlite.keeps_owners = true;
  sqlite.target = [](const config::Settings& settings) {
    return rows_target(settings, TablePattern::Schema::kNone);
  };
  all.sinks.add(sqlite_sink_spec(), std::move(sqlite));

  SinkFactories postgres;
  postgres.transactional = make_postgres_transactional;
  postgres.plain = make_postgres_sink;
  postgres.own_positions = make_postgres_position_store;
  postgres.audit = make_postgres_audit_end;
  postgres.lanes_max = kSqlLanesMax;
  postgres.is_per_collection = postgres_table_is_per_collection;
  postgres.is_per_database = postgres_table_is_per_database;
  postgres.needs_full_documents = keeps_current_state;
  postgres.keeps_owners = true;
  postgres.target = [](const config::Settings& settings) {
    return rows_target(settings, TablePattern::Schema::kAllowed);
  };
  all.sinks.add(postgres_sink_spec(), std::move(postgres));

  SinkFactories file;
  file.plain = make_file_sink;
  all.sinks.add(file_sink_spec(), std::move(file));

  SinkFactories mongodb;
  mongodb.transactional = make_mongodb_transactional;
  mongodb.plain = make_mongodb_sink;
  mongodb.audit = make_mongodb_audit_end;
  mongodb.lanes_max = kSqlLanesMax;
  mongodb.is_per_collection = mongodb_sink_is_per_collection;
  mongodb.is_per_database = mongodb_sink_is_per_database;
  mongodb.own_positions = make_mongodb_sink_positions;
  mongodb.needs_full_documents = mongodb_sink_needs_full_documents;
  mongodb.target = mongodb_sink_target;
  mongodb.target_field = "collection";
  mongodb.own_names = mongodb_sink_own_names;
  all.sinks.add(mongodb_sink_spec(), std::move(mongodb));

  SinkFactories rabbitmq;
  rabbitmq.plain = make_rabbitmq_sink;
  rabbitmq.lanes_max = kSqlLanesMax;
  all.sinks.add(rabbitmq_sink_spec(), std::move(rabbitmq));

  SinkFactories live;
  live.plain = make_live_sink;
  all.sinks.add(live_sink_spec(), std::move(live));

  SinkFactories null;
  null.plain = make_null_sink;
  null.lanes_max = kSqlLanesMax;
  all.sinks.add(null_sink_spec(), std::move(null));
}

}  // namespace

Components all_components() {
  Components all;
  all.sources.add(http_source_spec(), make_http_source);
  all.sources.add(mongodb_source_spec(), make_mongodb_source);
  all.sources.add(rabbitmq_source_spec(), make_rabbitmq_source);
  all.transforms.add(classify_transform_spec(), make_classify_transform);
  all.transforms.add(enrich_transform_spec(), make_enrich_transform);
  all.transforms.add(filter_transform_spec(), make_filter_transform);
  all.transforms.add(project_transform_spec(), make_project_transform);
  all.transforms.add(redact_transform_spec(), make_redact_transform);
  add_sinks(all);
  all.positions.add(file_position_spec(), make_file_position);
  all.positions.add(memory_position_spec(), make_memory_position);
  all.positions.add(mongodb_position_spec(), make_mongodb_position);
  all.dead_letters.add(mongodb_dead_letters_spec(), make_mongodb_dead_letters);
  all.dead_letters.add(rabbitmq_dead_letters_spec(), make_rabbitmq_dead_letters);
  all.dead_letters.add(sqlite_dead_letters_spec(), make_sqlite_dead_letters);
  all.stats.add(mongodb_stats_spec(), make_mongodb_stats);
  all.stats.add(rabbitmq_stats_spec(), make_rabbitmq_stats);
  all.audit_sources.emplace("mongodb", make_mongodb_audit_source);
  all.singles = {&http::server_spec(), &guard::guard_spec(), &guard::guard_rule_spec(), &webhook_spec(),
                 &guard::guard_audit_spec()};
  return all;
}

}  // namespace tidemark::app
