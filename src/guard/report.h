// What the guard has found, as plain values: alerts and audits. Copied; src/http shows them and reads nothing else of the
// guard.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::guard {

enum class Severity { kWarning, kCritical };
std::string_view to_string(Severity severity);  // "warning", "critical"

// One alert of one pipeline. It fires once and resolves once.
struct AlertView {
  std::string name;      // of the rule: "position_stuck"; docs/operating.md has a section of this name
  std::string pipeline;  // empty: of the whole program
  Severity severity = Severity::kWarning;
  bool firing = true;  // false: resolved
  std::string text;    // one sentence for people, with the figure and its limit
  std::string hint;    // what to do
  double figure = 0;   // in `unit`
  double limit = 0;
  std::string unit;  // "seconds", "ratio", "documents", "messages", "letters", "times"
  int64_t fired_at_ms = 0;
  int64_t resolved_at_ms = 0;  // 0 while it fires
  uint64_t seq = 0;            // 1, 2, 3 ...: the order of firing
  std::string process = {};    // empty = this one; else the peer's address, as configured
};

// One configured audit and its last result.
struct AuditView {
  std::string pipeline;
  std::string kind;     // "count" or "checksum"
  std::string state;    // "waiting", "running", "stopped" (it can't run: see `error`)
  std::string error;    // why the last run failed; the figures are then those of the run before
  double progress = 0;  // of the run under way, 0 to 1
  double every_s = 0;
  std::optional<double> age_s;  // since the last run that came to its end
  double duration_s = 0;
  int64_t finished_at_ms = 0;  // 0 = never

  uint64_t source_documents = 0;
  uint64_t destination_documents = 0;
  uint64_t filtered_documents = 0;  // at the source, and dropped by the pipeline's transforms
  uint64_t missing = 0;             // confirmed: settled, and looked at twice
  uint64_t extra = 0;
  uint64_t different = 0;
  uint64_t unreadable = 0;             // rows that read back to no document of their id
  uint64_t stale = 0;                  // rows of documents that are refused now
  uint64_t doubled = 0;                // ids that the source holds on several shards
  uint64_t rejected_documents = 0;     // at the source, and refused by a transform or by the destination
  uint64_t unaudited_collections = 0;  // that could not be compared
  uint64_t unexamined = 0;             // may differ: more did than one audit looks into
  uint64_t unsettled = 0;              // differed, and were changed again each time they were looked at
  uint64_t buckets = 0;                // compared
  uint64_t buckets_differing = 0;
  std::vector<std::string> first_ids;            // "missing shop.orders {"$oid":...}", at most 20
  std::vector<std::string> first_rejected = {};  // "rejected shop.orders {"$oid":...}: WHY", at most 20
  std::string process = {};                      // empty = this one; else the peer's address, as configured

  // As AuditReport::clean().
  bool clean() const {
    return missing + extra + different + unreadable + stale + doubled + rejected_documents +
               unaudited_collections + unexamined + unsettled ==
           0;
  }
};

struct GuardView {
  bool configured = false;
  double interval_s = 0;
  std::optional<double> age_s;    // since the guard's last round of looks
  std::vector<AlertView> alerts;  // firing ones first, newest first; then resolved ones, at most 100 in all
  std::vector<AuditView> audits;
  uint64_t notices_sent = 0;    // by webhooks
  uint64_t notices_failed = 0;  // given up after every try
};

}  // namespace tidemark::guard
