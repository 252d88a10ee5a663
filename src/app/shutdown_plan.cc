#include "app/shutdown_plan.h"

#include "base/log.h"

namespace tidemark::app {
namespace {

using Pipelines = std::vector<PlannedPipeline>;
using Pick = bool (*)(const PlannedPipeline&);

bool from_http(const PlannedPipeline& pipeline) { return pipeline.source_type == "http"; }
bool from_queue(const PlannedPipeline& pipeline) { return pipeline.source_type == "rabbitmq"; }
bool from_stream(const PlannedPipeline& pipeline) { return !from_http(pipeline) && !from_queue(pipeline); }
bool to_queue(const PlannedPipeline& pipeline) { return pipeline.sink_type == "rabbitmq"; }

template <class Do>
void each(const Pipelines& pipelines, Pick pick, Do act) {
  for (const PlannedPipeline& pipeline : pipelines)
    if (pick(pipeline)) act(*pipeline.runner);
}

}  // namespace

ShutdownSequence plan_shutdown(Pipelines pipelines, PlannedHooks hooks) {
  ShutdownSequence sequence("process");
  if (hooks.silence_guard) {
    sequence.add({"silence the guard",
                  "later, it would take the end of the pipelines for their failure and call somebody",
                  hooks.silence_guard});
  }
  sequence.add({"stop accepting HTTP and finish the requests in flight",
                "later, a request would find its pipeline gone: 503 for what could have been stored", [=] {
                  if (hooks.stop_accepting) hooks.stop_accepting();
                  each(pipelines, from_http, [](PipelineRunner& runner) { runner.request_stop(); });
                  each(pipelines, from_http, [](PipelineRunner& runner) { runner.wait(); });
                }});
  sequence.add({"cancel the consumers of queues",
                "later, the broker would go on handing out messages that nobody will acknowledge",
                [=] { each(pipelines, from_queue, [](PipelineRunner& runner) { runner.request_stop(); }); }});
  sequence.add({"wait until what is in flight is written and acknowledged",
                "skipped or later, messages that are stored would be delivered and stored a second time",
                [=] { each(pipelines, from_queue, [](PipelineRunner& runner) { runner.wait(); }); }});
  sequence.add({"raise the flag, drop the retry timers, close the change streams",
                "a timer that fires after its cursor is closed opens a stream that nobody closes", [=] {
                  if (hooks.stop_watching) hooks.stop_watching();
                  each(pipelines, from_stream, [](PipelineRunner& runner) { runner.request_stop(); });
                  each(pipelines, from_stream, [](PipelineRunner& runner) { runner.wait(); });
                  each(pipelines, from_stream, [](PipelineRunner& runner) { runner.close_source(); });
                  if (hooks.close_server) hooks.close_server();
                }});
  sequence.add({"close the clients of databases and files",
                "earlier, a write in flight would lose its connection and its outcome", [=] {
                  for (const PlannedPipeline& pipeline : pipelines)
                    if (!to_queue(pipeline)) pipeline.runner->close_sink();
                }});
  sequence.add({"close the channels and connections of queues",
                "earlier, acknowledgements of what is stored would be lost, and all of it delivered again",
                [=] {
                  for (const PlannedPipeline& pipeline : pipelines) {
                    pipeline.runner->close_sink();
                    pipeline.runner->close_source();
                  }
                }});
  sequence.add({"flush the log", "earlier, the last steps would be missing from it", [] { flush_log(); }});
  return sequence;
}

}  // namespace tidemark::app
