// Values as the server's error messages print them: { _id: 1, s: "x" }. Pure functions.
#pragma once

#include <string>

#include "bson/document.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {

std::string shell_text(bson::View document);
std::string shell_text(const bson::Element& value);
std::string shell_text(const Value& value);
// {key: value}
std::string shell_field(const bson::Element& element);

}  // namespace tidemark::sandbox
