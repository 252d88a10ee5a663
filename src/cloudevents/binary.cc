#include "cloudevents/binary.h"

#include <algorithm>

#include "bson/json.h"
#include "cloudevents/rules.h"

namespace tidemark::cloudevents {
namespace {

constexpr std::string_view kPrefix = "ce-";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// HTTP binding, 3.1.3.2: double quotes are taken off with their backslashes (older producers send them), then the
// value is percent-decoded, once. False for a % without two digits.
bool decode_header(std::string_view value, std::string& out) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  if (quoted) value = value.substr(1, value.size() - 2);
  for (size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (quoted && c == '\\' && i + 1 < value.size()) c = value[++i];
    if (c != '%') {
      out.push_back(c);
      continue;
    }
    const int high = i + 1 < value.size() ? hex_value(value[i + 1]) : -1;
    const int low = i + 2 < value.size() ? hex_value(value[i + 2]) : -1;
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

void add(Problems& problems, std::string_view where, std::string what) {
  if (problems.size() < Answer::kProblemsMax) problems.push_back({std::string(where), std::move(what)});
}

void append_header(const std::pair<std::string, std::string>& header, std::string& out, Problems& problems) {
  const auto& [field, value] = header;
  const std::string_view name = std::string_view(field).substr(kPrefix.size());
  // Names that would collide with what the body and the content type become.
  if (name == "data" || name == "data_base64")
    return add(problems, field, "is no attribute: the data is the body");
  if (name == "datacontenttype")
    return add(problems, field, "is no attribute of binary mode: the header Content-Type is");
  std::string decoded;
  if (!decode_header(value, decoded))
    return add(problems, field, "has a % that isn't followed by two hexadecimal digits");
  if (!is_utf8(decoded) || !is_utf8(name)) return add(problems, field, "is not UTF-8");
  if (out.back() != '{') out.push_back(',');
  bson::append_json_string(name, out);
  out.push_back(':');
  bson::append_json_string(decoded, out);
}

}  // namespace

DataForm data_form(std::string_view content_type, std::string_view body) {
  if (body.empty()) return DataForm::kNone;
  const auto media = parse_media_type(content_type);
  if (!media) return DataForm::kBase64;
  if (media->is_json() && media->is_utf8()) return DataForm::kJson;
  return media->is_text() && media->is_utf8() && is_utf8(body) ? DataForm::kText : DataForm::kBase64;
}

void compose_binary(std::string_view content_type, Headers headers, std::string_view body, DataForm form,
                    std::string& out, Problems& problems) {
  out.push_back('{');
  for (const auto& header : headers)
    if (header.first.starts_with(kPrefix)) append_header(header, out, problems);
  const auto member = [&out](std::string_view name) {
    if (out.back() != '{') out.push_back(',');
    bson::append_json_string(name, out);
    out.push_back(':');
  };
  if (!content_type.empty()) {
    if (is_utf8(content_type)) {
      member("datacontenttype");
      bson::append_json_string(content_type, out);
    } else {
      add(problems, "content-type", "is not UTF-8");
    }
  }
  switch (form) {
    case DataForm::kNone:
      break;
    case DataForm::kJson:
      member("data");
      out.append(body);
      break;
    case DataForm::kText:
      member("data");
      bson::append_json_string(body, out);
      break;
    case DataForm::kBase64:
      member("data_base64");
      out.push_back('"');
      append_base64(body, out);
      out.push_back('"');
      break;
  }
  out.push_back('}');
}

std::string binary_place(std::string_view where) {
  if (where == "body") return "body";
  if (where == "datacontenttype") return "content-type";
  if (where.starts_with("data_base64")) return "body";
  if (where == "data" || where.starts_with("data.") || where.starts_with("data["))
    return "body" + std::string(where.substr(4));
  return std::string(kPrefix) + std::string(where);
}

void append_base64(std::string_view bytes, std::string& out) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [bytes](size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const uint32_t word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out.push_back(kDigits[word >> 18]);
    out.push_back(kDigits[(word >> 12) & 63]);
    out.push_back(i + 1 < bytes.size() ? kDigits[(word >> 6) & 63] : '=');
    out.push_back(i + 2 < bytes.size() ? kDigits[word & 63] : '=');
  }
}

}  // namespace tidemark::cloudevents
