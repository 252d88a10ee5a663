// `tidemark check FILE --event EVENT`: what the transforms make of one event, without a server.
#include "cli/check_event.h"

#include <cstdio>

#include "app/exit_codes.h"
#include "bson/json.h"
#include "cloudevents/parser.h"

namespace tidemark::cli {
namespace {

constexpr uint64_t kEventBytesMax = 16 << 20;

// A document that is no change event yet stands for the insert of it.
bson::Document as_change_event(bson::View document) {
  bson::Builder id, ns, key, event;
  id.append("_data", "check");
  if (document.find("operationType")) {
    if (document.find("_id")) return bson::Document(document);
    return event.append("_id", id.view()).concat(document).finish();
  }
  ns.append("db", "check").append("coll", "check");
  event.append("_id", id.view()).append("operationType", "insert").append("ns", ns.view());
  if (const auto field = document.find("_id")) event.append("documentKey", key.append("_id", *field).view());
  return event.append("fullDocument", document).finish();
}

Result<Event> read_event(const std::string& path, std::string_view text, EventBatch& batch) {
  TIDEMARK_ASSIGN(const bson::Document document, bson::Document::from_json(text));
  if (!document.view().find("specversion")) return parse_change_event(batch.store(as_change_event(document)));
  cloudevents::Parser parser;
  const cloudevents::Problems problems = parser.structured(text, {}, batch);
  if (!problems.empty())
    return fail(React::kConfig, path + ": not a CloudEvent: " + cloudevents::describe(problems));
  return batch.events().front();
}

// Prints what becomes of the event; the exit code.
int show(const config::PipelineConfig& pipeline, const PipelineParts& parts, Event event, EventBatch& batch) {
  for (size_t i = 0; i < parts.transforms.size(); ++i) {
    const std::string& type = pipeline.transforms[i].type;
    const auto verdict = parts.transforms[i]->apply(event, batch);
    if (!verdict) {
      std::printf("%s: rejected by transform %zu (%s): %s\n", pipeline.name.c_str(), i + 1, type.c_str(),
                  verdict.error().describe().c_str());
      return kData;
    }
    if (*verdict == Transform::Verdict::kDrop) {
      std::printf("%s: dropped by transform %zu (%s)\n", pipeline.name.c_str(), i + 1, type.c_str());
      return kOk;
    }
  }
  const bson::View shown = event.after ? event.after : event.raw;
  std::printf("%s: kept\n%s\n", pipeline.name.c_str(),
              bson::to_json(shown, bson::JsonMode::kRelaxed).c_str());
  return kOk;
}

}  // namespace

int check_event(App& app, const config::File& file, const CheckOptions& options) {
  const auto text = app.files.read_file(options.event, kEventBytesMax);
  if (!text) return report(text.error());
  int code = kOk;
  for (const config::PipelineConfig& pipeline : file.pipelines) {
    if (!options.only.empty() && pipeline.name != options.only) continue;
    auto parts = build_pipeline(pipeline, app.components, app.context());
    if (!parts) return report(parts.error());
    EventBatch batch;
    auto event = read_event(options.event, *text, batch);
    if (!event) {
      report(event.error());
      return kConfig;
    }
    code = std::max(code, show(pipeline, *parts, *event, batch));
  }
  return code;
}

}  // namespace tidemark::cli
