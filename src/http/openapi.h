// The OpenAPI document, compiled in from openapi.json. Immutable.
#pragma once

#include <string_view>

namespace tidemark::http {

std::string_view openapi_document();

}  // namespace tidemark::http
