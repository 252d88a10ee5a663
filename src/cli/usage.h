// Words of the command line that no command and no option has, found before the rest is looked at: `--help` behind a word
// that is misspelt must not answer for another command. Main thread, before anything else runs.
#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace tidemark::cli {

struct UnknownWord {
  std::string what;  // `"tidemark" has no command "nosuch"`
  std::string hint;  // the nearest name, or those there are
};

// The first word of `argv` that is neither a command of `root` nor an option of the command before it. An option's value
// and a command's own arguments are never taken for either.
std::optional<UnknownWord> unknown_word(const CLI::App& root, int argc, const char* const* argv);

}  // namespace tidemark::cli
