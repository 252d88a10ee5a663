// Puts a document into an envelope: wraps it under one name and sets times and constants beside it.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/transform.h"

namespace tidemark {

const config::ComponentSpec& enrich_transform_spec();

Result<std::unique_ptr<Transform>> make_enrich_transform(const config::Settings& settings,
                                                         const ComponentContext& context);

}  // namespace tidemark
