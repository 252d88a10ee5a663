#include "cloudevents/rules.h"

#include <algorithm>
#include <array>

#include <bson/bson.h>

#include "cloudevents/parser.h"

namespace tidemark::cloudevents {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// tchar of RFC 9110, 5.6.2.
bool is_token_char(char c) {
  return is_digit(c) || is_alpha(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// U+0000 to U+001F and U+007F to U+009F, which the String type excludes. REQUIRES well-formed UTF-8.
bool has_control(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

// U+FFFE, U+FFFF and their like at the end of each plane, and U+FDD0 to U+FDEF. REQUIRES well-formed UTF-8.
bool has_noncharacter(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    if (at(i) == 0xef && at(i + 1) == 0xb7 && at(i + 2) >= 0x90 && at(i + 2) <= 0xaf) return true;
    if (at(i) == 0xef && at(i + 1) == 0xbf && at(i + 2) >= 0xbe) return true;
    if (at(i) >= 0xf0 && i + 3 < text.size() && (at(i + 1) & 0x0f) == 0x0f && at(i + 2) == 0xbf &&
        at(i + 3) >= 0xbe)
      return true;
  }
  return false;
}

// A reference may be nearly any text without blanks; letters beyond ASCII are let through (RFC 3987), because many
// producers send them and nothing here takes a source apart.
Flaw check_uri_reference(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') return "is not a URI reference: it has a space";
    if (std::string_view("<>\"{}|\\^`").find(c) != std::string_view::npos)
      return "is not a URI reference: it has a character that must be percent-encoded";
    if (c == '%' && (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])))
      return "is not a URI reference: a % isn't followed by two hexadecimal digits";
  }
  return nullptr;
}

Flaw check_absolute_uri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_alpha(text[0]))
    return "is not an absolute URI: it begins with no scheme";
  for (const char c : text.substr(0, colon))
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.')
      return "is not an absolute URI: it begins with no scheme";
  return check_uri_reference(text) == nullptr ? nullptr : "is not a URI";
}

// Reads `width` digits from the front; -1 when there are none.
int take_number(std::string_view& text, size_t width) {
  if (text.size() < width) return -1;
  int value = 0;
  for (size_t i = 0; i < width; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || lower(text.front()) != c) return false;
  text.remove_prefix(1);
  return true;
}

int days_in(int year, int month) {
  constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

bool take_offset(std::string_view& text) {
  if (take(text, 'z')) return true;
  if (!take(text, '+') && !take(text, '-')) return false;
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return false;
  const int minute = take_number(text, 2);
  return minute >= 0 && minute <= 59;
}

}  // namespace

bool is_attribute_name(std::string_view name) {
  return !name.empty() && name.size() <= kAttributeNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); });
}

Flaw check_attribute(std::string_view name, std::string_view value) {
  if (name == "specversion") return value == "1.0" ? nullptr : "is not \"1.0\", the version read here";
  const bool identity = name == "id" || name == "source";
  if (identity && value.size() > kIdentityBytesMax) return "is longer than 1024 bytes";
  if (value.size() > kAttributeBytesMax) return "is longer than 8192 bytes";
  if (has_control(value)) return "has a control character";
  if (has_noncharacter(value)) return "has a code point that is no character";
  const bool standard = identity || name == "type" || name == "subject" || name == "time" ||
                        name == "datacontenttype" || name == "dataschema";
  if (standard && value.empty()) return "is empty";
  if (name == "source") return check_uri_reference(value);
  if (name == "time")
    return is_rfc3339(value) ? nullptr : "is not a time in RFC 3339 (\"2024-05-01T12:00:00Z\")";
  if (name == "datacontenttype") return parse_media_type(value) ? nullptr : "is not a media type";
  if (name == "dataschema") return check_absolute_uri(value);
  return nullptr;
}

Flaw check_base64(std::string_view text) {
  constexpr const char* kFlaw = "is not base64";
  if (text.size() % 4 != 0) return "is not base64: its length isn't a multiple of four";
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  for (const char c : text.substr(0, text.size() - padding))
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '/') return kFlaw;
  return nullptr;
}

bool is_rfc3339(std::string_view text) {
  const int year = take_number(text, 4);
  if (year < 0 || !take(text, '-')) return false;
  const int month = take_number(text, 2);
  if (month < 1 || month > 12 || !take(text, '-')) return false;
  const int day = take_number(text, 2);
  if (day < 1 || day > days_in(year, month) || !take(text, 't')) return false;
  const int hour = take_number(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return false;
  const int minute = take_number(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ':')) return false;
  const int second = take_number(text, 2);
  if (second < 0 || second > 60) return false;
  if (take(text, '.')) {
    if (text.empty() || !is_digit(text.front())) return false;
    while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
  }
  return take_offset(text) && text.empty();
}

bool is_utf8(std::string_view text) {
  return text.empty() || bson_utf8_validate(text.data(), text.size(), true);
}

bool MediaType::is_json() const {
  return type == "application/json" || type == "text/json" || type.ends_with("+json");
}

std::optional<MediaType> parse_media_type(std::string_view text) {
  MediaType media;
  size_t semicolon = text.find(';');
  const std::string_view type = trim(text.substr(0, semicolon));
  const size_t slash = type.find('/');
  if (slash == std::string_view::npos || !is_token(type.substr(0, slash)) ||
      !is_token(type.substr(slash + 1)))
    return std::nullopt;
  media.type = to_lower(type);
  while (semicolon != std::string_view::npos) {
    text.remove_prefix(semicolon + 1);
    // A semicolon within quotes belongs to the value.
    bool quoted = false;
    semicolon = std::string_view::npos;
    for (size_t i = 0; i < text.size() && semicolon == std::string_view::npos; ++i) {
      if (quoted && text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        quoted = !quoted;
      else if (!quoted && text[i] == ';')
        semicolon = i;
    }
    if (quoted) return std::nullopt;
    const std::string_view parameter = trim(text.substr(0, semicolon));
    if (parameter.empty()) continue;
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || !is_token(parameter.substr(0, equals))) return std::nullopt;
    std::string_view value = parameter.substr(equals + 1);
    const bool quotes = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    if (quotes) value = value.substr(1, value.size() - 2);
    if (!quotes && !is_token(value)) return std::nullopt;
    if (to_lower(parameter.substr(0, equals)) == "charset") media.charset = to_lower(value);
  }
  return media;
}

std::optional<Form> form_of(std::string_view content_type, bool ce_headers) {
  const auto media = parse_media_type(content_type);
  if (media && media->type.starts_with("application/cloudevents")) {
    if (!media->is_utf8()) return std::nullopt;
    if (media->type == kStructuredType) return Form::kStructured;
    if (media->type == kBatchType) return Form::kBatch;
    return std::nullopt;  // another event format
  }
  if (!ce_headers) return std::nullopt;
  return Form::kBinary;
}

}  // namespace tidemark::cloudevents
