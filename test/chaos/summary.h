// What a run of the chaos says: a line as each trial fails, and the figures in the end. One thread.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "chaos/worker.h"

namespace tidemark::chaos {

class Summary {
 public:
  Summary(size_t expected, const RunOptions& options);

  // One line of a worker's.
  void take(const std::string& line);
  // A worker ended in a way of its own.
  void broke(const std::string& words);
  // Prints the figures. The exit code: 0 when every trial held.
  int finish();

 private:
  void print_failure(const Report& report) const;
  void print_missed() const;
  void print_stock_table() const;

  const size_t expected_;
  const RunOptions options_;
  const std::chrono::nanoseconds begun_;
  std::vector<Report> reports_;
  std::vector<std::string> broken_;
  size_t failed_ = 0;
};

// The Markdown table of --stock.
std::string stock_table(const std::vector<Report>& reports, const std::string& command);

}  // namespace tidemark::chaos
