// Keeps or drops whole change events by a predicate in MongoDB's query language.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/transform.h"

namespace tidemark {

const config::ComponentSpec& filter_transform_spec();

Result<std::unique_ptr<Transform>> make_filter_transform(const config::Settings& settings,
                                                         const ComponentContext& context);

}  // namespace tidemark
