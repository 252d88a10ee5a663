// The factories of every component type, filled by the one explicit list in src/app/components.cc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/registry.h"
#include "config/settings.h"
#include "core/audit.h"
#include "core/component.h"
#include "core/dead_letters.h"
#include "core/position_store.h"
#include "core/row_plan.h"
#include "core/sink.h"
#include "core/source.h"
#include "core/stats_probe.h"
#include "core/transform.h"

namespace tidemark {

template <class Interface>
using Make =
    std::function<Result<std::unique_ptr<Interface>>(const config::Settings&, const ComponentContext&)>;

// A sink type comes in up to three forms; at least one of the first two is there.
struct SinkFactories {
  Make<TransactionalSink> transactional;  // rows and position in one transaction; used with one lane
  Make<Sink> plain;                       // one instance a lane, with a position store beside it
  Make<PositionStore>
      own_positions;  // a store in the sink's own database, for lanes > 1 without [pipeline.position]
  // The destination's rows as an audit reads them. Null = this sink can't be audited; an error (kConfig) = these settings
  // of it can't.
  Make<AuditEnd> audit;
  int lanes_max = 1;
  // Whether these settings keep each collection, each database, apart, so that a wider source is safe. Absent
  // = yes.
  std::function<bool(const config::Settings&)> is_per_collection;
  std::function<bool(const config::Settings&)> is_per_database;
  // The name that events are written under, where two collections of one name would harm each other; the setting that says
  // it; and the names beside it that are the program's own. Absent, or empty = nothing to look at.
  std::function<std::optional<TablePattern>(const config::Settings&)> target;
  std::string target_field = "table";
  bool keeps_owners = false;  // it says beside each table whose it is, and refuses the others
  std::function<std::vector<TableName>(const config::Settings&)> own_names;
  // True when these settings keep only the current state of each document: every update needs its full
  // document.
  std::function<bool(const config::Settings&)> needs_full_documents;
};

struct Components {
  config::Registry<Make<Source>> sources;
  config::Registry<Make<Transform>> transforms;
  config::Registry<SinkFactories> sinks;
  config::Registry<Make<PositionStore>> positions;
  config::Registry<Make<DeadLetterStore>> dead_letters;
  config::Registry<Make<StatsProbe>> stats;
  // The source's documents as an audit reads them, by type of source; made from the source's own settings. The rest can't
  // be audited: what they hand out is gone once it is read.
  std::map<std::string, Make<AuditSource>, std::less<>> audit_sources;
  // Tables that are no component's: [server], [guard] and those below it.
  std::vector<const config::ComponentSpec*> singles;
};

}  // namespace tidemark
