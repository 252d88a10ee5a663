// Sets fields of a document by the first of a list of rules that it matches.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const TransformComponent& classify_transform_component();

}  // namespace tidemark
