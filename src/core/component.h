// What a component is made with, beside its own settings. Every outside thing that is not its server comes
// from here.
#pragma once

#include <string>

#include "env/clock.h"
#include "env/file_system.h"
#include "env/random.h"

namespace tidemark {

// The pointers are never null and outlive the component.
struct ComponentContext {
  std::string pipeline;  // the pipeline's name, for messages
  Clock* clock = nullptr;
  FileSystem* files = nullptr;
  int lane = 0;  // which of the sink's lanes this instance serves, from 0
  int lane_count = 1;
};

}  // namespace tidemark
