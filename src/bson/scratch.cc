#include "bson/scratch.h"

namespace tidemark::bson {

Builder& scratch_builder() {
  thread_local Builder builder;
  if (builder.raw()->len > kScratchKeptBytes) {
    bson_destroy(builder.raw());
    bson_init(builder.raw());
  } else {
    builder.clear();
  }
  return builder;
}

}  // namespace tidemark::bson
