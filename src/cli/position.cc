// `tidemark position`: the only way a position comes into being. `run` never makes one up.
#include "core/position.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "app/exit_codes.h"
#include "app/gap_log.h"
#include "app/start_point.h"
#include "cli/commands.h"
#include "core/deployment.h"

namespace tidemark::cli {
namespace {

void print_position(const PositionOptions& options, const std::optional<StoredPosition>& stored) {
  const bson::Timestamp time = stored ? token_time(stored->position.token()) : bson::Timestamp{};
  if (options.json) {
    nlohmann::json shown = {{"pipeline", options.pipeline}, {"position", nullptr}};
    if (stored) {
      shown["position"] = {{"token", token_data(stored->position.token())},
                           {"time", time.seconds > 0 ? format_rfc3339(time.seconds) : ""},
                           {"saved_at", format_rfc3339(stored->saved_at_ms / 1000)},
                           {"deployment", deployment_name(stored->deployment)},
                           {"fingerprint", stored->fingerprint},
                           {"epoch", stored->epoch}};
    }
    std::printf("%s\n", shown.dump(2).c_str());
    return;
  }
  if (!stored) {
    std::printf("%s: no position stored\n", options.pipeline.c_str());
    return;
  }
  const std::string at = time.seconds > 0 ? format_rfc3339(time.seconds) : std::string();
  std::printf("%s\n  token         %s\n  cluster time  %s\n  saved at      %s\n  deployment    %s\n",
              options.pipeline.c_str(), std::string(token_data(stored->position.token())).c_str(),
              at.empty() ? "unknown" : (at + "  (--from time:" + at + ")").c_str(),
              format_rfc3339(stored->saved_at_ms / 1000).c_str(),
              std::string(deployment_name(stored->deployment)).c_str());
}

// What was between the old position and the new one is the operator's to answer for: it is written down
// first.
Status record(App& app, const PositionOptions& options, const StoredPosition* left, const Position* next) {
  Gap gap;
  gap.pipeline = options.pipeline;
  gap.action = options.action;
  gap.at_ms = app.clock.wall_ms();
  if (left != nullptr) {
    gap.from = token_data(left->position.token());
    gap.from_seconds = token_time(left->position.token()).seconds;
  }
  if (next != nullptr) {
    gap.to = token_data(next->token());
    gap.to_seconds = token_time(next->token()).seconds;
  }
  return record_gap(app.files, options.file, gap);
}

int usage(const std::string& what, const std::string& hint) {
  std::fprintf(stderr, "tidemark: %s\n  what to do: %s\n", what.c_str(), hint.c_str());
  return kUsage;
}

// A deployment in the middle of an election answers a moment later: that is worth a few seconds of a command's time.
constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::milliseconds kAskAgain{200};

Result<SourceHealth> ask_with_patience(App& app, Source& source) {
  const Mono deadline = app.clock.now() + kPatience;
  while (true) {
    auto health = source.health({});
    if (health || health.error().react != React::kRetry || app.clock.now() >= deadline) return health;
    app.clock.sleep_until(app.clock.now() + kAskAgain, {});
  }
}

int reset(App& app, const PositionOptions& options, PipelineParts& parts) {
  if (!options.yes)
    return usage("position reset forgets where \"" + options.pipeline + "\" stands",
                 "repeat the command with --yes");
  PositionStore& store = parts.position_store();
  // A corrupt position can be forgotten too: acquire would refuse to read it.
  const auto stored = store.acquire({parts.name, parts.source->identity().fingerprint, {}}, {});
  if (!stored && stored.error().react != React::kCorrupt) return report(stored.error());
  const StoredPosition* left = stored && *stored ? &**stored : nullptr;
  if (Status recorded = record(app, options, left, nullptr); !recorded) return report(recorded.error());
  if (Status erased = store.erase({}); !erased) return report(erased.error());
  store.release();
  std::printf("%s: position forgotten\n", options.pipeline.c_str());
  return kOk;
}

int init_or_set(App& app, const PositionOptions& options, PipelineParts& parts) {
  if (options.from.empty())
    return usage("position " + options.action + " needs to know where to start",
                 "add --from now|earliest|time:2026-11-22T03:00:00Z|token:HEX");
  const auto start = parse_start_point(options.from);
  if (!start) {
    report(start.error());
    return kUsage;
  }
  const bool replaces = options.action == "set";
  if (replaces && !options.yes)
    return usage(
        "position set leaves out, or delivers again, what lies between the old position and the new one",
        "repeat the command with --yes");
  const auto health = ask_with_patience(app, *parts.source);
  if (!health) return report(health.error()) == kTemporary ? kUnavailable : exit_code(health.error().react);

  PositionStore& store = parts.position_store();
  const auto stored =
      store.acquire({parts.name, parts.source->identity().fingerprint, health->deployment}, {});
  if (!stored && !(replaces && stored.error().react == React::kCorrupt)) {
    const int code = report(stored.error());
    return code == kTemporary ? kUnavailable : code;
  }
  if (stored && *stored && !replaces) {
    print_position(options, *stored);
    return report(Error{React::kConfig, "pipeline \"" + options.pipeline + "\" has a position already",
                        "tidemark position set replaces it"});
  }
  const auto position = parts.source->resolve(*start, {});
  if (!position)
    return report(position.error()) == kTemporary ? kUnavailable : exit_code(position.error().react);
  if (replaces) {
    const StoredPosition* left = stored && *stored ? &**stored : nullptr;
    if (Status recorded = record(app, options, left, &*position); !recorded) return report(recorded.error());
  }
  if (!stored) {  // corrupt: it must be out of the way before another can be saved
    if (Status erased = store.erase({}); !erased) return report(erased.error());
  }
  if (Status saved = store.save(operator_position(*position), {}); !saved) return report(saved.error());
  store.release();
  const auto now_stored = store.peek(parts.name, {});
  if (!now_stored) return report(now_stored.error());
  print_position(options, *now_stored);
  return kOk;
}

}  // namespace

int position_command(App& app, const PositionOptions& options) {
  const auto file = load(app, options.file);
  if (!file) return kConfig;
  const config::PipelineConfig* pipeline = find_pipeline(*file, options.pipeline);
  if (pipeline == nullptr) return kUsage;
  auto parts = build_pipeline(*pipeline, app.components, app.context());
  if (!parts) return report(parts.error());
  if (parts->starts_by_itself)
    return report(Error{React::kConfig,
                        "pipeline \"" + options.pipeline + "\" has no position to " + options.action + ": " +
                            (parts->source->own_positions() != nullptr
                                 ? "its source keeps it by acknowledgements"
                                 : "it lives in memory, and begins at now with the process"),
                        "tidemark status shows what waits at the source"});
  if (options.action == "show") {
    const auto stored = parts->position_store().peek(options.pipeline, {});
    if (!stored) return report(stored.error());
    print_position(options, *stored);
    return *stored ? kOk : kConfig;
  }
  const int code =
      options.action == "reset" ? reset(app, options, *parts) : init_or_set(app, options, *parts);
  parts->source->close();
  return code;
}

}  // namespace tidemark::cli
