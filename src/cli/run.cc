// `tidemark run`: the main job.
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "app/exit_codes.h"
#include "app/service.h"
#include "app/start_point.h"
#include "base/log.h"
#include "cli/commands.h"

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPoll{20};
// What closing may take when the whole of drain_timeout went into the drain.
constexpr milliseconds kCloseMax{250};
constexpr std::string_view kChoices[] = {"now", "earliest", "time:2026-11-22T03:00:00Z", "token:HEX"};

// No position, no start: prints the choices as commands to copy.
void print_choices(const RunOptions& options, const PipelineParts& parts) {
  std::fprintf(stderr,
               "tidemark: pipeline \"%s\" has no stored position (%s), and a pipeline never starts at a "
               "place of its own "
               "choosing.\n  Decide where it starts, once:\n",
               parts.name.c_str(), parts.position_store().describe().c_str());
  for (std::string_view choice : kChoices)
    std::fprintf(stderr, "    tidemark position init %s %s --from %.*s\n", shell_quote(options.file).c_str(),
                 parts.name.c_str(), static_cast<int>(choice.size()), choice.data());
  std::fprintf(stderr,
               "  now: changes from this moment on. earliest: everything the oplog still holds. time: from "
               "that moment, if\n"
               "  the oplog reaches back to it. token: right after the event with that _id._data.\n");
}

// The choices after a position was lost, with the gap that accepting one would mean.
void print_lost(const RunOptions& options, const std::string& pipeline, const PipelineStatus& status,
                const Error& error) {
  // What the server says of its history; other refusals are of the token alone, and the time may still be there.
  constexpr std::array kHistoryGone = {286, 136, 40576};
  const uint32_t at = status.committed.cluster_time().seconds;
  const bool gone = std::find(kHistoryGone.begin(), kHistoryGone.end(), error.code) != kHistoryGone.end();
  std::fprintf(stderr,
               "  pipeline \"%s\" can't go on from its position of %s%s\n"
               "  Nothing was skipped. Decide what to do:\n",
               pipeline.c_str(), at > 0 ? format_rfc3339(at).c_str() : "an unknown time",
               gone ? ": the changes after it are gone from the oplog." : ".");
  const std::string set =
      "    tidemark position set " + shell_quote(options.file) + " " + pipeline + " --from ";
  if (!gone && at > 0)
    std::fprintf(stderr,
                 "%stime:%s --yes   (loses nothing; refused where the oplog doesn't reach back so far)\n",
                 set.c_str(), format_rfc3339(at).c_str());
  std::fprintf(stderr,
               "%searliest --yes   (accept the gap; it is recorded)\n"
               "    or load the destination anew and start from a time or token that covers the load.\n",
               set.c_str());
}

class IdleWatch {
 public:
  IdleWatch(milliseconds limit, Clock& clock) : limit_(limit), clock_(clock), since_(clock.now()) {}
  // True once nothing was delivered and nothing is in flight for the limit.
  bool idle(const std::vector<std::unique_ptr<PipelineRunner>>& runners) {
    uint64_t delivered = 0;
    bool quiet = true;
    for (const auto& runner : runners) {
      const PipelineStatus status = runner->status();
      delivered += status.events_delivered;
      quiet = quiet && (runner->finished() ||
                        (status.state == PipelineState::kStreaming && status.in_flight_events == 0));
    }
    if (!quiet || delivered != delivered_) {
      since_ = clock_.now();
      if (delivered != delivered_) last_delivery_ = since_;
      delivered_ = delivered;
    }
    return limit_.count() > 0 && clock_.now() - since_ >= limit_;
  }
  Mono last_delivery() const { return last_delivery_; }

 private:
  const milliseconds limit_;
  Clock& clock_;
  Mono since_;
  Mono last_delivery_{};
  uint64_t delivered_ = 0;
};

void print_summary(App& app, const std::vector<std::unique_ptr<PipelineRunner>>& runners, Mono started,
                   Mono last_delivery, uint64_t allocations) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  uint64_t events = 0;
  uint64_t batches = 0;
  for (const auto& runner : runners) {
    events += runner->status().events_delivered;
    batches += runner->status().batches_written;
  }
  const double seconds = std::chrono::duration<double>(std::max(last_delivery, started) - started).count();
  const double cpu_us = 1e6 * static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  nlohmann::json summary = {{"events", events},
                            {"batches", batches},
                            {"seconds", seconds},
                            {"events_per_second", seconds > 0 ? static_cast<double>(events) / seconds : 0},
                            {"cpu_us_per_event", events > 0 ? cpu_us / static_cast<double>(events) : 0},
                            {"peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024}};
  if (app.allocations != nullptr)
    summary["allocations_per_event"] =
        events > 0 ? static_cast<double>(allocations) / static_cast<double>(events) : 0;
  std::printf("%s\n", summary.dump().c_str());
  std::fflush(stdout);
}

// Ends the process without closing anything that doesn't answer: correctness never depends on a clean end, and whoever waits
// for this one was told how long it takes.
[[noreturn]] void end_at_the_deadline(const Service& service) {
  log::warn(
      "process: drain_timeout is over, and something still doesn't answer: it is left as it is (what wasn't "
      "finished comes again at the next start; a lease that wasn't given back ends by itself)");
  int code = kOk;
  for (const Service::Outcome& outcome : service.outcomes())
    if (outcome.error) code = std::max(code, report(*outcome.error));
  flush_log();
  std::fflush(nullptr);
  ::_exit(code);
}

// Waits until every pipeline has ended, whether by itself, by a signal or by being idle, and shuts the service down. The
// shutdown runs on a thread of its own, so that a second signal still ends the process at once, and so does the deadline.
void supervise(App& app, Service& service, IdleWatch& idle) {
  std::jthread stopper;
  std::atomic<bool> stopped = false;
  Mono deadline = Mono::max();
  const auto stop = [&] {
    if (stopper.joinable()) return;
    deadline = app.clock.now() + service.stop_limit() + kCloseMax;
    stopper = std::jthread([&] {
      service.stop();
      stopped = true;
    });
  };
  while (!stopped) {
    const auto signal = app.signals.wait_for(kPoll);
    if (signal == SIGHUP) {
      if (Status reopened = reopen_log(); !reopened) log::error("process: {}", reopened.error().describe());
      log::info("process: the log begins anew");
    } else if (signal) {
      if (stopper.joinable()) exit_by_signal(*signal);
      log::info("stopping on signal {}; a second one ends at once", *signal);
      stop();
    }
    if (service.finished() || idle.idle(service.runners())) stop();
    if (!stopped && app.clock.now() >= deadline) end_at_the_deadline(service);
  }
}

}  // namespace

int run_command(App& app, const RunOptions& options) {
  auto file = load(app, options.file);
  if (!file) return kConfig;
  if (Status started = start_log(file->log_level, file->log_file); !started) return report(started.error());
  if (!options.only.empty() && find_pipeline(*file, options.only) == nullptr) return kUsage;

  auto service = Service::create(app, *file, {.only = options.only});
  if (!service) return report(service.error());
  const Mono begin = app.clock.now();
  const uint64_t allocations_before = app.allocations != nullptr ? app.allocations() : 0;
  if (Status started = (*service)->start(); !started) {
    if (const PipelineParts* parts = (*service)->without_position()) {
      print_choices(options, *parts);
      return kConfig;
    }
    return report(started.error());
  }
  if (const std::string url = (*service)->url(); !url.empty())
    std::fprintf(stderr, "tidemark: the page is at %s\n", url.c_str());
  IdleWatch idle(options.exit_when_idle, app.clock);
  supervise(app, **service, idle);
  const uint64_t allocations = app.allocations != nullptr ? app.allocations() - allocations_before : 0;

  int code = kOk;
  for (const Service::Outcome& outcome : (*service)->outcomes()) {
    if (!outcome.error) continue;
    std::fprintf(stderr, "tidemark: pipeline \"%s\" ended\n", outcome.pipeline.c_str());
    code = std::max(code, report(*outcome.error));
    if (outcome.error->react == React::kPositionLost)
      print_lost(options, outcome.pipeline, outcome.status, *outcome.error);
  }
  if (options.summary_json)
    print_summary(app, (*service)->runners(), begin, idle.last_delivery(), allocations);
  return code;
}

}  // namespace tidemark::cli
