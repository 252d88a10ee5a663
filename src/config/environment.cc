#include "config/environment.h"

#include <algorithm>

namespace tidemark::config {
namespace {

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

// The value of what stands between `${` and `}`.
Result<std::string> expand(std::string_view inside, const Environment& environment) {
  const size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_variable_name(name))
    return fail(React::kConfig, "${...} holds no name of an environment variable",
                "write ${NAME} or ${NAME:-default}; a literal ${ is written $${");
  const std::optional<std::string> value = environment.variable ? environment.variable(name) : std::nullopt;
  if (split != std::string_view::npos)
    return value && !value->empty() ? *value : std::string(inside.substr(split + 2));
  if (!value)
    return fail(React::kConfig, "the environment variable " + name + " is not set",
                "set it, or give a default with ${" + name + ":-...}");
  return *value;
}

}  // namespace

Result<Interpolated> interpolate(std::string_view text, const Environment& environment) {
  Interpolated result;
  while (!text.empty()) {
    const size_t dollar = std::min(text.find('$'), text.size());
    result.text.append(text.substr(0, dollar));
    text.remove_prefix(dollar);
    if (text.substr(0, 3) == "$${") {
      result.text.append("${");
      text.remove_prefix(3);
    } else if (text.substr(0, 2) == "${") {
      const size_t end = text.find('}');
      if (end == std::string_view::npos)
        return fail(React::kConfig, "${ without its }", "a literal ${ is written $${");
      TIDEMARK_ASSIGN(const std::string value, expand(text.substr(2, end - 2), environment));
      result.text.append(value);
      result.used_variable = true;
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      result.text.push_back('$');
      text.remove_prefix(1);
    }
  }
  return result;
}

Result<std::string> read_value_file(const std::string& path, const Environment& environment) {
  if (!environment.read_file) return fail(React::kConfig, "files can't be read here");
  auto content = environment.read_file(path);
  if (!content) return fail(React::kConfig, content.error().what, content.error().hint);
  if (content->size() > kValueFileBytesMax)
    return fail(React::kConfig,
                path + " is larger than the " + std::to_string(kValueFileBytesMax) + " bytes of a value");
  if (content->ends_with('\n')) content->pop_back();
  if (content->ends_with('\r')) content->pop_back();
  return std::move(*content);
}

}  // namespace tidemark::config
