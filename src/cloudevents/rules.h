// What CloudEvents 1.0 says about single values: attribute names and values, media types. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::cloudevents {

// Each check of a value returns what is wrong, as the rest of a sentence that begins with the value's name ("is
// empty"), or nothing.
using Flaw = const char*;

// Lower-case letters and digits, no more than kAttributeNameBytesMax.
bool is_attribute_name(std::string_view name);

// A string attribute by its name: the rules that all share (no control characters, bounds), and those of specversion,
// id, source, type, subject, time, datacontenttype and dataschema.
Flaw check_attribute(std::string_view name, std::string_view value);

Flaw check_base64(std::string_view text);
// RFC 3339, with real dates; a leap second is one.
bool is_rfc3339(std::string_view text);
bool is_utf8(std::string_view text);

// "Application/JSON; charset=UTF-8" as type "application/json" and charset "utf-8".
struct MediaType {
  std::string type;     // lower case; empty when there is none
  std::string charset;  // lower case; empty when not named
  bool is_json() const;
  bool is_text() const { return type.starts_with("text/"); }
  bool is_utf8() const { return charset.empty() || charset == "utf-8" || charset == "us-ascii"; }
};
// Empty when it isn't a media type (RFC 9110, 8.3.1).
std::optional<MediaType> parse_media_type(std::string_view text);

}  // namespace tidemark::cloudevents
