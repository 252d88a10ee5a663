// Changes the shape of documents: keeps or removes fields, renames them.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/transform.h"

namespace tidemark {

const config::ComponentSpec& project_transform_spec();

Result<std::unique_ptr<Transform>> make_project_transform(const config::Settings& settings,
                                                          const ComponentContext& context);

}  // namespace tidemark
