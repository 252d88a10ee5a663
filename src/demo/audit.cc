#include "demo/audit.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/human.h"
#include "bson/json.h"
#include "demo/config.h"
#include "demo/poster.h"
#include "demo/view.h"
#include "sinks/sqlite/database.h"
#include "sinks/sqlite/positions.h"

namespace tidemark::demo {
namespace {

constexpr size_t kIdsShown = 10;
constexpr size_t kDigestDigits = 32;                          // of content that nobody forges
constexpr const char* kPositionTable = "tidemark_positions";  // the sink's default

sqlite::DatabaseOptions read_only(const std::string& path) {
  sqlite::DatabaseOptions options;
  options.path = path;
  options.read_only = true;
  return options;
}

// A document stands for its digest: a long demo holds more of them than fit in memory twice.
std::string digest(const std::string& canonical) {
  return to_hex(sha256(canonical)).substr(0, kDigestDigits);
}

// The event inside of a stored document. What holds none is a row of its own, which nobody was promised.
guard::Row row_of_event(bson::View document, const std::string& id) {
  const auto raw = document.find("raw");
  if (raw && raw->is_document()) {
    auto row = event_row(bson::to_json(raw->document(), bson::JsonMode::kRelaxed));
    if (row) return *row;
  }
  return {"document " + id + " without an event", {}};
}

// Sorted, each id once; the number of those that were there again.
uint64_t remove_doubled(std::vector<guard::Row>& rows) {
  std::ranges::sort(rows, {}, &guard::Row::id);
  const auto rest = std::ranges::unique(rows, {}, &guard::Row::id);
  const auto count = static_cast<uint64_t>(rest.size());
  rows.erase(rest.begin(), rest.end());
  return count;
}

Result<guard::Comparison> compare_rows(std::vector<guard::Row> source, std::vector<guard::Row> destination) {
  guard::SortedRows left(std::move(source));
  guard::SortedRows right(std::move(destination));
  return guard::compare(left, right, kIdsShown);
}

}  // namespace

Result<int64_t> Destination::count() const {
  TIDEMARK_ASSIGN(const auto database, sqlite::Database::open(read_only(path_), clock_));
  TIDEMARK_ASSIGN(auto select, database->prepare("SELECT count(*) FROM " + sqlite::quoted(kTable)));
  TIDEMARK_TRY(select.step());
  return select.integer(0);
}

Result<std::optional<StoredPosition>> Destination::position() const {
  TIDEMARK_ASSIGN(const auto database, sqlite::Database::open(read_only(path_), clock_));
  return sqlite::PositionTable(kPositionTable).read(*database, kArchive);
}

Result<std::vector<guard::Row>> Destination::rows() const {
  TIDEMARK_ASSIGN(const auto database, sqlite::Database::open(read_only(path_), clock_));
  TIDEMARK_ASSIGN(auto select, database->prepare("SELECT id, doc FROM " + sqlite::quoted(kTable)));
  std::vector<guard::Row> rows;
  while (true) {
    TIDEMARK_ASSIGN(const bool there, select.step());
    if (!there) return rows;
    rows.push_back({select.text(0), digest(select.text(1))});
  }
}

Result<Audit> audit_demo(std::vector<guard::Row> promises, Server& server, const Destination& destination) {
  std::vector<guard::Row> events, documents;
  TIDEMARK_TRY(server.each(kDatabase, kCollection, [&](bson::View document) {
    std::string id;
    if (const auto field = document.find("_id"))
      bson::append_json_value(*field, bson::JsonMode::kCanonical, id);
    events.push_back(row_of_event(document, id));
    documents.push_back({id, digest(bson::to_json(document))});
  }));
  TIDEMARK_ASSIGN(auto archive, destination.rows());
  Audit audit;
  audit.doubled = remove_doubled(events);
  TIDEMARK_ASSIGN(audit.promised, compare_rows(std::move(promises), std::move(events)));
  TIDEMARK_ASSIGN(audit.archived, compare_rows(std::move(documents), std::move(archive)));
  return audit;
}

std::string audit_text(const Audit& audit) {
  const auto row = [](std::string_view name, const std::string& left, const std::string& right) {
    return fmt::format("  {:<11}{:<22}{}\n", name, left, right);
  };
  const auto count = [](const guard::Difference& difference) { return grouped(difference.count); };
  const auto totals = [](const guard::Comparison& comparison) {
    return fmt::format("{} : {}", grouped(comparison.source_total), grouped(comparison.destination_total));
  };
  const guard::Comparison& promised = audit.promised;
  const guard::Comparison& archived = audit.archived;
  std::string text = row("", "202 : MongoDB", "MongoDB : SQLite");
  text += row("missing", count(promised.missing), count(archived.missing));
  text += row("extra", count(promised.extra), count(archived.extra));
  text += row("different", count(promised.different), count(archived.different));
  text += row("doubled", grouped(audit.doubled), "-");
  text += row("in all", totals(promised), totals(archived));
  const auto add_ids = [&text](std::string_view what, const guard::Difference& difference) {
    for (const std::string& id : difference.first_ids) text += fmt::format("    {}: {}\n", what, id);
  };
  for (const auto& [end, comparison] : {std::pair("MongoDB", &promised), std::pair("SQLite", &archived)}) {
    add_ids(fmt::format("missing in {}", end), comparison->missing);
    add_ids(fmt::format("extra in {}", end), comparison->extra);
    add_ids(fmt::format("different in {}", end), comparison->different);
  }
  return text;
}

}  // namespace tidemark::demo
