// What a configuration file may take from outside itself: environment variables, and files that hold one
// value (a mounted secret). Functions, so that this folder touches neither the process nor the disk. One
// thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::config {

struct Environment {
  // Empty when the variable isn't set.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  // The content of the file, at most kValueFileBytesMax of it. A relative path starts at the working
  // directory.
  std::function<Result<std::string>(const std::string& path)> read_file;
};

inline constexpr uint64_t kValueFileBytesMax = 64 << 10;

struct Interpolated {
  std::string text;
  bool used_variable = false;  // then the text may stand for a number or a boolean too
};

// Fills `${NAME}` and `${NAME:-default}` (the default serves for unset and for empty). `$${` stands for a
// literal `${`. Every other `$` stays as it is, because MongoDB's operators and `$$ROOT` are written with it.
// The error is kConfig, names the variable and never shows a value.
Result<Interpolated> interpolate(std::string_view text, const Environment& environment);

// The file's content without its last line end: editors and `echo` add one that belongs to no secret.
Result<std::string> read_value_file(const std::string& path, const Environment& environment);

}  // namespace tidemark::config
