// What a component says of itself: its fields, how it is made, and what the program must know to put it beside others.
// Each type has one declaration, in component.h of its own folder; src/app/components.cc lists them. Plain data that is
// made once and never changes; every function in it is pure unless it says so, and may be called from any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/field_spec.h"
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

// Checks the settings and connects to nothing. Errors are kConfig and name the field.
template <class Interface>
using Make =
    std::function<Result<std::unique_ptr<Interface>>(const config::Settings&, const ComponentContext&)>;

// What `check --connect` asks: reaches the server once and changes nothing. What an operator should know, a line each; an
// error where the component could not be opened. Blocks until it knows, or is stopped.
using Preflight = std::function<Result<std::vector<std::string>>(const config::Settings&,
                                                                 const ComponentContext&, std::stop_token)>;

// Names that a component keeps things of its own under: no event may be written there.
struct KeptNames {
  // Equal for two components that share it: the type of the server and how it is reached. May hold a password.
  std::string place;
  std::vector<std::string> names;  // of tables or collections, in that place
};
using Keeps = std::function<KeptNames(const config::Settings&)>;

struct SourceComponent {
  config::ComponentSpec spec;
  Make<Source> make;
  // The source's documents as an audit reads them, from the source's own settings. Null = it can't be audited: what it
  // hands out is gone once it is read.
  Make<AuditSource> audit = {};
  // Its events are changes of MongoDB collections, chosen by `database`, `collection`, `exclude`, `filter` and
  // `full_document`.
  bool is_change_stream = false;
};

struct TransformComponent {
  config::ComponentSpec spec;
  Make<Transform> make;
};

// A sink type comes in up to three forms; `plain` is always there.
struct SinkComponent {
  config::ComponentSpec spec;
  Make<Sink> plain;                            // one instance a lane, with a position store beside it
  Make<TransactionalSink> transactional = {};  // rows and position in one transaction; used with one lane
  // A store in the sink's own database, for lanes > 1 without [pipeline.position].
  Make<PositionStore> own_positions = {};
  // The destination's rows as an audit reads them. Null = this sink can't be audited; an error (kConfig) = these settings
  // of it can't.
  Make<AuditEnd> audit = {};
  Preflight preflight = {};  // null = nothing to look at beforehand
  int lanes_max = 1;

  // The name that events are written under; empty where the settings don't say one. Null = the sink has no names, and
  // collections don't meet in it. `pattern_field` is the setting that says it.
  std::function<std::optional<TablePattern>(const config::Settings&)> pattern = {};
  std::string pattern_field = "table";
  // True when these settings keep the collection beside each event, so that two under one name harm nobody. Null = never.
  std::function<bool(const config::Settings&)> keeps_namespaces = {};
  // True when these settings keep only the current state of each document: every update needs its full document. Null =
  // never.
  std::function<bool(const config::Settings&)> needs_full_documents = {};
  // Whether these settings say beside each table whose it is, and refuse the others. Null = never.
  std::function<bool(const config::Settings&)> keeps_owners = {};

  // The program's own, in the place that events are written to.
  Keeps keeps = {};
  // The same as the pattern would spell them, for a sink whose own names a collection's could spell. Null = none.
  std::function<std::vector<TableName>(const config::Settings&)> own_names = {};
};

struct PositionComponent {
  config::ComponentSpec spec;
  Make<PositionStore> make;
  Keeps keeps = {};
  bool begins_at_now = false;  // nothing survives the process: each start is at the newest event
};

struct DeadLettersComponent {
  config::ComponentSpec spec;
  Make<DeadLetterStore> make;
  Keeps keeps = {};
};

struct StatsComponent {
  config::ComponentSpec spec;
  Make<StatsProbe> make;
};

}  // namespace tidemark
