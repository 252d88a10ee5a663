// What /metrics says of the guard, and the whole page as a server with everything behind it answers it.
#include "http/metrics.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "http/testing/server_harness.h"

namespace tidemark::http::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string metrics_of(const guard::GuardView& guard) {
  const Counters counters;
  return render_metrics({}, {}, {}, guard, counters);
}

TEST(Metrics, AlertsAreOneWhileTheyFireAndZeroOnceResolved) {
  const std::string page = metrics_of(full_guard());
  EXPECT_THAT(page,
              HasSubstr(R"(tidemark_alert_firing{alert="lag",pipeline="process",severity="critical"} 1)"));
  EXPECT_THAT(
      page,
      HasSubstr(R"(tidemark_alert_firing{alert="dead_letters",pipeline="process",severity="warning"} 0)"));
}

TEST(Metrics, AnAlertThatFiresAgainIsOneMetric) {
  guard::GuardView guard = full_guard();
  guard.alerts[1].name = "lag";
  guard.alerts[1].severity = guard::Severity::kCritical;
  const std::string page = metrics_of(guard);
  EXPECT_THAT(page,
              HasSubstr(R"(tidemark_alert_firing{alert="lag",pipeline="process",severity="critical"} 1)"));
  EXPECT_THAT(page, Not(HasSubstr(R"(severity="critical"} 0)")));
}

TEST(Metrics, AuditsShowBothEndsAndWhatDiffers) {
  const std::string page = metrics_of(full_guard());
  for (const char* line :
       {"source_documents{pipeline=\"process\",kind=\"checksum\"} 1000",
        "destination_documents{pipeline=\"process\",kind=\"checksum\"} 998",
        "missing_documents{pipeline=\"process\",kind=\"checksum\"} 2",
        "extra_documents{pipeline=\"process\",kind=\"checksum\"} 1",
        "different_documents{pipeline=\"process\",kind=\"checksum\"} 3",
        "unsettled_documents{pipeline=\"process\",kind=\"checksum\"} 4",
        "unreadable_documents{pipeline=\"process\",kind=\"checksum\"} 5",
        "stale_documents{pipeline=\"process\",kind=\"checksum\"} 6",
        "doubled_documents{pipeline=\"process\",kind=\"checksum\"} 7",
        "rejected_documents{pipeline=\"process\",kind=\"checksum\"} 8",
        "unaudited_collections{pipeline=\"process\",kind=\"checksum\"} 9",
        "age_seconds{pipeline=\"process\",kind=\"checksum\"} 120",
        "duration_seconds{pipeline=\"process\",kind=\"checksum\"} 8.5",
        "progress_ratio{pipeline=\"process\",kind=\"checksum\"} 0.25",
        "up{pipeline=\"process\",kind=\"checksum\"} 1", "up{pipeline=\"observe\",kind=\"count\"} 0"})
    EXPECT_THAT(page, HasSubstr(std::string("tidemark_audit_") + line));
}

TEST(Metrics, AnAuditThatNeverEndedSaysNothingOfDocuments) {
  EXPECT_THAT(metrics_of(full_guard()),
              Not(HasSubstr("tidemark_audit_missing_documents{pipeline=\"observe\"")));
}

TEST(Metrics, TheSameSeriesNeverComesTwice) {
  guard::GuardView guard = full_guard();
  guard.audits.push_back(guard.audits.front());
  guard.audits.back().missing = 77;
  EXPECT_THAT(metrics_of(guard), Not(HasSubstr(" 77")));
}

TEST(Metrics, WhatAPeersGuardFoundIsThePeersToExpose) {
  guard::GuardView guard = full_guard();
  for (auto& alert : guard.alerts) alert.process = "http://127.0.0.1:8322";
  for (auto& audit : guard.audits) audit.process = "http://127.0.0.1:8322";
  const std::string page = metrics_of(guard);
  EXPECT_THAT(page, Not(HasSubstr("tidemark_alert_firing")));
  EXPECT_THAT(page, Not(HasSubstr("tidemark_audit_")));
}

TEST(Metrics, WithoutAGuardNothingIsSaidOfOne) {
  EXPECT_THAT(metrics_of({}), Not(HasSubstr("tidemark_guard_")));
}

// With TIDEMARK_METRICS_FILE the page is also kept, for promtool and for the rules and dashboards that name its metrics.
TEST(Metrics, TheWholePageHasAFamilyOfEachKind) {
  Fixture fixture;
  fixture.backend.with([&] {
    PipelineView& view = fixture.backend.views[0];
    view.position_age_s = 1.5;
    view.oplog_window_left_s = 3600;
    view.proof_of_life_s = 0.5;
    view.sqlite_wal_bytes = 8192;
  });
  Client client = fixture.client();
  client.ask("GET", "/healthz");
  const HttpAnswer answer = client.ask("GET", "/metrics");
  for (const char* family :
       {"tidemark_build_info", "tidemark_log_lines_lost_total", "tidemark_pipeline_lag_seconds",
        "tidemark_pipeline_oplog_window_left_seconds", "tidemark_pipeline_source_backlog",
        "tidemark_pipeline_dead_letters", "tidemark_stats_up", "tidemark_alert_firing",
        "tidemark_audit_missing_documents", "tidemark_guard_notices_total", "tidemark_http_requests_total"})
    EXPECT_THAT(answer.body, HasSubstr(std::string("# TYPE ") + family + " "));
  EXPECT_THAT(answer.body, HasSubstr("tidemark_pipeline_events_left_out_total{pipeline=\"process\"} 9\n"));
  EXPECT_THAT(answer.body, HasSubstr("tidemark_pipeline_sqlite_wal_bytes{pipeline=\"process\"} 8192\n"));
  if (const char* path = std::getenv("TIDEMARK_METRICS_FILE"); path != nullptr)
    std::ofstream(path) << answer.body;
}

}  // namespace
}  // namespace tidemark::http::testing
