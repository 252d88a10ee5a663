// The relay, made to die: `tidemark-crash FILE POINT N` runs the first pipeline of FILE as `tidemark run` does, and
// exits with 137, as a kill would have it, at the N-th time its loop reaches POINT. Nothing is flushed or closed.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <unistd.h>

#include "app/app.h"
#include "app/exit_codes.h"
#include "runtime/runner.h"

namespace tidemark {
namespace {

constexpr int kKilled = 137;
constexpr LoopPoint kPoints[] = {LoopPoint::kOpened,     LoopPoint::kRead,       LoopPoint::kBeforeWrite,
                                 LoopPoint::kAfterWrite, LoopPoint::kBeforeSave, LoopPoint::kAfterSave};

int run(const char* file_name, std::string_view point, int reaches) {
  SignalWaiter signals({SIGINT, SIGTERM});
  app::App app(signals);
  const auto file = app::load(app, file_name);
  if (!file || file->pipelines.empty()) return app::kConfig;
  auto parts = build_pipeline(file->pipelines[0], app.components, app.context());
  if (!parts) return app::report(parts.error());
  SeededRandom random(random_seed());
  std::atomic<int> left = reaches;
  PipelineRunner runner(std::move(*parts), app.clock, random, [&](LoopPoint reached) {
    if (to_string(reached) == point && --left == 0) ::_exit(kKilled);
  });
  runner.start();
  while (!runner.finished())
    if (signals.wait_for(std::chrono::milliseconds(20))) runner.request_stop();
  const auto error = runner.join();
  return error ? app::report(*error) : app::kOk;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  bool known = false;
  for (const tidemark::LoopPoint point : tidemark::kPoints)
    known = known || (argc == 4 && tidemark::to_string(point) == argv[2]);
  const int reaches = argc == 4 ? std::atoi(argv[3]) : 0;
  if (!known || reaches <= 0) {
    std::fprintf(stderr, "usage: tidemark-crash FILE POINT N; POINT is one of");
    for (const tidemark::LoopPoint point : tidemark::kPoints)
      std::fprintf(stderr, " %s", std::string(tidemark::to_string(point)).c_str());
    std::fprintf(stderr, "\n");
    return tidemark::app::kUsage;
  }
  return tidemark::run(argv[1], argv[2], reaches);
}
