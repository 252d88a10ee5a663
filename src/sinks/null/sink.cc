#include "sinks/null/sink.h"

namespace tidemark {

const config::ComponentSpec& null_sink_spec() {
  static const config::ComponentSpec spec{.kind = "sink",
                                          .type = "null",
                                          .summary =
                                              "Takes every event and keeps none: for measuring a source, "
                                              "transforms and the pipeline itself. Needs a "
                                              "`[pipeline.position]`."};
  return spec;
}

Result<std::unique_ptr<Sink>> make_null_sink(const config::Settings&, const ComponentContext&) {
  return std::make_unique<NullSink>();
}

}  // namespace tidemark
