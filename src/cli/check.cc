// `tidemark check`: everything that can be known about a configuration before it runs.
#include <cstdio>

#include "app/exit_codes.h"
#include "app/guard_service.h"
#include "cli/check_event.h"
#include "cli/commands.h"
#include "core/deployment.h"
#include "http/certificate.h"
#include "http/server.h"
#include "runtime/names.h"

namespace tidemark::cli {
namespace {

void print_pipeline(const config::PipelineConfig& pipeline, const PipelineParts& parts) {
  std::printf("%s: %s -> %s", pipeline.name.c_str(), parts.source->identity().summary.c_str(),
              pipeline.sink.type.c_str());
  if (!parts.transforms.empty()) std::printf(", %zu transform(s)", parts.transforms.size());
  if (parts.limits.lanes > 1) std::printf(", %d lanes", parts.limits.lanes);
  std::printf("\n");
}

// Whether the stored position is of this deployment, as `run` will ask.
int check_origin(const StoredPosition& stored, const std::string& now) {
  switch (compare_deployments(stored.deployment, now)) {
    case Sameness::kSame:
      break;
    case Sameness::kUntold:
      std::printf("  note: %s\n", std::string(kUntoldOrigin).c_str());
      break;
    case Sameness::kOther:
      return report(
          Error{React::kConfig, "the stored position belongs to " + difference_of(stored.deployment, now),
                "point the source at the right deployment; if it is the right one: tidemark position set"});
  }
  return kOk;
}

std::string plural(size_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

// Reaches every server of the pipeline once. The code of the first that fails.
int connect(PipelineParts& parts) {
  const auto health = parts.source->health({});
  if (!health) {
    const int code = report(health.error());
    return code == kTemporary ? kUnavailable : code;
  }
  const Deployment deployment = Deployment::parse(health->deployment);
  std::string told(deployment_name(health->deployment));
  if (deployment.name == "sharded")
    told = "sharded cluster " + deployment.id;
  else if (parts.source->own_positions() == nullptr)
    told = "replica set " + told;
  std::printf("  source: %s, %s\n", health->server.c_str(), told.c_str());
  const auto notes = parts.source->rehearse({});
  if (!notes) {
    parts.source->close();
    const int code = report(notes.error());
    return code == kTemporary ? kUnavailable : code;
  }
  for (const std::string& note : *notes) std::printf("  note: %s\n", note.c_str());
  if (health->delivery_limit)
    std::printf(
        "  note: the queue drops a message that came back %llu times (its delivery limit): lift it, or give "
        "the queue a "
        "dead-letter exchange\n",
        static_cast<unsigned long long>(*health->delivery_limit));
  if (parts.starts_by_itself) {
    parts.source->close();
    return kOk;
  }
  const auto stored = parts.position_store().peek(parts.name, {});
  if (!stored) {
    const int code = report(stored.error());
    return code == kTemporary ? kUnavailable : code;
  }
  parts.source->close();
  std::printf("  position (%s): %s\n", parts.position_store().describe().c_str(),
              *stored ? "stored" : "none yet; tidemark position init decides where to start");
  return *stored ? check_origin(**stored, health->deployment) : kOk;
}

// The same for the sink, as far as it can be looked at without changing anything, and for the dead letters.
int connect_beyond(App& app, const config::PipelineConfig& pipeline, PipelineParts& parts) {
  const auto unreachable = [](const Error& error) {
    const int code = report(error);
    return code == kTemporary ? static_cast<int>(kUnavailable) : code;
  };
  if (const Preflight& look = app.components.sinks.get(pipeline.sink.type).preflight) {
    ComponentContext context = app.context();
    context.pipeline = pipeline.name;
    const auto notes = look(pipeline.sink.settings, context, {});
    if (!notes) return unreachable(notes.error());
    for (const std::string& note : *notes) std::printf("  note: %s\n", note.c_str());
  }
  if (!parts.dead_letters) return kOk;
  if (const Status opened = parts.dead_letters->open({}); !opened) return unreachable(opened.error());
  const auto letters = parts.dead_letters->count(parts.name);
  if (!letters) return unreachable(letters.error());
  std::printf("  dead letters: %llu\n", static_cast<unsigned long long>(*letters));
  return kOk;
}

// [server] and [[stats]]: what can be known without a connection.
int check_server(App& app, const config::File& file) {
  int code = kOk;
  if (file.server) {
    const auto options = http::server_options(*file.server, app.files);
    if (!options) {
      code = report(options.error());
    } else if (Status good = http::check_validity(options->tls_pair, app.clock.wall_ms()); !good) {
      code = report(good.error());
    }
  }
  for (const config::Component& stats : file.stats) {
    const StatsComponent& type = app.components.stats.get(stats.type);
    if (const auto probe = type.make(stats.settings, app.context()); !probe)
      code = std::max(code, report(probe.error()));
  }
  return code;
}

}  // namespace

int check_command(App& app, const CheckOptions& options) {
  const auto file = load(app, options.file);
  if (!file) return kConfig;
  if (!options.only.empty() && find_pipeline(*file, options.only) == nullptr) return kUsage;
  if (!options.event.empty()) return check_event(app, *file, options);
  int code = check_server(app, *file);
  for (const config::PipelineConfig& pipeline : file->pipelines) {
    if (!options.only.empty() && pipeline.name != options.only) continue;
    auto parts = build_pipeline(pipeline, app.components, app.context());
    if (!parts) {
      code = std::max(code, report(parts.error()));
      continue;
    }
    print_pipeline(pipeline, *parts);
    if (const Status named = check_names(pipeline, app.components); !named)
      code = std::max(code, report(named.error()));
    for (const std::string& warning : name_warnings(pipeline, app.components))
      std::fprintf(stderr, "tidemark: warning: %s\n", warning.c_str());
    if (options.connect) {
      code = std::max(code, connect(*parts));
      code = std::max(code, connect_beyond(app, pipeline, *parts));
    }
  }
  // Its parts are the pipelines' own: what is wrong with those was said above.
  if (file->guard && code == kOk) {
    if (const Status checked = check_guard(app, *file, options.only); !checked)
      code = report(checked.error());
    else
      std::printf("guard: %s, %s\n", plural(file->guard->audits.size(), "audit").c_str(),
                  plural(file->guard->webhooks.size(), "webhook").c_str());
  }
  if (code == kOk) std::printf("%s: ok\n", options.file.c_str());
  return code;
}

}  // namespace tidemark::cli
