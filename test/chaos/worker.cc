#include "chaos/worker.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <sys/mount.h>

#include "chaos/minimise.h"
#include "chaos/regressions.h"
#include "support/temp_folder.h"

namespace tidemark::chaos {
namespace {

using nlohmann::json;

constexpr const char* kDiskSize = "size=16m";
constexpr int kMinimisedMax = 2;  // failing schedules that one worker makes smaller: they are slow
constexpr int kTriesOfOne = 2;    // chance has a part in when a fault meets what

// A small disk that only this process and its children see. False where that isn't allowed: then files are limited instead.
bool mount_disk(const std::string& folder) {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", folder.c_str(), "tmpfs", 0, kDiskSize) == 0;
}

json tally(const Tally& t) { return {t.lost, t.duplicates}; }
Tally tally(const json& t) { return {t[0], t[1]}; }

bool needs_postgres(const std::vector<Schedule>& schedules) {
  for (const Schedule& schedule : schedules)
    for (const RelayKind* relay : schedule.relays)
      if (relay->sink == SinkType::kPostgres) return true;
  return false;
}

}  // namespace

Surroundings surroundings_here() {
  const char* server = std::getenv("TIDEMARK_TEST_SERVER");
  return {.postgres = !testing::PostgresServer::unavailable().has_value(),
          .disk_full = true,
          .real = server != nullptr && std::string_view(server) == "real"};
}

Result<std::vector<Schedule>> schedules_of(const RunOptions& options, const Surroundings& surroundings) {
  std::vector<Schedule> all;
  for (const std::string& text : options.schedules) {
    TIDEMARK_ASSIGN(all.emplace_back(), parse_schedule(text));
  }
  if (!all.empty()) return all;
  if (options.regressions) {
    for (const char* text : kRegressions) {
      TIDEMARK_ASSIGN(Schedule schedule, parse_schedule(text));
      const bool possible =
          std::all_of(schedule.faults.begin(), schedule.faults.end(),
                      [&](const Fault& fault) { return applies(fault.kind, schedule, surroundings); }) &&
          (surroundings.postgres || !needs_postgres({schedule}));
      if (possible) all.push_back(std::move(schedule));
    }
  }
  for (int i = 0; i < options.seeds; ++i)
    all.push_back(make_schedule(options.first + static_cast<uint64_t>(i), surroundings));
  return all;
}

std::string Report::to_json() const {
  json line = {{"schedule", print(schedule)},   {"findings", verdict.findings},
               {"missed", verdict.missed},      {"inflicted", verdict.inflicted},
               {"writes", verdict.writes},      {"unknown", verdict.unknown},
               {"starts", verdict.starts},      {"seconds", verdict.seconds},
               {"repeated", verdict.repeated},  {"tidemark", tally(verdict.tidemark)},
               {"stock", tally(verdict.stock)}, {"in_memory", tally(verdict.in_memory)}};
  if (minimal) line["minimal"] = print(*minimal);
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Report> Report::from_json(const std::string& line) {
  const json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("schedule"))
    return fail(React::kFatal, "not a report: " + line);
  Report report;
  TIDEMARK_ASSIGN(report.schedule, parse_schedule(parsed["schedule"].get<std::string>()));
  Verdict& verdict = report.verdict;
  verdict.findings = parsed["findings"].get<std::vector<std::string>>();
  verdict.missed = parsed["missed"].get<std::vector<std::string>>();
  verdict.inflicted = parsed["inflicted"];
  verdict.writes = parsed["writes"];
  verdict.unknown = parsed["unknown"];
  verdict.starts = parsed["starts"];
  verdict.seconds = parsed["seconds"];
  verdict.repeated = parsed["repeated"];
  verdict.tidemark = tally(parsed["tidemark"]);
  verdict.stock = tally(parsed["stock"]);
  verdict.in_memory = tally(parsed["in_memory"]);
  if (parsed.contains("minimal")) {
    TIDEMARK_ASSIGN(report.minimal, parse_schedule(parsed["minimal"].get<std::string>()));
  }
  return report;
}

int work(const RunOptions& options) {
  std::signal(SIGXFSZ, SIG_IGN);  // inherited: a file that may not grow is an error, not the end
  Workshop workshop;
  workshop.surroundings = surroundings_here();
  workshop.consumers = options.stock;
  workshop.keep = options.keep;
  const auto schedules = schedules_of(options, workshop.surroundings);
  if (!schedules) return std::fprintf(stderr, "%s\n", schedules.error().describe().c_str()), 64;
  // Its folder isn't on the small disk.
  std::optional<testing::PostgresServer> postgres;
  if (workshop.surroundings.postgres && needs_postgres(*schedules)) postgres.emplace();
  workshop.postgres = postgres ? &*postgres : nullptr;
  const testing::TempFolder folder;
  workshop.beside = folder.path();
  workshop.folder = folder.file("disk");
  std::filesystem::create_directory(workshop.folder);
  if (mount_disk(workshop.folder)) workshop.disk = workshop.folder;

  int minimised = 0;
  for (size_t i = static_cast<size_t>(options.worker); i < schedules->size();
       i += static_cast<size_t>(options.jobs)) {
    Report report{(*schedules)[i], run_trial((*schedules)[i], workshop), std::nullopt};
    if (!report.verdict.passed() && options.minimise_runs > 0 && minimised++ < kMinimisedMax) {
      const auto fails = [&workshop](const Schedule& candidate) {
        for (int tries = 0; tries < kTriesOfOne; ++tries)
          if (!run_trial(candidate, workshop).passed()) return true;
        return false;
      };
      report.minimal = minimise(report.schedule, fails, options.minimise_runs);
    }
    std::printf("%s\n", report.to_json().c_str());
    std::fflush(stdout);
  }
  if (!workshop.disk.empty()) ::umount2(workshop.disk.c_str(), MNT_DETACH);
  return 0;
}

}  // namespace tidemark::chaos
