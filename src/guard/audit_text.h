// An audit's report for people and for programs. Pure functions; any thread.
//
// The JSON is a stable contract: keys are added, never renamed or removed.
//   { "pipeline", "kind": "count"|"checksum", "source", "destination", "clean": bool, "resumed": bool,
//     "started_at", "finished_at" (RFC 3339), "seconds",
//     "bucket_field", "bucket_ms",
//     "collections", "source_documents", "destination_documents", "filtered", "rejected", "left_over",
//     "missing", "extra", "different", "unsettled", "unexamined",
//     "unreadable", "stale", "doubled", "capped_rows", "gone",
//     "rejects":       [ { "collection", "id", "reason" } ]      the first 20 of "rejected"
//     "unaudited":     [ { "collection", "reason" } ]            collections that could not be compared
//     "buckets", "buckets_differing",
//     "bucket_deltas": [ { "collection", "start" (RFC 3339, or null: without a time), "start_ms" (or null), "source",
//                          "destination", "missing", "extra", "different" } ]      the first 100
//     "differences":   [ { "kind", "collection", "id" } ]       "id" is canonical Extended JSON, as a value
//     "differences_complete": bool,
//     "source_bytes", "destination_bytes", "memory_bytes_peak",
//     "repair": { "asked", "written", "removed", "healed", "rejected", "seconds", "complete": bool,
//                 "still_wrong": [ { "kind", "collection", "id" } ] } }            only after a repair
#pragma once

#include <string>

#include "guard/audit_report.h"

namespace tidemark::guard {

// Totals, the buckets that differ, the first ids, what to do. Ends with a line break.
std::string audit_text(const AuditReport& report);
std::string repair_text(const RepairReport& report);

// One line without a break. `repair` may be null; its `still_wrong` and the report's differences are whole, so that the line may
// be long.
std::string audit_json(const AuditReport& report, const RepairReport* repair = nullptr);

}  // namespace tidemark::guard
