// The one explicit list of every component. A new one is added here, and nowhere else outside of its folder.
#include "app/app.h"
#include "deadletters/mongodb/component.h"
#include "deadletters/rabbitmq/component.h"
#include "deadletters/sqlite/component.h"
#include "guard/settings.h"
#include "http/server.h"
#include "http/webhook.h"
#include "positions/file/component.h"
#include "positions/memory/component.h"
#include "positions/mongodb/component.h"
#include "sinks/file/component.h"
#include "sinks/live/component.h"
#include "sinks/mongodb/component.h"
#include "sinks/null/component.h"
#include "sinks/postgres/component.h"
#include "sinks/rabbitmq/component.h"
#include "sinks/sqlite/component.h"
#include "sources/http/component.h"
#include "sources/mongodb/component.h"
#include "sources/rabbitmq/component.h"
#include "stats/mongodb/component.h"
#include "stats/rabbitmq/component.h"
#include "transforms/classify/component.h"
#include "transforms/enrich/component.h"
#include "transforms/filter/component.h"
#include "transforms/project/component.h"
#include "transforms/redact/component.h"

namespace tidemark::app {
namespace {

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

}  // namespace

Components all_components() {
  return {
      .sources = {http_source_component(), mongodb_source_component(), rabbitmq_source_component()},
      .transforms = {classify_transform_component(), enrich_transform_component(),
                     filter_transform_component(), project_transform_component(),
                     redact_transform_component()},
      .sinks = {file_sink_component(), live_sink_component(), mongodb_sink_component(), null_sink_component(),
                postgres_sink_component(), rabbitmq_sink_component(), sqlite_sink_component()},
      .positions = {file_position_component(), memory_position_component(), mongodb_position_component()},
      .dead_letters = {mongodb_dead_letters_component(), rabbitmq_dead_letters_component(),
                       sqlite_dead_letters_component()},
      .stats = {mongodb_stats_component(), rabbitmq_stats_component()},
      .singles = {&http::server_spec(), &guard::guard_spec(), &guard::guard_rule_spec(), &webhook_spec(),
                  &guard::guard_audit_spec()}};
}

}  // namespace tidemark::app
