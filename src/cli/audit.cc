// `tidemark audit`: compares both ends of pipelines once, by hand, and puts right what differs.
#include "guard/audit.h"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/attended.h"
#include "app/audit_history.h"
#include "app/exit_codes.h"
#include "app/guard_parts.h"
#include "base/human.h"
#include "base/log.h"
#include "cli/commands.h"
#include "guard/audit_text.h"

namespace tidemark::cli {
namespace {

// A repair that found more than an audit can hold is followed by another audit, so often.
constexpr int kRoundsMax = 100;

// One audit to do.
struct Job {
  const config::PipelineConfig* pipeline = nullptr;
  guard::ScheduledAudit audit;
  guard::AuditParts parts;
};

// What came of it.
struct Outcome {
  std::optional<guard::AuditReport> report;
  std::optional<guard::RepairReport> repair;
  std::optional<Error> error;
  bool clean = false;
  bool interrupted = false;
};

// The audits that are asked for of one pipeline: those of the file, or one by default.
Result<std::vector<guard::ScheduledAudit>> audits_of(const GuardSettings& settings,
                                                     const std::string& pipeline,
                                                     const AuditCommandOptions& options) {
  std::vector<guard::ScheduledAudit> audits;
  for (const guard::ScheduledAudit& audit : settings.audits)
    if (audit.pipeline == pipeline && (options.kind.empty() || to_string(audit.options.kind) == options.kind))
      audits.push_back(audit);
  // Counts name no document that could be delivered again.
  if (options.repair)
    std::erase_if(audits, [](const auto& audit) { return audit.options.kind == guard::AuditKind::kCount; });
  if (audits.empty()) {
    TIDEMARK_ASSIGN(auto by_default, default_audit(pipeline, options.kind));
    audits.push_back(std::move(by_default));
  }
  return audits;
}

bool is_configured(const GuardSettings& settings, const std::string& pipeline) {
  return std::any_of(settings.audits.begin(), settings.audits.end(),
                     [&](const auto& audit) { return audit.pipeline == pipeline; });
}

// Everything to do, in the order of the file. What can't be audited is an error where it was asked for, and a line on
// standard error where it only stands in the file.
Result<std::vector<Job>> jobs_of(App& app, const config::File& file, const GuardSettings& settings,
                                 const AuditCommandOptions& options) {
  std::vector<Job> jobs;
  std::optional<Error> refused;
  for (const config::PipelineConfig& pipeline : file.pipelines) {
    if (!options.only.empty() && pipeline.name != options.only) continue;
    TIDEMARK_ASSIGN(auto audits, audits_of(settings, pipeline.name, options));
    for (guard::ScheduledAudit& audit : audits) {
      auto parts = make_audit_parts(app, pipeline);
      if (parts) {
        jobs.push_back({&pipeline, std::move(audit), std::move(*parts)});
        continue;
      }
      if (!options.only.empty() || is_configured(settings, pipeline.name)) return fail(parts.error());
      std::fprintf(stderr, "tidemark: not audited: %s\n", parts.error().what.c_str());
      if (!refused) refused = parts.error();
      break;
    }
  }
  if (jobs.empty() && refused) return fail(std::move(*refused));
  return jobs;
}

class AuditRun {
 public:
  AuditRun(App& app, const guard::GuardFrame& frame, Job job)
      : app_(app),
        line_(app.clock),
        pipeline_(job.pipeline->name),
        options_(with_state(frame, job)),
        audit_(std::move(job.parts), options_) {}

  Outcome run(bool repair) {
    Outcome outcome;
    std::unique_ptr<FileLock> lock;
    if (!options_.state_path.empty()) {
      auto locked = app_.files.lock(options_.state_path + ".lock");
      if (!locked) return failed(std::move(locked).error(), outcome);
      lock = std::move(*locked);
    }
    auto report = audited(outcome);
    if (!report) return failed(std::move(report).error(), outcome);
    outcome.report = *report;
    outcome.clean = report->clean();
    if (!repair) return outcome;
    return repaired(std::move(*report), std::move(outcome));
  }

 private:
  static guard::AuditOptions with_state(const guard::GuardFrame& frame, const Job& job) {
    guard::AuditOptions options = job.audit.options;
    options.state_path = audit_state_path(frame, job.pipeline->name, options.kind, true);
    return options;
  }

  guard::OnAuditProgress progress() {
    return [this](const guard::AuditProgress& at) {
      line_.set(fmt::format("{}: {}, {:.0f} %, {} documents", pipeline_, at.doing, 100 * at.done,
                            grouped(at.documents)));
    };
  }

  Result<guard::AuditReport> audited(Outcome& outcome) {
    std::optional<Result<guard::AuditReport>> result;
    outcome.interrupted =
        !attend(app_, line_, [&](std::stop_token stop) { result = audit_.run(std::move(stop), progress()); });
    return std::move(*result);
  }

  // Delivers again what differs, until an audit has nothing left to name.
  Outcome repaired(guard::AuditReport report, Outcome outcome) {
    guard::RepairReport total;
    for (int round = 0; round < kRoundsMax && report.wrong() > 0; ++round) {
      std::fprintf(stderr, "%s: delivering %s documents again, through the pipeline's own sink\n",
                   pipeline_.c_str(), grouped(report.differences.size()).c_str());
      std::optional<Result<guard::RepairReport>> result;
      outcome.interrupted = !attend(app_, line_, [&](std::stop_token stop) {
        result = audit_.repair(report, std::move(stop), progress());
      });
      if (!*result) return failed(std::move(*result).error(), outcome);
      add(**result, total);
      outcome.repair = total;
      // A repair delivers what is confirmed: what the audit left open, or found refused, is as it was.
      outcome.clean = total.complete() && report.whole() && report.rejected == 0;
      const bool more = !report.differences_complete || report.unexamined > 0;
      if (!more || !total.complete() || (*result)->asked == 0) break;
      auto again = audited(outcome);
      if (!again) return failed(std::move(again).error(), outcome);
      report = std::move(*again);
      outcome.clean = report.clean();
    }
    return outcome;
  }

  static void add(guard::RepairReport& round, guard::RepairReport& total) {
    total.asked += round.asked;
    total.written += round.written;
    total.removed += round.removed;
    total.healed += round.healed;
    total.rejected += round.rejected;
    total.seconds += round.seconds;
    total.still_wrong = std::move(round.still_wrong);
  }

  static Outcome failed(Error error, Outcome outcome) {
    outcome.interrupted = outcome.interrupted && error.react == React::kCancelled;
    outcome.error = std::move(error);
    outcome.clean = false;
    return outcome;
  }

  App& app_;
  StatusLine line_;
  const std::string pipeline_;
  const guard::AuditOptions options_;
  guard::Audit audit_;
};

uint64_t& of(guard::AuditView& view, guard::DifferenceKind kind) {
  switch (kind) {
    case guard::DifferenceKind::kMissing:
      return view.missing;
    case guard::DifferenceKind::kExtra:
      return view.extra;
    case guard::DifferenceKind::kDifferent:
      return view.different;
    case guard::DifferenceKind::kUnreadable:
      return view.unreadable;
    case guard::DifferenceKind::kStale:
      return view.stale;
    case guard::DifferenceKind::kDoubled:
      break;
  }
  return view.doubled;
}

// What the guard shows of it after its next start.
void remember(App& app, const std::string& state, const Outcome& outcome) {
  if (!outcome.report || outcome.error) return;
  guard::AuditView view;
  fill(*outcome.report, view);
  if (outcome.repair) {
    view.missing = view.extra = view.different = view.unreadable = view.stale = view.doubled = 0;
    view.first_ids.clear();
    for (const guard::AuditDifference& left : outcome.repair->still_wrong) {
      ++of(view, left.kind);
      if (view.first_ids.size() < guard::kFirstIdsMax) view.first_ids.push_back(to_string(left));
    }
  }
  if (Status kept = keep_audit(app.files, state, view); !kept)
    log::warn("{}: the audit's result was not kept: {}", view.pipeline, kept.error().describe());
}

int code_of(const Outcome& outcome) {
  if (outcome.interrupted) return kInterrupted;
  if (!outcome.error) return outcome.clean ? kOk : kDifferent;
  return outcome.error->react == React::kRetry ? kUnavailable : exit_code(outcome.error->react);
}

std::string json_of(const Job& job, const Outcome& outcome) {
  if (outcome.report && !outcome.error)
    return audit_json(*outcome.report, outcome.repair ? &*outcome.repair : nullptr);
  return nlohmann::json{{"pipeline", job.pipeline->name},
                        {"kind", std::string(to_string(job.audit.options.kind))},
                        {"clean", false},
                        {"error", outcome.error ? outcome.error->describe() : "interrupted"}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void print(const Outcome& outcome) {
  if (outcome.report) std::fputs(audit_text(*outcome.report).c_str(), stdout);
  if (outcome.repair) std::fputs(repair_text(*outcome.repair).c_str(), stdout);
  std::fflush(stdout);
}

void explain(const Outcome& outcome, const Job& job, const std::string& state) {
  if (outcome.interrupted) {
    std::fprintf(stderr, "tidemark: pipeline \"%s\": the audit was cut short; %s\n",
                 job.pipeline->name.c_str(),
                 state.empty() ? "with a folder in [guard] state it would go on from here next time"
                               : "the same command goes on from here");
  } else if (outcome.error) {
    std::fprintf(stderr, "tidemark: pipeline \"%s\" was not audited\n", job.pipeline->name.c_str());
    report(*outcome.error);
  }
}

}  // namespace

int audit_command(App& app, const AuditCommandOptions& options) {
  const auto file = load(app, options.file);
  if (!file) return kConfig;
  if (!options.only.empty() && find_pipeline(*file, options.only) == nullptr) return kUsage;
  if (options.repair && options.kind == "count") {
    std::fprintf(stderr,
                 "tidemark: counts name no document that could be delivered again\n"
                 "  what to do: leave --kind out, or write --kind checksum\n");
    return kUsage;
  }
  const auto settings = GuardSettings::of(*file);
  if (!settings) return report(settings.error());
  auto jobs = jobs_of(app, *file, *settings, options);
  if (!jobs) return report(jobs.error());
  if (Status made = make_state_folder(settings->frame.state); !made) return report(made.error());

  int code = kOk;
  std::string json;
  for (Job& job : *jobs) {
    const Job about{job.pipeline, job.audit, {}};
    const Outcome outcome = AuditRun(app, settings->frame, std::move(job)).run(options.repair);
    remember(app, settings->frame.state, outcome);
    if (options.json)
      json += (json.empty() ? "" : ",\n") + json_of(about, outcome);
    else
      print(outcome);
    explain(outcome, about, settings->frame.state);
    code = std::max(code, code_of(outcome));
    if (outcome.interrupted) break;
  }
  if (options.json)
    std::printf("{\"file\": %s, \"audits\": [%s]}\n", nlohmann::json(options.file).dump().c_str(),
                json.c_str());
  return code;
}

}  // namespace tidemark::cli
