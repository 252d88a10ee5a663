// One Builder a thread for hot paths that build a document, hand it on as a copy and forget it: its memory is reused, so
// that such a path allocates nothing once it is warm.
#pragma once

#include "bson/document.h"

namespace tidemark::bson {

// The calling thread's builder, emptied. What is built in it is valid until the next call on the same thread; no two uses
// may overlap. It keeps at most kScratchKeptBytes of memory from one use to the next.
Builder& scratch_builder();

inline constexpr uint32_t kScratchKeptBytes = 1 << 20;

}  // namespace tidemark::bson
