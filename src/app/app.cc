#include "app/app.h"

#include <cstdio>
#include <cstdlib>

#include "app/exit_codes.h"
#include "base/uri.h"
#include "env/posix/log_writer.h"

namespace tidemark::app {
namespace {

config::Environment environment(App& app) {
  config::Environment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  environment.read_file = [&app](const std::string& path) {
    return app.files.read_file(path, config::kValueFileBytesMax);
  };
  return environment;
}

}  // namespace

std::optional<config::File> load(App& app, const std::string& path) {
  auto text = app.files.read_file(path, config::kConfigBytesMax);
  if (!text) {
    report(text.error());
    return std::nullopt;
  }
  config::SpecList specs;
  for (const config::ComponentSpec* spec : all_specs(app.components)) specs.add(*spec);
  config::ParseResult outcome = config::parse(path, *text, specs, environment(app));
  for (const config::Diagnostic& diagnostic : outcome.diagnostics) {
    const bool is_error = diagnostic.severity == config::Severity::kError;
    std::fprintf(stderr, "tidemark: %s: %s\n", is_error ? "error" : "warning", diagnostic.text().c_str());
  }
  return std::move(outcome.file);
}

Status start_log(LogLevel level, const std::string& file) {
  static constexpr std::pair<std::string_view, LogLevel> kLevels[] = {{"debug", LogLevel::kDebug},
                                                                      {"info", LogLevel::kInfo},
                                                                      {"warn", LogLevel::kWarn},
                                                                      {"error", LogLevel::kError},
                                                                      {"off", LogLevel::kOff}};
  const char* wanted = std::getenv("TIDEMARK_LOG");
  for (const auto& [name, value] : kLevels)
    if (wanted != nullptr && name == wanted) level = value;
  TIDEMARK_ASSIGN(std::shared_ptr<LogWriter> writer, make_log_writer(file));
  init_log(level, std::move(writer));
  return {};
}

const config::PipelineConfig* find_pipeline(const config::File& file, const std::string& name) {
  if (const config::PipelineConfig* pipeline = file.find(name)) return pipeline;
  std::vector<std::string> names;
  for (const config::PipelineConfig& pipeline : file.pipelines) names.push_back(pipeline.name);
  std::fprintf(stderr, "tidemark: %s has no pipeline \"%s\"; %s\n", file.path.c_str(),
               without_logins(name).c_str(), config::suggest(name, names).c_str());
  return nullptr;
}

int report(const Error& error) {
  // A file's name may be a URI by mistake.
  std::fprintf(stderr, "tidemark: %s\n", without_logins(error.what).c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  what to do: %s\n", error.hint.c_str());
  return exit_code(error.react);
}

std::string shell_quote(const std::string& text) {
  const std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace tidemark::app
