#include "guard/audit_text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/human.h"
#include "bson/json.h"

namespace tidemark::guard {
namespace {

constexpr size_t kBucketsShown = 24;
constexpr size_t kIdWidthMax = 100;
constexpr size_t kColumns = 80;  // of a terminal; what has no spaces may be longer

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

std::string shortened(std::string text) {
  if (text.size() <= kIdWidthMax) return text;
  size_t end = kIdWidthMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "...";
}

// Text from column `column` on, in lines that begin at `indent`.
void append_wrapped(std::string& out, std::string_view text, size_t column, size_t indent) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (column > indent && column + 1 + end > kColumns) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, end);
    column += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out += '\n';
}

void append_line(std::string& out, std::string_view name, uint64_t number, std::string_view note = {}) {
  const std::string line = fmt::format("  {:<22}{:>15} ", name, grouped(number));
  out += note.empty() ? line.substr(0, line.size() - 1) : line;
  append_wrapped(out, note, line.size(), line.size() + 1);
}

std::string plural(uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", grouped(count), one, count == 1 ? "" : "s");
}

void append_totals(std::string& out, const AuditReport& report) {
  append_line(out, "source", report.source_documents, report.source);
  append_line(out, "destination", report.destination_documents, report.destination);
  if (report.filtered > 0)
    append_line(out, "filtered", report.filtered, "dropped by the transforms, expected nowhere");
  if (report.rejected > 0)
    append_line(out, "rejected", report.rejected,
                "refused, so that the destination can't hold them; see the dead letters");
  if (report.left_over > 0)
    append_line(out, "left over", report.left_over, "rows of documents that the transforms drop now");
  if (report.capped_rows > 0)
    append_line(out, "beyond the cap", report.capped_rows,
                "rows whose documents a capped collection has removed: no event tells of that, none is "
                "counted as extra");
  if (report.gone > 0) append_line(out, "gone", report.gone, "removed from both ends while the audit ran");
  append_line(out, "missing", report.missing);
  append_line(out, "extra", report.extra);
  if (report.kind == AuditKind::kChecksum) append_line(out, "different", report.different);
  if (report.unreadable > 0)
    append_line(out, "unreadable", report.unreadable,
                "what stands there reads back to no document of its id");
  if (report.stale > 0)
    append_line(out, "stale behind a reject", report.stale,
                "rows of documents whose present state is refused");
  if (report.doubled > 0)
    append_line(out, "doubled", report.doubled,
                "same _id on two shards: the destination can hold one of them");
  if (report.unsettled > 0)
    append_line(out, "unsettled", report.unsettled, "still on their way each time they were looked at");
  if (report.unexamined > 0)
    append_line(out, "not looked at", report.unexamined,
                "more differs than one audit looks into; audit again");
  if (!report.unaudited.empty())
    append_line(out, "collections left out", report.unaudited.size(), "not compared, named below");
}

std::string headline(const AuditReport& report) {
  if (report.clean()) return "both ends hold the same";
  if (report.wrong() > 0)
    return fmt::format("{} of the destination's documents are wrong", grouped(report.wrong()));
  const std::string rejected =
      fmt::format("{} rejected document{}", grouped(report.rejected), report.rejected == 1 ? "" : "s");
  if (report.whole()) return "the same but for " + rejected;
  std::string open;
  const auto add = [&](uint64_t count, std::string_view one, std::string_view more) {
    if (count > 0)
      open += fmt::format("{}{} {}", open.empty() ? "" : ", ", grouped(count), count == 1 ? one : more);
  };
  add(report.unsettled, "document is unsettled", "documents are unsettled");
  add(report.unexamined, "was not looked at", "were not looked at");
  add(report.unaudited.size(), "collection could not be compared", "collections could not be compared");
  return "nothing is known to be wrong, yet " + open + (report.rejected > 0 ? ", beside " + rejected : "");
}

void append_rejects(std::string& out, const AuditReport& report) {
  if (!report.rejects.empty()) out += '\n';
  for (const AuditReject& reject : report.rejects) out += "  " + shortened(to_string(reject)) + '\n';
  if (report.rejected > report.rejects.size() && !report.rejects.empty())
    out += fmt::format("  ... and {} more\n", grouped(report.rejected - report.rejects.size()));
}

void append_unaudited(std::string& out, const AuditReport& report) {
  if (report.unaudited.empty()) return;
  out += '\n';
  for (size_t i = 0; i < std::min(report.unaudited.size(), kFirstIdsMax); ++i)
    out += fmt::format("  not compared {}: {}\n", report.unaudited[i].collection.text(),
                       report.unaudited[i].reason);
  if (report.unaudited.size() > kFirstIdsMax)
    out += fmt::format("  ... and {} more\n", report.unaudited.size() - kFirstIdsMax);
}

// A table whose columns are as wide as what stands in them.
void append_buckets(std::string& out, const AuditReport& report) {
  if (report.deltas.empty()) return;
  constexpr size_t kTexts = 2;  // the first columns, which stand on the left
  std::vector<std::array<std::string, 7>> rows = {
      {"collection", "bucket from", "source", "dest.", "missing", "extra", "different"}};
  for (size_t i = 0; i < std::min(report.deltas.size(), kBucketsShown); ++i) {
    const BucketDelta& delta = report.deltas[i];
    rows.push_back({delta.collection.text(), bucket_text(delta.start_ms), grouped(delta.source),
                    grouped(delta.destination), grouped(delta.missing), grouped(delta.extra),
                    grouped(delta.different)});
  }
  std::array<size_t, 7> widths{};
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  out += '\n';
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      out += i < kTexts ? fmt::format("  {:<{}}", row[i], widths[i])
                        : fmt::format("  {:>{}}", row[i], widths[i]);
    out += '\n';
  }
  if (report.buckets_differing > kBucketsShown)
    out += fmt::format("  ... and {} more buckets\n", grouped(report.buckets_differing - kBucketsShown));
}

void append_ids(std::string& out, const std::vector<AuditDifference>& differences, uint64_t total) {
  if (differences.empty()) return;
  out += '\n';
  for (size_t i = 0; i < std::min(differences.size(), kFirstIdsMax); ++i)
    out += "  " + shortened(to_string(differences[i])) + '\n';
  if (total > kFirstIdsMax) out += fmt::format("  ... and {} more\n", grouped(total - kFirstIdsMax));
}

// The id as a value; one that is no JSON as the text it is.
nlohmann::json json_of_id(const std::string& id) {
  nlohmann::json value = nlohmann::json::parse(id, nullptr, false);
  return value.is_discarded() ? nlohmann::json(id) : value;
}

nlohmann::json json_of(const std::vector<AuditDifference>& differences) {
  nlohmann::json list = nlohmann::json::array();
  for (const AuditDifference& difference : differences) {
    list.push_back({{"kind", to_string(difference.kind)},
                    {"collection", difference.collection.text()},
                    {"id", json_of_id(difference.id)}});
  }
  return list;
}

nlohmann::json json_of(const std::vector<AuditReject>& rejects) {
  nlohmann::json list = nlohmann::json::array();
  for (const AuditReject& reject : rejects)
    list.push_back(
        {{"collection", reject.collection.text()}, {"id", json_of_id(reject.id)}, {"reason", reject.reason}});
  return list;
}

nlohmann::json json_of(const std::vector<AuditUnaudited>& unaudited) {
  nlohmann::json list = nlohmann::json::array();
  for (const AuditUnaudited& each : unaudited)
    list.push_back({{"collection", each.collection.text()}, {"reason", each.reason}});
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
  const uint64_t wrong = report.wrong();
  std::string out = fmt::format("audit of {} by {}: {} ({:.1f} s{})\n", report.pipeline,
                                to_string(report.kind), headline(report), report.seconds,
                                report.resumed ? ", went on where an earlier one stood" : "");
  append_totals(out, report);
  out += fmt::format("  {} of {} s by '{}' in {}, {} with differences\n", plural(report.buckets, "bucket"),
                     report.bucketing.width_ms / 1000.0, report.bucketing.field,
                     plural(report.collections, "collection"), grouped(report.buckets_differing));
  append_buckets(out, report);
  append_ids(out, report.differences, wrong);
  append_rejects(out, report);
  append_unaudited(out, report);
  if (wrong == 0) return out;
  if (report.kind == AuditKind::kCount)
    out += "\nA checksum audit names the documents; with --repair it puts them right.\n";
  else
    out +=
        "\n`tidemark audit FILE --repair` delivers exactly these documents again.\n"
        "Find out first why they went wrong: what has done it may do it again.\n";
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
        "\nWhat is still wrong is refused by the sink, carries a newer token than the\n"
        "source's last change, or changes too often; look at one row by hand.\n";
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
                         {"unreadable", report.unreadable},
                         {"stale", report.stale},
                         {"doubled", report.doubled},
                         {"capped_rows", report.capped_rows},
                         {"gone", report.gone},
                         {"rejects", json_of(report.rejects)},
                         {"unaudited", json_of(report.unaudited)},
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
