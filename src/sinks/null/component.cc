#include "sinks/null/component.h"

#include "sinks/null/sink.h"

namespace tidemark {
namespace {

constexpr int kLanesMax = 64;

Result<std::unique_ptr<Sink>> make(const config::Settings&, const ComponentContext&) {
  return std::make_unique<NullSink>();
}

}  // namespace

const SinkComponent& null_sink_component() {
  static const SinkComponent component{
      .spec = {.kind = "sink",
               .type = "null",
               .summary = "Takes every event and keeps none: for measuring a source, transforms and the "
                          "pipeline itself. Needs a `[pipeline.position]`."},
      .plain = make,
      .lanes_max = kLanesMax};
  return component;
}

}  // namespace tidemark
