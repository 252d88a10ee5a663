// Puts a document into an envelope: wraps it under one name and sets times and constants beside it.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const TransformComponent& enrich_transform_component();

}  // namespace tidemark
