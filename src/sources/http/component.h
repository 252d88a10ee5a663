// The source `http`: CloudEvents that clients post to the program's own server. Its position is the answer that a client
// waits for: saving a position answers every request up to it with "accepted", and what is never saved is never
// accepted. Nothing is kept across a restart; a client without an answer sends again, so delivery is at least once.
//
// Made by the composition root, run by the pipeline's threads; the Inlet that it offers on the plugboard is called by
// the server's and outlives it.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SourceComponent& http_source_component();

}  // namespace tidemark
