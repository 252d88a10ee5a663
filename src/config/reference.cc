#include "config/reference.h"

#include <limits>

#include "config/value.h"

namespace tidemark::config {
namespace {

// A pipe would end the table's cell, a line break its row.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|')
      out += "\\|";
    else
      out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string type_name(const FieldSpec& field) {
  switch (field.type) {
    case FieldType::kString:
      return "string";
    case FieldType::kInteger:
      return "integer";
    case FieldType::kBoolean:
      return "boolean";
    case FieldType::kDuration:
      return "duration";
    case FieldType::kBytes:
      return "size";
    case FieldType::kEnum: {
      std::string text;
      for (const std::string& choice : field.choices)
        text += (text.empty() ? "`\"" : ", `\"") + choice + "\"`";
      return text;
    }
    case FieldType::kStringList:
      return "list of strings";
    case FieldType::kStringMap:
      return "table of strings";
    case FieldType::kQuantity:
      return "number or duration";
    case FieldType::kJson:
      return "Extended JSON";
  }
  return "";
}

bool is_quoted(const FieldSpec& field) {
  return field.type != FieldType::kInteger && field.type != FieldType::kBoolean &&
         field.type != FieldType::kQuantity;
}

std::string default_of(const FieldSpec& field) {
  if (field.required) return "required";
  if (field.default_text.empty()) return "none";
  return is_quoted(field) ? "`\"" + field.default_text + "\"`" : "`" + field.default_text + "`";
}

std::string range_of(const FieldSpec& field) {
  const bool low = field.min != std::numeric_limits<int64_t>::min();
  const bool high = field.max != std::numeric_limits<int64_t>::max();
  if (low && high)
    return " From " + format_value(field, field.min) + " to " + format_value(field, field.max) + ".";
  if (low) return " At least " + format_value(field, field.min) + ".";
  if (high) return " At most " + format_value(field, field.max) + ".";
  return "";
}

std::string header_of(const ComponentSpec& spec) {
  if (spec.kind == "pipeline") return "[[pipeline]]";
  if (spec.kind == "log") return "[log]";
  if (spec.kind == "server") return "[server]";
  if (spec.kind == "stats") return "[[stats]]";
  if (spec.kind == "guard") return "[guard]";
  if (spec.kind.starts_with("guard_")) return "[[guard." + spec.kind.substr(6) + "]]";
  if (spec.kind == "transform") return "[[pipeline.transform]]";
  return "[pipeline." + spec.kind + "]";
}

// The table as it would stand in a file, with what is required and every field that has an example.
std::string example_of(const ComponentSpec& spec) {
  std::string text = "```toml\n" + header_of(spec) + "\n";
  if (!spec.type.empty()) text += "type = \"" + spec.type + "\"\n";
  for (const FieldSpec& field : spec.fields) {
    if (!field.example.empty()) text += field.name + " = " + field.example + "\n";
  }
  return text + "```\n";
}

}  // namespace

std::string render_reference_section(const ComponentSpec& spec) {
  std::string text =
      "## " + (spec.type.empty() ? header_of(spec) : spec.type) + "\n\n" + spec.summary + "\n\n";
  text += example_of(spec);
  if (spec.fields.empty()) return text;
  text += "\n| field | type | default | what it does |\n|---|---|---|---|\n";
  for (const FieldSpec& field : spec.fields) {
    text += "| `" + field.name + "` | " + cell(type_name(field)) + " | " + cell(default_of(field)) + " | " +
            cell(field.doc) + range_of(field) + (field.secret ? " Secret: never shown." : "") + " |\n";
  }
  return text;
}

std::string render_reference_page(const std::string& title, const std::string& introduction,
                                  const std::vector<const ComponentSpec*>& specs) {
  std::string text = "# " + title + "\n\n<!-- Generated from the field specs; edits here are lost. -->\n\n" +
                     introduction + "\n";
  for (const ComponentSpec* spec : specs) text += "\n" + render_reference_section(*spec);
  return text;
}

}  // namespace tidemark::config
