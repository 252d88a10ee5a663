// Changes the shape of documents: keeps or removes fields, renames them.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const TransformComponent& project_transform_component();

}  // namespace tidemark
