// Keeps or drops whole change events by a predicate in MongoDB's query language.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const TransformComponent& filter_transform_component();

}  // namespace tidemark
