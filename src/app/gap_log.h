// The record of gaps: every time an operator moves a position, what was left out is written down beside the
// configuration, in FILE.gaps.jsonl, one JSON object a line, durable before the position moves.
#pragma once

#include <string>
#include <vector>

#include "core/position.h"
#include "env/file_system.h"

namespace tidemark::app {

struct Gap {
  std::string pipeline;
  std::string action;        // "set" or "reset"
  std::string from;          // token of the position that was left; empty when there was none
  std::string to;            // token of the new one; empty after a reset
  int64_t from_seconds = 0;  // cluster times
  int64_t to_seconds = 0;
  int64_t at_ms = 0;
};

std::string gap_log_path(const std::string& config_path);
Status record_gap(FileSystem& files, const std::string& config_path, const Gap& gap);
// How many gaps were recorded for the pipeline; 0 when there is no record.
Result<size_t> count_gaps(FileSystem& files, const std::string& config_path, const std::string& pipeline);

}  // namespace tidemark::app
