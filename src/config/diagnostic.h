// What is wrong with a configuration file, and where. Every finding of a file is collected before anything is
// reported: an operator mends a file once, not one line at a time. Plain data; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::config {

enum class Severity { kError, kWarning };

struct Place {
  uint32_t line = 0;  // from 1; 0 = the whole file
  uint32_t column = 0;
};

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  Place place;
  std::string path;  // "pipeline.sink.path"; empty for the file itself
  std::string what;
  std::string hint;

  // "orders.toml:14:10, pipeline.sink.path"
  std::string where() const;
  // "orders.toml:14:10, pipeline.sink.path: WHAT (HINT)"
  std::string text() const;
};

// Collects the findings of one file.
class Report {
 public:
  // A file with more findings than this is not a configuration file; the rest is dropped.
  static constexpr size_t kDiagnosticsMax = 200;

  explicit Report(std::string file) : file_(std::move(file)) {}

  const std::string& file() const { return file_; }
  void error(Place place, std::string path, std::string what, std::string hint = {}) {
    add(Severity::kError, place, std::move(path), std::move(what), std::move(hint));
  }
  void warning(Place place, std::string path, std::string what, std::string hint = {}) {
    add(Severity::kWarning, place, std::move(path), std::move(what), std::move(hint));
  }

  size_t errors() const { return errors_; }
  // In the order of the file.
  std::vector<Diagnostic> take();

 private:
  void add(Severity severity, Place place, std::string path, std::string what, std::string hint);

  std::string file_;
  std::vector<Diagnostic> diagnostics_;
  size_t errors_ = 0;
};

// All errors among `diagnostics` as one kConfig error, a line each; for callers that can return only one.
Error to_error(const std::vector<Diagnostic>& diagnostics);

// How many insertions, deletions, replacements and swaps of neighbours turn one word into the other.
size_t edit_distance(std::string_view a, std::string_view b);

// The word among `known` that `word` was most likely meant to be; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// `did you mean "NEAREST"?`, or else `known: a, b, c`.
std::string suggest(std::string_view word, const std::vector<std::string>& known);

}  // namespace tidemark::config
