// The product's own shutdown over simulated pipelines: the steps of app::plan_shutdown and of PipelineRunner, run on one
// thread. The runners are real and never started; where one of them would join a thread, which its log says, the simulation
// goes on until that thread would have ended. Whatever a step closes is looked at: nothing may be in use. One thread.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "runtime/runner.h"
#include "sim/pipeline.h"

namespace tidemark::sim {

class Shutdown {
 public:
  // `move_on` lets the process do one more step of its own.
  Shutdown(Surroundings& around, std::vector<Pipeline*> pipelines, std::function<void()> move_on);

  // The whole process ends, by plan.
  void run_plan();
  // One pipeline has ended by itself and is put away.
  void run_join();

  // --- what the seams report
  void delivery_stopped(Pipeline& pipeline);
  void source_closed(Pipeline& pipeline);
  void sink_closed(Pipeline& pipeline);
  void lease_given_back(Pipeline& pipeline);

 private:
  // What one pipeline's runner has closed.
  struct Closed {
    int source = 0;
    int sinks = 0;
    int lease = 0;
  };

  std::unique_ptr<PipelineRunner> runner_for(Pipeline& pipeline);
  void said(std::string_view line);
  void wait_for(Pipeline& pipeline, std::string_view step);
  void answer_requests();
  // The steps of docs/adr/0019, by what they do: none comes after a later one.
  void reached(int step, std::string_view what);
  void check_closed();
  Closed& of(const Pipeline& pipeline);

  Surroundings& around_;
  const std::vector<Pipeline*> pipelines_;
  const std::function<void()> move_on_;
  std::vector<Closed> closed_;
  int step_ = 0;
  bool planned_ = false;
};

}  // namespace tidemark::sim
