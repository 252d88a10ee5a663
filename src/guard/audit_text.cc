#include "guard/audit_text.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bson/json.h"

namespace tidemark::guard {
namespace {

constexpr size_t kBucketsShown = 24;
constexpr size_t kIdWidthMax = 100;

// A bucket's first millisecond in a year that RFC 3339 has; else the number.
std::string time_text(int64_t ms) {
  constexpr int64_t kYear0 = -62'167'219'200'000;
  constexpr int64_t kYear10000 = 253'402'300'800'000;
  if (ms < kYear0 || ms >= kYear10000) return std::to_string(ms) + " ms";
  std::string text;
  bson::append_rfc3339(ms, text);
  return text;
}

std::string bucket_text(std::optional<int64_t> start_ms) {
  return start_ms ? time_text(*start_ms) : std::string("without a time");
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, " ");
  return text;
}

std::string shortened(std::string text) {
  if (text.size() <= kIdWidthMax) return text;
  size_t end = kIdWidthMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "...";
}

void append_line(std::string& out, std::string_view name, uint64_t number, std::string_view note = {}) {
  out += fmt::format("  {:<24}{:>14}", name, grouped(number));
  if (!note.empty()) out += fmt::format("  {}", note);
  out += '\n';
}

void append_totals(std::string& out, const AuditReport& report) {
  append_line(out, "source", report.source_documents, report.source);
  append_line(out, "destination", report.destination_documents, report.destination);
  if (report.filtered > 0)
    append_line(out, "filtered", report.filtered, "dropped by the transforms, expected nowhere");
  if (report.rejected > 0)
    append_line(out, "rejected", report.rejected, "refused, expected nowhere; see the dead letters");
  if (report.left_over > 0)
    append_line(out, "left over", report.left_over, "rows of documents that the transforms drop now");
  append_line(out, "missing", report.missing);
  append_line(out, "extra", report.extra);
  if (report.kind == AuditKind::kChecksum) append_line(out, "different", report.different);
  if (report.unsettled > 0)
    append_line(out, "unsettled", report.unsettled, "still on their way each time they were looked at");
  if (report.unexamined > 0)
    append_line(out, "not looked at", report.unexamined,
                "more differs than one audit looks into; audit again");
}

void append_buckets(std::string& out, const AuditReport& report) {
  if (report.deltas.empty()) return;
  size_t width = std::string_view("collection").size();
  for (const BucketDelta& delta : report.deltas) width = std::max(width, delta.collection.text().size());
  out += fmt::format("\n  {:<{}}  {:<24}{:>12}{:>14}{:>10}{:>10}{:>11}\n", "collection", width, "bucket from",
                     "source", "destination", "missing", "extra", "different");
  for (size_t i = 0; i < std::min(report.deltas.size(), kBucketsShown); ++i) {
    const BucketDelta& delta = report.deltas[i];
    out += fmt::format("  {:<{}}  {:<24}{:>12}{:>14}{:>10}{:>10}{:>11}\n", delta.collection.text(), width,
                       bucket_text(delta.start_ms), delta.source, delta.destination, delta.missing,
                       delta.extra, delta.different);
  }
  if (report.buckets_differing > kBucketsShown)
    out += fmt::format("  ... and {} more buckets\n", report.buckets_differing - kBucketsShown);
}

void append_ids(std::string& out, const std::vector<AuditDifference>& differences, uint64_t total) {
  if (differences.empty()) return;
  out += '\n';
  for (size_t i = 0; i < std::min(differences.size(), kFirstIdsMax); ++i)
    out += "  " + shortened(to_string(differences[i])) + '\n';
  if (total > kFirstIdsMax) out += fmt::format("  ... and {} more\n", total - kFirstIdsMax);
}

nlohmann::json json_of(const std::vector<AuditDifference>& differences) {
  nlohmann::json list = nlohmann::json::array();
  for (const AuditDifference& difference : differences) {
    nlohmann::json id = nlohmann::json::parse(difference.id, nullptr, false);
    if (id.is_discarded()) id = difference.id;
    list.push_back({{"kind", to_string(difference.kind)},
                    {"collection", difference.collection.text()},
                    {"id", std::move(id)}});
  }
  return list;
}

nlohmann::json json_of(const BucketDelta& delta) {
  nlohmann::json bucket = {{"collection", delta.collection.text()},
                           {"source", delta.source},
                           {"destination", delta.destination},
                           {"missing", delta.missing},
                           {"extra", delta.extra},
                           {"different", delta.different}};
  bucket["start"] = delta.start_ms ? nlohmann::json(time_text(*delta.start_ms)) : nlohmann::json();
  bucket["start_ms"] = delta.start_ms ? nlohmann::json(*delta.start_ms) : nlohmann::json();
  return bucket;
}

}  // namespace

std::string audit_text(const AuditReport& report) {
  const uint64_t wrong = report.missing + report.extra + report.different;
  std::string out =
      fmt::format("audit of {} by {}: {} ({:.1f} s{})\n", report.pipeline, to_string(report.kind),
                  wrong == 0 ? "both ends hold the same"
                             : fmt::format("{} of the destination's documents are wrong", grouped(wrong)),
                  report.seconds, report.resumed ? ", went on where an earlier one stood" : "");
  append_totals(out, report);
  out += fmt::format("  {} buckets of {} s by '{}' in {} collections, {} with differences\n",
                     grouped(report.buckets), report.bucketing.width_ms / 1000.0, report.bucketing.field,
                     report.collections, grouped(report.buckets_differing));
  append_buckets(out, report);
  append_ids(out, report.differences, wrong);
  if (wrong == 0) return out;
  if (report.kind == AuditKind::kCount)
    out += "\nA checksum audit names the documents; with --repair it puts them right.\n";
  else
    out +=
        "\n`tidemark audit FILE --repair` delivers exactly these documents again. Find out first why they "
        "went wrong: "
        "what has done it may do it again.\n";
  if (!report.differences_complete)
    out += "More differ than the memory limit lets it name: repair and audit again, or raise `memory`.\n";
  return out;
}

std::string repair_text(const RepairReport& report) {
  std::string out = fmt::format(
      "repair: {}\n", report.complete()
                          ? "every row is as the source has it"
                          : fmt::format("{} rows are still wrong", grouped(report.still_wrong.size())));
  append_line(out, "asked for", report.asked);
  append_line(out, "written", report.written);
  append_line(out, "removed", report.removed);
  append_line(out, "right already", report.healed);
  if (report.rejected > 0) append_line(out, "refused by the sink", report.rejected);
  append_ids(out, report.still_wrong, report.still_wrong.size());
  if (!report.complete())
    out +=
        "\nWhat is still wrong is refused by the sink, carries a newer token than the source's last change, "
        "or changes too "
        "often; look at one row by hand.\n";
  return out;
}

std::string audit_json(const AuditReport& report, const RepairReport* repair) {
  nlohmann::json json = {{"pipeline", report.pipeline},
                         {"kind", to_string(report.kind)},
                         {"source", report.source},
                         {"destination", report.destination},
                         {"clean", report.clean()},
                         {"resumed", report.resumed},
                         {"started_at", time_text(report.started_at_ms)},
                         {"finished_at", time_text(report.finished_at_ms)},
                         {"seconds", report.seconds},
                         {"bucket_field", report.bucketing.field},
                         {"bucket_ms", report.bucketing.width_ms},
                         {"collections", report.collections},
                         {"source_documents", report.source_documents},
                         {"destination_documents", report.destination_documents},
                         {"filtered", report.filtered},
                         {"rejected", report.rejected},
                         {"left_over", report.left_over},
                         {"missing", report.missing},
                         {"extra", report.extra},
                         {"different", report.different},
                         {"unsettled", report.unsettled},
                         {"unexamined", report.unexamined},
                         {"buckets", report.buckets},
                         {"buckets_differing", report.buckets_differing},
                         {"differences", json_of(report.differences)},
                         {"differences_complete", report.differences_complete},
                         {"source_bytes", report.source_bytes},
                         {"destination_bytes", report.destination_bytes},
                         {"memory_bytes_peak", report.memory_bytes_peak}};
  json["bucket_deltas"] = nlohmann::json::array();
  for (const BucketDelta& delta : report.deltas) json["bucket_deltas"].push_back(json_of(delta));
  if (repair != nullptr) {
    json["repair"] = {{"asked", repair->asked},         {"written", repair->written},
                      {"removed", repair->removed},     {"healed", repair->healed},
                      {"rejected", repair->rejected},   {"seconds", repair->seconds},
                      {"complete", repair->complete()}, {"still_wrong", json_of(repair->still_wrong)}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace tidemark::guard
