// Shutdown as an ordered list of named steps. Each step says which bug an earlier or later place would be;
// the log names each as it runs.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

class ShutdownSequence {
 public:
  struct Step {
    std::string name;             // "close the source"
    std::string breaks_if_moved;  // what goes wrong when it runs elsewhere in the order
    std::function<void()> run;
  };

  explicit ShutdownSequence(std::string owner) : owner_(std::move(owner)) {}

  void add(Step step) { steps_.push_back(std::move(step)); }
  // Runs every step once, in order, on the calling thread.
  void run();
  const std::vector<Step>& steps() const { return steps_; }

 private:
  std::string owner_;
  std::vector<Step> steps_;
};

}  // namespace tidemark
