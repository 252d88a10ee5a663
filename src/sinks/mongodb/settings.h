// The settings of the sink `mongodb`: their declaration, and what they become. Pure; any thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "core/component.h"
#include "mongo/client.h"
#include "mongo/lease.h"
#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {

inline constexpr const char* kDefaultPositionCollection = "tidemark_positions";
inline constexpr const char* kDefaultOwnerCollection = "tidemark_tables";

struct Options {
  std::string uri;
  std::string grant;
  bool current = true;
  WriterOptions writer;
  bool transactions = true;  // where the deployment has them
  std::string position_database;
  std::string position_collection;
  std::chrono::milliseconds lease_ttl{30'000};

  Result<std::unique_ptr<mongo::Client>> client() const;
  std::unique_ptr<Writer> make_writer(Clock& clock) const;
  mongo::Lease lease(const std::string& pipeline) const;
};

// kConfig that names the field.
Result<Options> options_of(const config::Settings& settings);
// The collections that no event may write: positions and owners, by the settings and by default, and what `context` names.
std::vector<TableName> reserved_names(const Options& options, const ComponentContext& context);

// Where events are written; empty where the settings don't say.
std::optional<TablePattern> pattern_of(const config::Settings& settings);
// The collections in which the pipeline keeps its position and the owners of collections.
std::vector<TableName> own_names(const config::Settings& settings);

}  // namespace tidemark::mongodb_sink
