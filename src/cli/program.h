// The program behind main(): parses the command line and runs one command. Apart from main.cc so that the benchmarks'
// binary, which counts allocations, is the same program.
#pragma once

#include <cstdint>

namespace tidemark::cli {

// `allocations`, if any, counts the heap allocations of the process so far. Returns the exit code.
int run_program(int argc, char** argv, uint64_t (*allocations)());

}  // namespace tidemark::cli
