// Dead letters in a MongoDB collection: the store `mongodb`. One document a letter, written to the majority, readable with
// any client. Made by the composition root; one thread at a time. The running pipeline and the commands that list, retry
// and discard use the same collection at the same time, each with a store of its own.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/dead_letters.h"

namespace tidemark {

config::ComponentSpec mongodb_dead_letters_spec();

// Checks the URI; connects to nothing.
Result<std::unique_ptr<DeadLetterStore>> make_mongodb_dead_letters(const config::Settings& settings,
                                                                   const ComponentContext& context);

}  // namespace tidemark
