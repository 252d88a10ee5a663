#include "cli/usage.h"

#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "config/diagnostic.h"

namespace tidemark::cli {
namespace {

const CLI::App* command_named(const CLI::App& parent, const std::string& name) {
  for (const CLI::App* command : parent.get_subcommands({}))
    if (command->get_name() == name) return command;
  return nullptr;
}

const CLI::Option* option_named(const CLI::App& command, const std::string& name) {
  for (const CLI::Option* option : command.get_options())
    if (!option->get_positional() && option->check_name(name)) return option;
  return nullptr;
}

// "tidemark position".
std::string path_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : path_of(*parent) + " " + command.get_name();
}

// The nearest of `names`, or all of them.
std::string hint(const std::string& word, const std::vector<std::string>& names) {
  if (const std::string near = config::nearest(word, names); !near.empty())
    return "did you mean \"" + near + "\"?";
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "choose one of " : ", ") + name;
  return all;
}

UnknownWord no_command(const CLI::App& parent, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : parent.get_subcommands({})) names.push_back(command->get_name());
  return {"\"" + path_of(parent) + "\" has no command \"" + word + "\"", hint(word, names)};
}

UnknownWord no_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return {"\"" + path_of(command) + "\" has no option " + word, hint(word, names)};
}

}  // namespace

std::optional<UnknownWord> unknown_word(const CLI::App& root, int argc, const char* const* argv) {
  const CLI::App* command = &root;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") return std::nullopt;  // what follows are arguments, whatever they look like
    if (word.size() > 1 && word.front() == '-') {
      const std::string name = word.substr(0, word.find('='));
      const CLI::Option* option = option_named(*command, name);
      if (option == nullptr) return no_option(*command, name);
      // What follows is its value, even where it looks like an option.
      if (option->get_items_expected_min() > 0 && name.size() == word.size()) ++i;
    } else if (!command->get_subcommands({}).empty()) {
      const CLI::App* next = command_named(*command, word);
      if (next == nullptr) return no_command(*command, word);
      command = next;
    }
  }
  return std::nullopt;
}

}  // namespace tidemark::cli
