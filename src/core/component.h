// What a component is made with, beside its own settings. Every outside thing that is not its server comes
// from here.
#pragma once

#include <string>
#include <vector>

#include "core/plugboard.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "env/random.h"

namespace tidemark {

// The pointers outlive the component; none is null unless it says so.
struct ComponentContext {
  std::string pipeline;  // the pipeline's name, for messages
  Clock* clock = nullptr;
  FileSystem* files = nullptr;
  Plugboard* plugboard =
      nullptr;  // where inlets and feeds are offered; null where no server will ask for them
  // What the pipeline's sink makes of the events, for its source: one row per document, so that it needs every document
  // that a rename brings, and a place per collection, so that temporary collections must not reach it.
  bool keeps_documents = false;
  bool keeps_collections_apart = false;
  // Names in the place that the sink writes to which belong to other parts of the pipeline: no event may write there.
  std::vector<std::string> reserved = {};
  int lane = 0;  // which of the sink's lanes this instance serves, from 0
  int lane_count = 1;
};

}  // namespace tidemark
