// Hides the values of fields, wherever an event carries them: the document, its state before, the update's description,
// the key.
#pragma once

#include <memory>

#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/transform.h"

namespace tidemark {

const config::ComponentSpec& redact_transform_spec();

Result<std::unique_ptr<Transform>> make_redact_transform(const config::Settings& settings,
                                                         const ComponentContext& context);

}  // namespace tidemark
