#include "config/table_reader.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "config/value.h"

namespace tidemark::config {
namespace {

// A password in `scheme://user:password@host` of a URI that was written into the file itself.
bool holds_password(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) {
    // libpq's "host=db1 user=app" names its secrets.
    const bool connection_string =
        text.find("host=") != std::string_view::npos || text.find("dbname=") != std::string_view::npos;
    return connection_string ? text.find("password=") != std::string_view::npos : !text.empty();
  }
  const std::string_view rest = text.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const size_t at = authority.rfind('@');
  return at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
}

std::string number_text(double number) {
  char text[64];
  const auto [end, error] = std::to_chars(std::begin(text), std::end(text), number);
  return error == std::errc() ? std::string(text, end) : std::string("nan");
}

std::vector<std::string> known_names(const ComponentSpec& spec, const std::vector<std::string>& reserved) {
  std::vector<std::string> names = reserved;
  for (const FieldSpec& field : spec.fields) names.push_back(field.name);
  return names;
}

const FieldSpec* find_field(const ComponentSpec& spec, std::string_view name) {
  const auto it = std::find_if(spec.fields.begin(), spec.fields.end(),
                               [&](const FieldSpec& field) { return field.name == name; });
  return it == spec.fields.end() ? nullptr : &*it;
}

tl::unexpected<Error> wrong(std::string what, std::string hint = {}) {
  return fail(React::kConfig, std::move(what), std::move(hint));
}

}  // namespace

std::string describe_node(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating-point number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

std::string TableReader::where(Place place, const std::string& path) const {
  return Diagnostic{Severity::kError, report_.file(), place, path, {}, {}}.where();
}

Settings TableReader::read(const toml::table& table, const ComponentSpec& spec, const std::string& path,
                           const std::vector<std::string>& reserved) {
  Settings settings;
  settings.set_where(where(place_of(table), path));
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (std::find(reserved.begin(), reserved.end(), name) != reserved.end()) continue;
    const std::string field_path = path + "." + std::string(name);
    if (const FieldSpec* field = find_field(spec, name)) {
      read_field(node, *field, field_path, settings);
    } else {
      report_.error(place_of(key.source()), field_path, "unknown key \"" + std::string(name) + "\"",
                    suggest(name, known_names(spec, reserved)));
    }
  }
  for (const FieldSpec& field : spec.fields) {
    if (table.contains(field.name)) continue;
    if (field.required) {
      report_.error(place_of(table), path, "`" + field.name + "` is missing",
                    field.example.empty() ? "it takes " + describe_type(field)
                                          : "write " + field.name + " = " + field.example);
    }
    set_default(field, settings);
  }
  return settings;
}

std::string TableReader::read_string(const toml::node& node, const std::string& path) {
  const FieldSpec field{.name = path, .required = true};
  Settings settings;
  read_scalar(node, field, path, settings);
  return settings.string(path);
}

void TableReader::read_field(const toml::node& node, const FieldSpec& field, const std::string& path,
                             Settings& settings) {
  if (field.type == FieldType::kStringList) return read_list(node, field, path, settings);
  if (field.type == FieldType::kStringMap) return read_map(node, field, path, settings);
  read_scalar(node, field, path, settings);
}

void TableReader::read_scalar(const toml::node& node, const FieldSpec& field, const std::string& path,
                              Settings& settings) {
  auto value = scalar(node, field, path);
  if (!value) return report_.error(place_of(node), path, value.error().what, value.error().hint);
  const auto* text = std::get_if<std::string>(&*value);
  if (field.required && text != nullptr && text->empty())
    return report_.error(place_of(node), path, "is empty", "it takes " + describe_type(field));
  settings.set(field.name, std::move(*value), where(place_of(node), path));
}

Result<Settings::Value> TableReader::scalar(const toml::node& node, const FieldSpec& field,
                                            const std::string& path) {
  if (node.is_string()) return from_string(node, field, path);
  if (const toml::table* table = node.as_table()) return from_file(*table, field);
  const bool takes_integers = field.type == FieldType::kInteger || field.type == FieldType::kBytes;
  if (node.is_integer() && takes_integers) return checked_number(field, node.as_integer()->get());
  if (field.type == FieldType::kQuantity) {
    // As it would stand in quotes, so that whoever reads it has one form.
    if (node.is_integer()) return value_from_text(field, std::to_string(node.as_integer()->get()));
    if (node.is_floating_point()) return value_from_text(field, number_text(node.as_floating_point()->get()));
  }
  if (node.is_boolean() && field.type == FieldType::kBoolean)
    return Settings::Value(node.as_boolean()->get());
  std::string hint;
  if (node.is_integer() && field.type == FieldType::kDuration) hint = "write the unit too";
  return wrong("takes " + describe_type(field) + ", not " + describe_node(node), std::move(hint));
}

Result<Settings::Value> TableReader::from_string(const toml::node& node, const FieldSpec& field,
                                                 const std::string& path) {
  const std::string& text = node.as_string()->get();
  TIDEMARK_ASSIGN(const Interpolated filled, interpolate(text, environment_));
  const bool plain_only = field.type == FieldType::kInteger || field.type == FieldType::kBoolean;
  if (plain_only && !filled.used_variable)
    return wrong("takes " + describe_type(field) + ", not a string", "remove the quotes");
  if (field.secret && !filled.used_variable && holds_password(filled.text))
    report_.warning(place_of(node), path, "a secret stands in the file itself",
                    "use \"${NAME}\" or { file = \"path\" }");
  return value_from_text(field, filled.text);
}

Result<Settings::Value> TableReader::from_file(const toml::table& table, const FieldSpec& field) {
  const toml::node* file = table.get("file");
  if (file == nullptr || !file->is_string() || table.size() != 1)
    return wrong("takes " + describe_type(field) + ", not a table",
                 "the one table that may stand here is { file = \"path\" }");
  TIDEMARK_ASSIGN(const Interpolated path, interpolate(file->as_string()->get(), environment_));
  const bool is_value =
      path.text.find("://") != std::string::npos || path.text.find("password=") != std::string::npos;
  if (field.secret && is_value)
    return wrong(
        "`file` holds the value itself, it seems, and no path of a file (it isn't shown, as it may hold a "
        "password)",
        "write " + field.name + " = \"...\", or put the value into a file and its path here");
  auto content = read_value_file(path.text, environment_);
  if (!content) {
    // What stands where a secret's file belongs may be the secret.
    const bool is_path =
        path.text.starts_with('/') || path.text.starts_with("./") || path.text.starts_with("../");
    if (field.secret && !is_path)
      return wrong(
          "the file that it names can't be read (the name isn't shown, as it may be the secret itself)",
          "`file` takes a path, as in { file = \"/run/secrets/" + field.name + "\" }");
    return fail(std::move(content).error());
  }
  return value_from_text(field, *content);
}

void TableReader::read_list(const toml::node& node, const FieldSpec& field, const std::string& path,
                            Settings& settings) {
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    return report_.error(place_of(node), path,
                         "takes " + describe_type(field) + ", not " + describe_node(node),
                         node.is_string() ? "put it in brackets: [\"...\"]" : "");
  }
  std::vector<std::string> items;
  for (const toml::node& item : *array) {
    const auto text = item.is_string() ? interpolate(item.as_string()->get(), environment_)
                                       : wrong("takes strings, not " + describe_node(item));
    if (!text) {
      report_.error(place_of(item), path, text.error().what, text.error().hint);
      continue;
    }
    const auto& choices = field.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text->text) == choices.end())
      report_.error(place_of(item), path, "there is no \"" + text->text + "\"", suggest(text->text, choices));
    items.push_back(text->text);
  }
  if (field.required && array->empty()) return report_.error(place_of(node), path, "is empty");
  settings.set(field.name, std::move(items), where(place_of(node), path));
}

void TableReader::read_map(const toml::node& node, const FieldSpec& field, const std::string& path,
                           Settings& settings) {
  const toml::table* table = node.as_table();
  if (table == nullptr)
    return report_.error(place_of(node), path,
                         "takes " + describe_type(field) + ", not " + describe_node(node),
                         field.example.empty() ? "" : "write " + field.name + " = " + field.example);
  // toml++ keeps keys in alphabetical order; their places tell the order of the file.
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (const auto& [key, value] : *table) entries.emplace_back(&key, &value);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto &x = a.first->source().begin, &y = b.first->source().begin;
    return std::pair(x.line, x.column) < std::pair(y.line, y.column);
  });
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [key, value] : entries) {
    const std::string entry_path = path + "." + std::string(key->str());
    const auto text = value->is_string() ? interpolate(value->as_string()->get(), environment_)
                                         : wrong("takes a string, not " + describe_node(*value));
    if (text)
      pairs.emplace_back(key->str(), text->text);
    else
      report_.error(place_of(*value), entry_path, text.error().what, text.error().hint);
  }
  settings.set(field.name, std::move(pairs), where(place_of(node), path));
}

}  // namespace tidemark::config
