// Dead letters in a MongoDB collection: the store `mongodb`. One document a letter, written to the majority, readable with
// any client. Made by the composition root; one thread at a time. The running pipeline and the commands that list, retry
// and discard use the same collection at the same time, each with a store of its own.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const DeadLettersComponent& mongodb_dead_letters_component();

}  // namespace tidemark
