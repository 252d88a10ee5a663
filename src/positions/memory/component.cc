#include "positions/memory/component.h"

#include "config/fields.h"
#include "positions/memory/store.h"

namespace tidemark {
namespace {

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "position";
  spec.type = "memory";
  spec.summary =
      "Keeps the position in memory alone: it survives a dead cursor, never the process, and what happens "
      "while the process is away is not delivered. For pipelines that are best effort by contract (a sink "
      "`live`), for experiments and benchmarks.";
  spec.fields = {
      choice("start", {"now"},
             "Where the pipeline begins each time the process starts. `now` = behind the newest event.")};
  return spec;
}

Result<std::unique_ptr<PositionStore>> make(const config::Settings&, const ComponentContext& context) {
  return make_memory_store(std::make_shared<PositionShelf>(), context.pipeline, *context.clock);
}

}  // namespace

const PositionComponent& memory_position_component() {
  static const PositionComponent component{.spec = make_spec(), .make = make, .begins_at_now = true};
  return component;
}

}  // namespace tidemark
