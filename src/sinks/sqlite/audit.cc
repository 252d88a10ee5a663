#include "sinks/sqlite/audit.h"

#include <bitset>

#include "core/audit_row.h"
#include "core/row_plan.h"
#include "core/table_owners.h"
#include "sinks/sqlite/database.h"
#include "sinks/sqlite/json_time.h"
#include "sinks/sqlite/rows.h"
#include "sinks/sqlite/sink.h"

namespace tidemark::sqlite {
namespace {

constexpr int64_t kPageRows = 4096;  // of what is read in the order of the file

struct Options {
  DatabaseOptions database;
  TablePattern table;
  std::string owner_table;
};

Result<Options> options_of(const config::Settings& settings) {
  Options options;
  TIDEMARK_ASSIGN(options.table, sql::audited_table(settings, kNaming));
  options.database.path = settings.string("path");
  options.database.read_only = true;
  options.database.busy_timeout = settings.duration("busy_timeout");
  options.owner_table = settings.string("owner_table");
  return options;
}

class SqliteAuditEnd final : public AuditEnd {
 public:
  SqliteAuditEnd(Options options, ComponentContext context)
      : options_(std::move(options)), context_(std::move(context)) {}

  std::string describe() const override { return "sqlite " + options_.database.path; }

  Status open(std::stop_token stop) override {
    close();
    TIDEMARK_ASSIGN(const bool there, context_.files->exists(options_.database.path));
    if (!there) {
      return fail(React::kRetry, describe() + ": there is no such file",
                  "the pipeline creates it when it first runs; a relative path starts at the working folder");
    }
    TIDEMARK_ASSIGN(database_, Database::open(options_.database, *context_.clock));
    const Database::StopScope scope(*database_, std::move(stop));
    TIDEMARK_TRY(read_owners());
    if (!options_.table.fixed()) return {};
    if (auto checked = find_table({}); !checked) return fail(std::move(checked).error());
    return {};
  }

  std::string target(const CollectionName& collection) override {
    options_.table.expand(collection.view(), name_);
    // Of another's table nothing is its own, so that it shares none.
    if (!owners_.check(lower_case(name_.name), collection.view())) return "no table of " + collection.text();
    return "the table " + name_.text();
  }

  Status expected(const Event& event, AuditRow& row) override {
    const auto id = event.key.find("_id");
    if (!id) return fail(React::kReject, "the document has no _id");
    options_.table.expand(event.ns, name_);
    TIDEMARK_TRY(owners_.check(lower_case(name_.name), event.ns));
    rows_.of_document(*id, event.after, row);
    return {};
  }

  Result<AuditPage> scan(const CollectionName& collection, const AuditBuckets& buckets,
                         const std::string& last_id, size_t limit, const Visit& visit,
                         std::stop_token stop) override {
    TIDEMARK_TRY(check_open(stop));
    const Database::StopScope scope(*database_, std::move(stop));
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view()));
    if (!there) return AuditPage{last_id, true};
    TIDEMARK_ASSIGN(Statement rows, database_->prepare("SELECT id, doc FROM " + table_ +
                                                       " WHERE id > ?1 ORDER BY id LIMIT ?2"));
    rows.bind(1, last_id).bind(2, static_cast<int64_t>(limit));
    AuditPage page{last_id, false};
    for (size_t n = 0;; ++n) {
      TIDEMARK_ASSIGN(const bool more, rows.step());
      if (!more) {
        page.done = n < limit;
        return page;
      }
      rows_.of_texts(rows.text_view(0), rows.text_view(1), buckets.field, row_);
      TIDEMARK_TRY(visit(row_));
      page.last_id = row_.id;
    }
  }

  Status lookup(const CollectionName& collection, std::span<const AuditId> ids, const Visit& visit,
                std::stop_token stop) override {
    TIDEMARK_TRY(check_open(stop));
    const Database::StopScope scope(*database_, std::move(stop));
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view()));
    if (!there) return {};
    TIDEMARK_ASSIGN(Statement find, database_->prepare("SELECT doc FROM " + table_ + " WHERE id = ?1"));
    for (size_t i = 0; i < ids.size(); ++i) {
      const std::string& id = ids[i].text;
      if (i > 0 && ids[i - 1].text == id) continue;  // the row is handed out once
      TIDEMARK_ASSIGN(const bool found, find.bind(1, id).step());
      if (!found) continue;
      rows_.of_texts(id, find.text_view(0), {}, row_);
      find.reset();
      TIDEMARK_TRY(visit(row_));
    }
    return {};
  }

  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token stop) override {
    std::map<std::optional<int64_t>, uint64_t> counts;
    const JsonTime time(buckets.field);
    const auto count = [&](Statement& row) -> Status {
      const std::string_view text = row.text_view(2);
      // What is inside of a value that Extended JSON can't say stands in no path: such a text is read back.
      if (text.find(R"({"$bson")") == std::string_view::npos) {
        ++counts[bucket_of(time.in(text), buckets)];
      } else {
        rows_.of_texts(row.text_view(1), text, buckets.field, row_);
        ++counts[bucket_of(row_.time_ms, buckets)];
      }
      return {};
    };
    TIDEMARK_TRY(for_each(collection, count, std::move(stop)));
    return counts;
  }

  Result<std::optional<AuditSums>> sums(const CollectionName& collection, const AuditBuckets& buckets,
                                        std::stop_token stop) override {
    AuditSums sums;
    const auto add = [&](Statement& row) -> Status {
      rows_.of_texts(row.text_view(1), row.text_view(2), buckets.field, row_);
      sums.add(row_, buckets);
      return {};
    };
    TIDEMARK_TRY(for_each(collection, add, std::move(stop)));
    return sums;
  }

  Result<bool> scan_leaves(const CollectionName& collection, const AuditBuckets& buckets,
                           std::span<const uint16_t> leaves, const Visit& visit,
                           std::stop_token stop) override {
    std::bitset<kAuditLeaves> wanted;
    for (const uint16_t leaf : leaves) wanted.set(leaf % kAuditLeaves);
    const auto choose = [&](Statement& row) -> Status {
      if (!wanted.test(leaf_of(row.text_view(1)))) return {};
      rows_.of_texts(row.text_view(1), row.text_view(2), buckets.field, row_);
      return visit(row_);
    };
    TIDEMARK_TRY(for_each(collection, choose, std::move(stop)));
    return true;
  }

  void close() override { database_.reset(); }

 private:
  Status check_open(const std::stop_token& stop) const {
    if (stop.stop_requested()) return fail(React::kCancelled, describe() + ": stopped");
    if (database_ == nullptr) return fail(React::kRetry, describe() + ": the database is not open");
    return {};
  }

  Status read_owners() {
    owners_.clear();
    TIDEMARK_ASSIGN(
        Statement named,
        database_->prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE"));
    TIDEMARK_ASSIGN(const bool there, named.bind(1, options_.owner_table).step());
    if (!there) return {};
    TIDEMARK_ASSIGN(Statement rows,
                    database_->prepare("SELECT name, namespace FROM " + quoted(options_.owner_table)));
    while (true) {
      TIDEMARK_ASSIGN(const bool more, rows.step());
      if (!more) return {};
      owners_.add(lower_case(rows.text(0)), rows.text(1));
    }
  }

  // Whether the collection has a table of its own, whose name is then table_, quoted; an error when it has another shape.
  Result<bool> find_table(const Namespace& ns) {
    options_.table.expand(ns, name_);
    if (!ns.collection.empty() && !owners_.check(lower_case(name_.name), ns)) return false;
    TIDEMARK_ASSIGN(Statement columns,
                    database_->prepare("SELECT name, type, pk FROM pragma_table_info(?1)"));
    columns.bind(1, name_.name);
    std::string shape;
    while (true) {
      TIDEMARK_ASSIGN(const bool more, columns.step());
      if (!more) break;
      if (!shape.empty()) shape += ", ";
      shape += columns.text(0) + " " + columns.text(1);
      if (columns.integer(2) != 0) shape += " PRIMARY KEY";
    }
    table_ = quoted(name_.name);
    if (shape.empty()) return false;
    if (shape == kCurrentColumns || shape == kTextGuardColumns) return true;
    // One collection that the sink refuses for it doesn't hide what the others hold.
    return fail(options_.table.fixed() ? React::kConfig : React::kReject,
                describe() + ": table '" + name_.name + "' has another shape: expected (" + kCurrentColumns +
                    "), found (" + shape + ")",
                "is this the table that the pipeline writes in mode \"current\"?");
  }

  // Every row, in the order of the file, as (rowid, id, doc). What has no id is nothing of the sink's, and
  // is left out here as it is by scan().
  template <class VisitRow>
  Status for_each(const CollectionName& collection, VisitRow visit, std::stop_token stop) {
    TIDEMARK_TRY(check_open(stop));
    const Database::StopScope scope(*database_, stop);
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view()));
    if (!there) return {};
    TIDEMARK_ASSIGN(Statement rows, database_->prepare("SELECT rowid, id, doc FROM " + table_ +
                                                       " WHERE rowid > ?1 ORDER BY rowid LIMIT ?2"));
    int64_t last = INT64_MIN;
    for (int64_t n = kPageRows; n == kPageRows;) {
      if (stop.stop_requested()) return fail(React::kCancelled, describe() + ": stopped");
      rows.bind(1, last).bind(2, kPageRows);
      for (n = 0;; ++n) {
        TIDEMARK_ASSIGN(const bool more, rows.step());
        if (!more) break;
        last = rows.integer(0);
        if (!rows.text_view(1).empty()) TIDEMARK_TRY(visit(rows));
      }
    }
    return {};
  }

  const Options options_;
  const ComponentContext context_;
  std::unique_ptr<Database> database_;
  TableOwners owners_;  // by the table's name in lower case
  TableName name_;
  std::string table_;
  AuditRowMaker rows_{AuditForm::kAsIs};
  AuditRow row_;  // reused for every row
};

}  // namespace

Result<std::unique_ptr<AuditEnd>> make_audit_end(const config::Settings& settings,
                                                 const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings));
  return std::make_unique<SqliteAuditEnd>(std::move(options), context);
}

}  // namespace tidemark::sqlite
