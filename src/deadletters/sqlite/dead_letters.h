// Dead letters in an SQLite database: the store `sqlite`. One row a letter, readable with any SQLite tool. Made by the
// composition root; one thread at a time. The running pipeline and the commands that list, retry and discard open the
// same file at the same time, each with a store of its own.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/dead_letters.h"

namespace tidemark {

config::ComponentSpec sqlite_dead_letters_spec();

Result<std::unique_ptr<DeadLetterStore>> make_sqlite_dead_letters(const config::Settings& settings,
                                                                  const ComponentContext& context);

}  // namespace tidemark
