// `tidemark check FILE --event EVENT`.
#pragma once

#include "cli/commands.h"

namespace tidemark::cli {

// Prints, for each pipeline of the file (or options.only), what its transforms make of the event in the file
// options.event: a CloudEvent, a change event, or a plain document, which stands for its insert. kData when one rejects it.
int check_event(App& app, const config::File& file, const CheckOptions& options);

}  // namespace tidemark::cli
