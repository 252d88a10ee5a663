#include "chaos/summary.h"

#include <cstdio>
#include <set>

#include <fmt/format.h>

#include "support/process.h"

namespace tidemark::chaos {
namespace {

constexpr size_t kProgressEvery = 50;

std::string row(const char* name, const std::vector<Report>& reports, Tally Verdict::*tally) {
  uint64_t with_loss = 0, lost = 0, duplicates = 0;
  for (const Report& report : reports) {
    const Tally& t = report.verdict.*tally;
    with_loss += t.lost > 0 ? 1 : 0;
    lost += t.lost;
    duplicates += t.duplicates;
  }
  return fmt::format("| {} | {} of {} | {} | {} |\n", name, with_loss, reports.size(), lost, duplicates);
}

std::string relay_names(const std::vector<Report>& reports) {
  std::set<std::string> names;
  for (const Report& report : reports)
    for (const RelayKind* relay : report.schedule.relays) names.insert(relay->name);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string stock_table(const std::vector<Report>& reports, const std::string& command) {
  uint64_t writes = 0, repeated = 0;
  for (const Report& report : reports) {
    writes += report.verdict.writes;
    repeated += report.verdict.repeated;
  }
  return "| consumer | schedules with loss | events lost | events delivered twice |\n|---|---|---|---|\n" +
         row("Tidemark", reports, &Verdict::tidemark) +
         row("the usual loop: no stored token, starts at now", reports, &Verdict::stock) +
         row("the same with the last token in memory", reports, &Verdict::in_memory) +
         fmt::format(
             "\n{} schedules, {} acknowledged writes: `{}`. Tidemark's row is all relays of a schedule "
             "together; its "
             "sink `file`, at least once by contract, has {} lines twice.\n",
             reports.size(), writes, command, repeated);
}

Summary::Summary(size_t expected, const RunOptions& options)
    : expected_(expected), options_(options), begun_(testing::internal::now()) {}

void Summary::take(const std::string& line) {
  auto report = Report::from_json(line);
  if (!report) return broke(report.error().describe());
  if (options_.json) std::printf("%s\n", line.c_str());
  if (!report->verdict.passed()) {
    ++failed_;
    print_failure(*report);
  }
  reports_.push_back(std::move(*report));
  if (!options_.json && reports_.size() % kProgressEvery == 0)
    std::printf("%zu of %zu schedules, %zu failed\n", reports_.size(), expected_, failed_);
  std::fflush(stdout);
}

void Summary::broke(const std::string& words) { broken_.push_back(words); }

void Summary::print_failure(const Report& report) const {
  std::FILE* out = options_.json ? stderr : stdout;
  std::fprintf(out, "FAILED seed %llu\n", static_cast<unsigned long long>(report.schedule.seed));
  for (const std::string& finding : report.verdict.findings) std::fprintf(out, "  %s\n", finding.c_str());
  for (const std::string& missed : report.verdict.missed)
    std::fprintf(out, "  not inflicted: %s\n", missed.c_str());
  std::fprintf(out, "  tidemark-chaos --schedule \"%s\"\n", print(report.schedule).c_str());
  if (report.minimal)
    std::fprintf(out,
                 "  made smaller, and it still failed; for test/chaos/regressions.h:\n  tidemark-chaos "
                 "--schedule \"%s\"\n",
                 print(*report.minimal).c_str());
}

// What this run had no means to inflict must not look as if it had been tried.
void Summary::print_missed() const {
  std::map<std::string, int> missed;
  int count = 0;
  for (const Report& report : reports_) {
    for (const std::string& words : report.verdict.missed) {
      ++missed[words.substr(0, words.find(':'))];
      ++count;
    }
  }
  std::string text;
  for (const auto& [name, times] : missed)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", times, name);
  if (count > 0) std::printf("not inflicted, for want of a primary or of means: %s\n", text.c_str());
}

void Summary::print_stock_table() const {
  std::printf(
      "\n%s",
      stock_table(reports_, fmt::format("make chaos SEEDS={} CHAOS_ARGS=--stock", options_.seeds)).c_str());
}

int Summary::finish() {
  for (const std::string& words : broken_) std::printf("FAILED a worker broke off: %s\n", words.c_str());
  if (reports_.size() < expected_)
    std::printf("FAILED only %zu of %zu schedules were tried\n", reports_.size(), expected_);
  const bool fine = failed_ == 0 && broken_.empty() && reports_.size() == expected_;
  if (options_.json) return fine ? 0 : 1;
  uint64_t writes = 0, unknown = 0, repeated = 0;
  int inflicted = 0, starts = 0;
  for (const Report& report : reports_) {
    writes += report.verdict.writes;
    unknown += report.verdict.unknown;
    inflicted += report.verdict.inflicted;
    starts += report.verdict.starts;
    repeated += report.verdict.repeated;
  }
  const double took = std::chrono::duration<double>(testing::internal::now() - begun_).count();
  std::printf("relays: %s\n", relay_names(reports_).c_str());
  print_missed();
  std::printf(
      "%zu schedules, %zu failed: %d faults, %llu writes acknowledged, %llu of unknown outcome, %d starts of "
      "relays, "
      "%llu lines repeated by the at-least-once file (%.1f s)\n",
      reports_.size(), failed_, inflicted, static_cast<unsigned long long>(writes),
      static_cast<unsigned long long>(unknown), starts, static_cast<unsigned long long>(repeated), took);
  if (options_.stock) print_stock_table();
  return fine ? 0 : 1;
}

}  // namespace tidemark::chaos
