// Binary mode: attributes in HTTP headers and data as the body, put together as one CloudEvent in structured JSON.
// Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "cloudevents/parser.h"

namespace tidemark::cloudevents {

// What the body becomes in structured JSON.
enum class DataForm { kNone, kJson, kText, kBase64 };
DataForm data_form(std::string_view content_type, std::string_view body);

// Writes the event to `out`. REQUIRES, for kJson, that `body` was found to be one JSON value: it goes in as it is.
// The result's values are yet to be checked by the rules of structured JSON; `problems` names what has no JSON at all:
// header values that are no UTF-8, the same header twice.
void compose_binary(std::string_view content_type, Headers headers, std::string_view body, DataForm form,
                    std::string& out, Problems& problems);

// The same place as the structured form names it, as binary mode does: "id" -> "ce-id", "data.a" -> "body.a".
std::string binary_place(std::string_view where);

void append_base64(std::string_view bytes, std::string& out);

}  // namespace tidemark::cloudevents
