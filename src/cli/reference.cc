// `tidemark reference`: writes docs/reference/ from the component specs, or says which page is out of date.
#include "config/reference.h"

#include <cstdio>

#include "app/exit_codes.h"
#include "cli/commands.h"
#include "config/pipeline_spec.h"
#include "guard/settings.h"
#include "http/server.h"

namespace tidemark::cli {
namespace {

struct Page {
  std::string name;
  std::string title;
  std::string introduction;
  std::vector<const config::ComponentSpec*> specs;
};

// The tables of [guard], in the order in which they were listed.
std::vector<const config::ComponentSpec*> guard_specs(const App& app) {
  std::vector<const config::ComponentSpec*> specs;
  for (const config::ComponentSpec* spec : app.components.singles)
    if (spec->kind.starts_with("guard")) specs.push_back(spec);
  return specs;
}

std::vector<Page> pages(const App& app) {
  std::vector<Page> pages = {
      {"pipeline", "Pipelines", "What stands in `[[pipeline]]` itself.", {&config::pipeline_spec()}},
      {"log", "The log", "What stands in `[log]`.", {&config::log_spec()}},
      {"sources", "Sources", "`[pipeline.source]`: where change events come from.",
       app.components.sources.specs()},
      {"transforms", "Transforms",
       "`[[pipeline.transform]]`: what happens to an event on its way, in file order.",
       app.components.transforms.specs()},
      {"sinks", "Sinks", "`[pipeline.sink]`: where events become durable.", app.components.sinks.specs()},
      {"positions", "Position stores",
       "`[pipeline.position]`: where the position of a sink without one of its own lives.",
       app.components.positions.specs()},
      {"dead_letters", "Dead letters",
       "`[pipeline.dead_letters]`: where events go that no retry can deliver.",
       app.components.dead_letters.specs()},
      {"server",
       "The server",
       "What stands in `[server]`: the HTTP server with the page, the API and the doors for events.",
       {&http::server_spec()}},
      {"guard", "The guard",
       "`[guard]` and the tables below it: what is watched from outside, whom it tells, and what is audited. "
       "What each "
       "alert means and what to do about it stands in [operating.md](../operating.md).\n\n" +
           guard::rules_table(),
       guard_specs(app)},
      {"stats", "Stats",
       "`[[stats]]`: what the page's stats ask every few seconds, apart from every pipeline.",
       app.components.stats.specs()}};
  return pages;
}

}  // namespace

int reference_command(App& app, const ReferenceOptions& options) {
  constexpr uint64_t kPageBytesMax = 4 << 20;
  int code = kOk;
  for (const Page& page : pages(app)) {
    const std::string path = options.out + "/" + page.name + ".md";
    const std::string text = config::render_reference_page(page.title, page.introduction, page.specs);
    if (!options.check) {
      if (Status written = app.files.replace_file(path, text); !written) return report(written.error());
      continue;
    }
    const auto present = app.files.read_file(path, kPageBytesMax);
    if (present && *present == text) continue;
    std::fprintf(stderr, "tidemark: %s is not what the component specs say; run: make docs\n", path.c_str());
    code = kDifferent;
  }
  return code;
}

}  // namespace tidemark::cli
