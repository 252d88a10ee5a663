// Dead letters in an SQLite database: the store `sqlite`. One row a letter, readable with any SQLite tool. Made by the
// composition root; one thread at a time. The running pipeline and the commands that list, retry and discard open the
// same file at the same time, each with a store of its own.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const DeadLettersComponent& sqlite_dead_letters_component();

}  // namespace tidemark
