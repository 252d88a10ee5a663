#include "config/diagnostic.h"

#include <algorithm>

#include "base/uri.h"

namespace tidemark::config {

std::string Diagnostic::where() const {
  std::string text = file;
  if (place.line > 0) text += ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
  if (!path.empty()) text += ", " + path;
  return text;
}

std::string Diagnostic::text() const {
  std::string line = where() + ": " + what;
  if (!hint.empty()) line += " (" + hint + ")";
  return line;
}

void Report::add(Severity severity, Place place, std::string path, std::string what, std::string hint) {
  if (severity == Severity::kError) ++errors_;
  if (diagnostics_.size() >= kDiagnosticsMax) return;
  diagnostics_.push_back(
      {severity, file_, place, std::move(path), without_logins(what), without_logins(hint)});
}

std::vector<Diagnostic> Report::take() {
  std::stable_sort(diagnostics_.begin(), diagnostics_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
  });
  return std::move(diagnostics_);
}

Error to_error(const std::vector<Diagnostic>& diagnostics) {
  Error error{React::kConfig, {}, {}};
  for (const Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity != Severity::kError) continue;
    if (!error.what.empty()) error.what += '\n';
    error.what += diagnostic.text();
  }
  return error;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table are enough: a swap looks back two.
  std::vector<size_t> two_before(b.size() + 1), before(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) before[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = before[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_before[j - 2] + 1);
    }
    std::swap(two_before, before);
    std::swap(before, row);
  }
  return before[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  // Longer words would only cost time: nothing known is near them.
  if (word.size() > 64) return {};
  const size_t far = std::max<size_t>(1, word.size() / 3) + 1;
  size_t best = far;
  std::string found;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  if (!found.empty()) return found;
  // "warning" for "warn": one is the beginning of the other.
  for (const std::string& candidate : known) {
    const size_t common = std::min(word.size(), candidate.size());
    if (common >= 3 && word.substr(0, common) == std::string_view(candidate).substr(0, common))
      return candidate;
  }
  return {};
}

std::string suggest(std::string_view word, const std::vector<std::string>& known) {
  if (const std::string near = nearest(word, known); !near.empty()) return "did you mean \"" + near + "\"?";
  std::string text;
  for (const std::string& name : known) text += (text.empty() ? "known: " : ", ") + name;
  return text;
}

}  // namespace tidemark::config
