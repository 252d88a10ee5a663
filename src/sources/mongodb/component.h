// The source `mongodb`: a change stream of a collection, a database or a whole deployment. docs/delivery.md
// says what it promises; sources/mongodb/stream_source.h is the implementation.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SourceComponent& mongodb_source_component();

}  // namespace tidemark
