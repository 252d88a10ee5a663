// Sets fields of a document by the first of a list of rules that it matches.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/transform.h"

namespace tidemark {

const config::ComponentSpec& classify_transform_spec();

Result<std::unique_ptr<Transform>> make_classify_transform(const config::Settings& settings,
                                                           const ComponentContext& context);

}  // namespace tidemark
