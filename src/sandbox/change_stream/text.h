// Documents as they stand in the server's error messages. Pure functions.
#pragma once

#include <string>

#include "bson/document.h"

namespace tidemark::sandbox {

// {a: 1, b: "x"}: how the aggregation engine prints a document.
std::string document_text(bson::View document);
// { a: 1, b: "x" }: how the server prints BSON; {} stays {}.
std::string bson_text(bson::View document);

}  // namespace tidemark::sandbox
