// The order in which a process with several pipelines ends, as named steps (docs/delivery.md, docs/adr): what a client
// was promised is kept, what is in flight is finished and acknowledged, and nothing new begins.
#pragma once

#include <functional>
#include <vector>

#include "runtime/runner.h"
#include "runtime/shutdown.h"

namespace tidemark::app {

// What the plan needs to know of each pipeline.
struct PlannedPipeline {
  PipelineRunner* runner = nullptr;
  std::string source_type;
  std::string sink_type;
};

struct PlannedHooks {
  std::function<void()> silence_guard;   // it raises nothing more; doesn't wait for what it has under way
  std::function<void()> stop_accepting;  // no more HTTP requests; returns once those in flight are answered
  std::function<void()> stop_watching;   // monitors, stats and guard; returns when their threads have ended
  std::function<void()> close_server;    // sockets of the page's readers
};

// The seven steps over `pipelines`, whose runners outlive the sequence; with a guard there is one before them.
ShutdownSequence plan_shutdown(std::vector<PlannedPipeline> pipelines, PlannedHooks hooks);

}  // namespace tidemark::app
