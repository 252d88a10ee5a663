#include "guard/audit_report.h"

namespace tidemark::guard {

std::string_view to_string(AuditKind kind) { return kind == AuditKind::kCount ? "count" : "checksum"; }

std::string_view to_string(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing:
      return "missing";
    case DifferenceKind::kExtra:
      return "extra";
    case DifferenceKind::kDifferent:
      return "different";
    case DifferenceKind::kUnreadable:
      return "unreadable";
    case DifferenceKind::kStale:
      return "stale";
    case DifferenceKind::kDoubled:
      return "doubled";
  }
  return "?";
}

std::string to_string(const AuditDifference& difference) {
  return std::string(to_string(difference.kind)) + " " + difference.collection.text() + " " + difference.id;
}

std::string to_string(const AuditReject& reject) {
  return "rejected " + reject.collection.text() + " " + reject.id + ": " + reject.reason;
}

uint64_t& AuditReport::of(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing:
      return missing;
    case DifferenceKind::kExtra:
      return extra;
    case DifferenceKind::kDifferent:
      return different;
    case DifferenceKind::kUnreadable:
      return unreadable;
    case DifferenceKind::kStale:
      return stale;
    case DifferenceKind::kDoubled:
      break;
  }
  return doubled;
}

void fill(const AuditReport& report, AuditView& view) {
  view.pipeline = report.pipeline;
  view.kind = to_string(report.kind);
  view.duration_s = report.seconds;
  view.finished_at_ms = report.finished_at_ms;
  view.source_documents = report.source_documents;
  view.destination_documents = report.destination_documents;
  view.filtered_documents = report.filtered;
  view.missing = report.missing;
  view.extra = report.extra;
  view.different = report.different;
  view.unreadable = report.unreadable;
  view.stale = report.stale;
  view.doubled = report.doubled;
  view.rejected_documents = report.rejected;
  view.unexamined = report.unexamined;
  view.unaudited_collections = report.unaudited.size();
  view.unsettled = report.unsettled;
  view.buckets = report.buckets;
  view.buckets_differing = report.buckets_differing;
  view.first_ids.clear();
  for (const AuditDifference& difference : report.differences) {
    if (view.first_ids.size() == kFirstIdsMax) break;
    view.first_ids.push_back(to_string(difference));
  }
  view.first_rejected.clear();
  for (const AuditReject& reject : report.rejects) view.first_rejected.push_back(to_string(reject));
}

}  // namespace tidemark::guard
