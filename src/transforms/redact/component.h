// Hides the values of fields, wherever an event carries them: the document, its state before, the update's description,
// the key.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const TransformComponent& redact_transform_component();

}  // namespace tidemark
