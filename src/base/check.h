// Assertions that stay on in release builds: a broken invariant of our own must stop the program before it
// can save a position that isn't true. Never for input, files or servers: those return an Error.
#pragma once

#include <cstdio>
#include <cstdlib>

#define TIDEMARK_CHECK(condition, message)                                                                 \
  do {                                                                                                     \
    if (!(condition)) [[unlikely]] {                                                                       \
      std::fprintf(stderr, "%s:%d: broken invariant: %s (%s)\n", __FILE__, __LINE__, message, #condition); \
      std::abort();                                                                                        \
    }                                                                                                      \
  } while (false)
