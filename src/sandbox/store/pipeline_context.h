// What an aggregation, an update or a filter with $expr may know of its surroundings. Filled by the command
// that runs it and copied into what is parsed; its callbacks are called on the thread that runs the pipeline.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "sandbox/store/command_error.h"
#include "sandbox/store/version.h"

namespace tidemark::sandbox {

struct PipelineContext {
  ServerVersion version = {};
  std::string db = {};
  std::string collection = {};
  int64_t now_ms = 0;                 // $$NOW and $currentDate
  bson::Timestamp cluster_time = {};  // $$CLUSTER_TIME and $currentDate of type timestamp
  bson::Document let = {};            // the command's `let`: values by variable name
  // All documents of another collection of `db`, for $lookup and $unionWith; empty where there is none.
  std::function<std::vector<bson::Document>(std::string_view db, std::string_view collection)>
      read_collection = {};
  // {count, size, avgObjSize, ...} for $collStats; absent: refused.
  std::function<bson::Document(std::string_view db, std::string_view collection)> collection_stats = {};
  // For $sample and $rand; absent: refused.
  std::function<uint64_t()> random = {};
};

}  // namespace tidemark::sandbox
