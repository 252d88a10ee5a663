// From a TOML file to checked settings of every pipeline in it.
//
// This folder knows no component: what types exist and which fields each takes comes through SpecLookup, what
// stands outside the file through Environment. Parsing is pure but for those two. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "config/diagnostic.h"
#include "config/environment.h"
#include "config/field_spec.h"
#include "config/settings.h"

namespace tidemark::config {

class SpecLookup {
 public:
  virtual ~SpecLookup() = default;
  // Null when there is no such type. `kind` is "source", "sink", "transform", "position", "dead_letters", "stats", or
  // one of "server", "guard", "guard_rule", "guard_webhook", "guard_audit" with an empty type.
  // The spec outlives everything that was parsed with it.
  virtual const ComponentSpec* find(std::string_view kind, std::string_view type) const = 0;
  // Every type of the kind, for suggestions.
  virtual std::vector<std::string> types(std::string_view kind) const = 0;
};

// A SpecLookup over specs that live elsewhere.
class SpecList final : public SpecLookup {
 public:
  void add(const ComponentSpec& spec) { specs_.insert_or_assign({spec.kind, spec.type}, &spec); }
  const ComponentSpec* find(std::string_view kind, std::string_view type) const override;
  std::vector<std::string> types(std::string_view kind) const override;

 private:
  std::map<std::pair<std::string, std::string>, const ComponentSpec*> specs_;
};

struct Component {
  std::string type;
  Settings settings;
  const ComponentSpec* spec = nullptr;  // never null after a parse without errors
};

struct PipelineConfig {
  std::string name;
  Settings frame;  // of pipeline_spec()
  Component source;
  std::vector<Component> transforms;  // in file order
  Component sink;
  std::optional<Component> position;
  std::optional<Component> dead_letters;
  std::string where;  // "orders.toml:3:1, pipeline"
};

// `[guard]` and the tables below it.
struct GuardConfig {
  Settings frame;
  std::vector<Settings> rules;     // [[guard.rule]], in file order, like the rest
  std::vector<Settings> webhooks;  // [[guard.webhook]]
  std::vector<Settings>
      audits;  // [[guard.audit]]: each of a pipeline of the file, a kind of each at most once
};

struct File {
  std::string path;
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;            // empty = standard error
  std::optional<Settings> server;  // [server]
  std::vector<Component> stats;    // [[stats]]
  std::optional<GuardConfig> guard;
  std::vector<PipelineConfig> pipelines;

  // Null when there is no such pipeline.
  const PipelineConfig* find(std::string_view name) const;
};

struct ParseResult {
  std::optional<File> file;             // there exactly when no diagnostic is an error
  std::vector<Diagnostic> diagnostics;  // all of them, in file order

  bool ok() const { return file.has_value(); }
};

inline constexpr size_t kConfigBytesMax = 1 << 20;
inline constexpr size_t kPipelinesMax = 256;
inline constexpr size_t kTransformsMax = 64;
inline constexpr size_t kStatsMax = 16;
inline constexpr size_t kGuardRulesMax = 256;
inline constexpr size_t kGuardWebhooksMax = 16;
inline constexpr size_t kGuardAuditsMax = 2 * kPipelinesMax;

// `path` is for messages only; `text` is the file's content.
ParseResult parse(std::string path, std::string_view text, const SpecLookup& specs,
                  const Environment& environment);

}  // namespace tidemark::config
