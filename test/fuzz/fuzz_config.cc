// Any bytes as a configuration file: parsing answers with findings or with settings that render and parse
// again.
#include <cstdlib>
#include <string>

#include "config/parser.h"
#include "config/render.h"
#include "support/sample_specs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemark;
  const std::string text(reinterpret_cast<const char*>(data), size);
  config::Environment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name.size() % 2 == 0) return std::nullopt;
    return name;
  };
  environment.read_file = [](const std::string& path) -> Result<std::string> {
    if (path.empty()) return fail(React::kConfig, "no such file");
    return path + "\n";
  };
  const config::ParseResult first = config::parse("fuzz.toml", text, testing::sample_specs(), environment);
  if (!first.ok()) {
    if (config::to_error(first.diagnostics).what.empty()) std::abort();  // refused without a reason
    return 0;
  }
  std::string rendered;
  for (const auto& pipeline : first.file->pipelines)
    rendered += config::render(pipeline, config::Secrets::kShow);
  const config::ParseResult second =
      config::parse("again.toml", rendered, testing::sample_specs(), environment);
  if (!second.ok()) std::abort();
  std::string again;
  for (const auto& pipeline : second.file->pipelines)
    again += config::render(pipeline, config::Secrets::kShow);
  if (again != rendered) std::abort();
  return 0;
}
