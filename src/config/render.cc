#include "config/render.h"

#include "base/uri.h"
#include "config/pipeline_spec.h"
#include "config/value.h"

namespace tidemark::config {
namespace {

// A key is never filled in from the environment, so `${` in it must stand as it is.
std::string quoted(std::string_view text, bool escape_variables) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (escape_variables && c == '$' && i + 1 < text.size() && text[i + 1] == '{') {
      out += "$$";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += "\\u00";
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string hidden(const FieldSpec& field, const std::string& text, Secrets secrets) {
  if (secrets == Secrets::kShow) return text;
  const bool uri = text.find("://") != std::string::npos;
  if (field.secret && !uri) return "***";
  // Of the other fields those alone that name a login.
  if (!field.secret && !(uri && text.find('@') != std::string::npos)) return text;
  return redact_uri(text);
}

std::string render_list(const FieldSpec& field, const std::vector<std::string>& items, Secrets secrets) {
  std::string text = "[";
  for (const std::string& item : items)
    text += (text.size() > 1 ? ", " : "") + toml_string(hidden(field, item, secrets));
  return text + "]";
}

std::string render_map(const FieldSpec& field, const std::vector<std::pair<std::string, std::string>>& pairs,
                       Secrets secrets) {
  std::string text = "{";
  for (const auto& [key, value] : pairs) {
    text += text.size() > 1 ? ", " : " ";
    text += quoted(key, false) + " = " + toml_string(hidden(field, value, secrets));
  }
  return text + " }";
}

std::string render_value(const FieldSpec& field, const Settings& settings, Secrets secrets) {
  switch (field.type) {
    case FieldType::kString:
    case FieldType::kEnum:
    case FieldType::kQuantity:
    case FieldType::kJson:
      return toml_string(hidden(field, settings.string(field.name), secrets));
    case FieldType::kInteger:
      return std::to_string(settings.integer(field.name));
    case FieldType::kBoolean:
      return settings.boolean(field.name) ? "true" : "false";
    case FieldType::kDuration:
      return "\"" + format_value(field, settings.duration(field.name).count()) + "\"";
    case FieldType::kBytes:
      return "\"" + format_value(field, settings.bytes(field.name)) + "\"";
    case FieldType::kStringList:
      return render_list(field, settings.list(field.name), secrets);
    case FieldType::kStringMap:
      return render_map(field, settings.map(field.name), secrets);
  }
  return "\"\"";
}

std::string render_component(const std::string& header, const Component& component, Secrets secrets) {
  std::string text = "\n" + header + "\ntype = " + toml_string(component.type) + "\n";
  if (component.spec != nullptr) text += render_fields(*component.spec, component.settings, secrets);
  return text;
}

}  // namespace

std::string toml_string(std::string_view text) { return quoted(text, true); }

std::string render_fields(const ComponentSpec& spec, const Settings& settings, Secrets secrets) {
  std::string text;
  for (const FieldSpec& field : spec.fields) {
    if (settings.has(field.name)) text += field.name + " = " + render_value(field, settings, secrets) + "\n";
  }
  return text;
}

std::string render(const PipelineConfig& pipeline, Secrets secrets) {
  std::string text = "[[pipeline]]\n" + render_fields(pipeline_spec(), pipeline.frame, secrets);
  text += render_component("[pipeline.source]", pipeline.source, secrets);
  for (const Component& transform : pipeline.transforms)
    text += render_component("[[pipeline.transform]]", transform, secrets);
  text += render_component("[pipeline.sink]", pipeline.sink, secrets);
  if (pipeline.position) text += render_component("[pipeline.position]", *pipeline.position, secrets);
  if (pipeline.dead_letters)
    text += render_component("[pipeline.dead_letters]", *pipeline.dead_letters, secrets);
  return text;
}

std::string describe(const Component& component) {
  std::string text = component.type;
  if (component.spec == nullptr) return text;
  bool first = true;
  for (const FieldSpec& field : component.spec->fields) {
    if (!component.settings.has(field.name)) continue;
    text +=
        (first ? " " : ", ") + field.name + " = " + render_value(field, component.settings, Secrets::kHide);
    first = false;
  }
  return text;
}

}  // namespace tidemark::config
