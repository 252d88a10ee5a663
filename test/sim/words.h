// Inputs and actions of the core in words, for the schedule of a seed that failed. Pure.
#pragma once

#include <string>

#include "core/pipeline_core.h"

namespace tidemark::sim {

std::string words_of(const Input& input);
std::string words_of(const Action& action);

}  // namespace tidemark::sim
