// The source `mongodb`: a change stream of a collection, a database or a whole deployment. docs/delivery.md
// says what it promises; sources/mongodb/stream_source.h is the implementation.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/source.h"

namespace tidemark {

const config::ComponentSpec& mongodb_source_spec();

// Checks the URI and the filter; connects to nothing.
Result<std::unique_ptr<Source>> make_mongodb_source(const config::Settings& settings,
                                                    const ComponentContext& context);

}  // namespace tidemark
