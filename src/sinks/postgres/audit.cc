#include "sinks/postgres/audit.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "bson/doubled_name.h"
#include "bson/json.h"
#include "core/audit_row.h"
#include "core/row_plan.h"
#include "core/table_owners.h"
#include "sinks/postgres/audit_sql.h"
#include "sinks/postgres/index_limit.h"
#include "sinks/postgres/letters.h"
#include "sinks/postgres/rows.h"
#include "sinks/postgres/sink.h"
#include "sinks/postgres/tables.h"

namespace tidemark::postgres {
namespace {

constexpr std::chrono::milliseconds kStatementTimeout = std::chrono::hours(1);
constexpr size_t kPageMax = 10'000;
constexpr size_t kIdsMax = 1'000;                // in one statement
constexpr size_t kIdBytesMax = 4 * 1024 * 1024;  // of one statement
constexpr size_t kKnownTablesMax = 10'000;
constexpr size_t kTextFactorMax = 16;

struct Options {
  ConnectionOptions connection;
  TablePattern table;
  TableName owner_table;
};

Result<Options> options_of(const config::Settings& settings, const ComponentContext& context) {
  Options options;
  TIDEMARK_ASSIGN(options.table, sql::audited_table(settings, kNaming));
  options.connection.uri = settings.string("uri");
  if (options.connection.uri.empty() || !is_connection_string(options.connection.uri)) {
    return fail(settings.error(
        "uri", "not a PostgreSQL connection string (it isn't shown, as it may hold a password)",
        "write postgresql://user:password@host:5432/database"));
  }
  options.connection.application = "tidemark audit " + context.pipeline;
  options.connection.connect_timeout = settings.duration("connect_timeout");
  const auto timeout = settings.duration("statement_timeout");
  options.connection.statement_timeout =
      timeout.count() == 0 ? timeout : std::max(timeout, kStatementTimeout);
  options.owner_table = table_name(settings.string("owner_table"));
  return options;
}

class PostgresAuditEnd final : public AuditEnd {
 public:
  PostgresAuditEnd(Options options, ComponentContext context)
      : options_(std::move(options)), context_(std::move(context)) {}

  std::string describe() const override { return name_; }

  Status open(std::stop_token stop) override {
    close();
    TIDEMARK_TRY(connect(stop));
    if (!options_.table.fixed()) return {};
    if (auto checked = find_table({}, stop); !checked) return fail(std::move(checked).error());
    return {};
  }

  std::string target(const CollectionName& collection) override {
    options_.table.expand(collection.view(), table_name_);
    // Of another's table nothing is its own, so that it shares none.
    if (!owners_.check(table_name_.text(), collection.view())) return "no table of " + collection.text();
    return "the table " + table_name_.text();
  }

  Status expected(const Event& event, AuditRow& row) override {
    const auto id = event.key.find("_id");
    if (!id) return fail(React::kReject, "the document has no _id");
    options_.table.expand(event.ns, table_name_);
    if (!fits_name(table_name_))
      return fail(React::kReject, "the table name '" + table_name_.text() + "' is too long");
    TIDEMARK_TRY(owners_.check(table_name_.text(), event.ns));
    TIDEMARK_TRY(check_text(*id, event.after));
    rows_.of_document(*id, event.after, row);
    return {};
  }

  Result<AuditPage> scan(const CollectionName& collection, const AuditBuckets& buckets,
                         const std::string& last_id, size_t limit, const Visit& visit,
                         std::stop_token stop) override {
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view(), stop));
    if (!there) return AuditPage{last_id, true};
    limit = std::clamp<size_t>(limit, 1, kPageMax);
    const std::string params[] = {last_id};
    TIDEMARK_ASSIGN(const Rows rows, ask(page_sql(table_, limit), params, stop));
    AuditPage page{last_id, rows.rows.size() < limit};
    TIDEMARK_TRY(hand_out(rows, buckets.field, visit));
    if (!rows.empty()) page.last_id = row_.id;
    return page;
  }

  Status lookup(const CollectionName& collection, std::span<const AuditId> ids, const Visit& visit,
                std::stop_token stop) override {
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view(), stop));
    std::vector<std::string> texts;
    while (there && !ids.empty()) {
      texts.clear();
      size_t count = 0, bytes = 0;
      while (count < ids.size() && count < kIdsMax &&
             (count == 0 || bytes + ids[count].text.size() <= kIdBytesMax)) {
        const std::string& text = ids[count++].text;
        bytes += text.size();
        // What the database has no letters for can't be in it, and may not be asked for.
        TIDEMARK_ASSIGN(const bool held, letters_.hold(text, *connection_, stop));
        if (held) texts.push_back(text);
      }
      ids = ids.subspan(count);
      if (texts.empty()) continue;
      const std::string params[] = {array_text(texts)};
      TIDEMARK_ASSIGN(const Rows rows, ask(lookup_sql(table_), params, stop));
      TIDEMARK_TRY(hand_out(rows, {}, visit));
    }
    return {};
  }

  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName& collection,
                                                            const AuditBuckets& buckets,
                                                            std::stop_token stop) override {
    std::map<std::optional<int64_t>, uint64_t> counts;
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view(), stop));
    if (!there) return counts;
    const std::vector<std::string> params = time_paths(buckets.field);
    TIDEMARK_ASSIGN(const Rows rows, ask(counts_sql(table_, buckets.field, buckets.width_ms), params, stop));
    bool any_wrapped = false;
    for (const auto& row : rows.rows) {
      const bool wrapped = row[2] == "1";
      any_wrapped = any_wrapped || wrapped;
      if (!wrapped)
        counts[number_or_null(row[0])] += static_cast<uint64_t>(number_or_null(row[1]).value_or(0));
    }
    if (!any_wrapped) return counts;
    const auto count = [&](const AuditRow& row) -> Status {
      ++counts[bucket_of(row.time_ms, buckets)];
      return {};
    };
    TIDEMARK_TRY(hand_out_all(wrapped_sql(table_, buckets.field), buckets.field, count, std::move(stop)));
    return counts;
  }

  Result<std::optional<AuditSums>> sums(const CollectionName& collection, const AuditBuckets& buckets,
                                        std::stop_token stop) override {
    AuditSums sums;
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view(), stop));
    if (!there) return sums;
    const auto add = [&](const AuditRow& row) -> Status {
      sums.add(row, buckets);
      return {};
    };
    TIDEMARK_TRY(hand_out_all(rows_sql(table_), buckets.field, add, std::move(stop)));
    return sums;
  }

  Result<bool> scan_leaves(const CollectionName& collection, const AuditBuckets& buckets,
                           std::span<const uint16_t> leaves, const Visit& visit,
                           std::stop_token stop) override {
    TIDEMARK_ASSIGN(const bool there, find_table(collection.view(), stop));
    if (!there) return true;
    TIDEMARK_TRY(hand_out_all(leaves_sql(table_, leaves), buckets.field, visit, std::move(stop)));
    return true;
  }

  void close() override {
    connection_.reset();
    known_.clear();
  }

 private:
  Status connect(std::stop_token stop) {
    TIDEMARK_ASSIGN(connection_, Connection::open(options_.connection, *context_.clock, stop));
    name_ = connection_->describe();
    TIDEMARK_TRY(letters_.of(*connection_, stop));
    TIDEMARK_TRY(read_owners(stop));
    index_limit_.forget();
    if (auto done = connection_->query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", stop); !done)
      return fail(std::move(done).error());
    return {};
  }

  Status read_owners(std::stop_token stop) {
    owners_.clear();
    const std::string name = sql_name(options_.owner_table);
    TIDEMARK_ASSIGN(const Rows there,
                    connection_->query("SELECT to_regclass($1)", std::span(&name, 1), stop));
    if (there.empty() || there.rows[0][0].empty()) return {};
    auto rows = connection_->query("SELECT name, namespace FROM " + name, stop);
    if (!rows && rows.error().react == React::kDenied) {
      log::warn("{}: this user may not read {}, so that the audit doesn't know whose each table is: {}",
                name_, name, rows.error().what);
      return {};
    }
    if (!rows) return fail(std::move(rows).error());
    for (const auto& row : rows->rows) owners_.add(row[0], row[1]);
    return {};
  }

  Result<Rows> ask(const std::string& sql, std::span<const std::string> params, std::stop_token stop) {
    return connection_->query(sql, params, std::move(stop));
  }

  // Whether the collection has a table of its own, whose name for SQL is then table_; an error when it has another shape. Connects
  // anew when the connection was lost.
  Result<bool> find_table(const Namespace& ns, std::stop_token stop) {
    if (stop.stop_requested()) return fail(React::kCancelled, describe() + ": stopped");
    if (connection_ == nullptr || connection_->lost()) {
      close();
      TIDEMARK_TRY(connect(stop));
    }
    options_.table.expand(ns, table_name_);
    if (!fits_name(table_name_)) return false;
    if (!ns.collection.empty() && !owners_.check(table_name_.text(), ns)) return false;
    table_ = sql_name(table_name_);
    if (known_.contains(table_)) return true;
    TIDEMARK_ASSIGN(const std::string shape, shape_of(*connection_, table_name_, std::move(stop)));
    if (shape.empty()) return false;
    if (!guard_form_of(shape)) {
      Error error = other_shape(*connection_, table_name_, kCurrentColumns, shape);
      // One collection that the sink refuses for it doesn't hide what the others hold.
      if (!options_.table.fixed()) error.react = React::kReject;
      return fail(std::move(error));
    }
    if (known_.size() >= kKnownTablesMax) known_.clear();
    known_.insert(table_);
    return true;
  }

  // Rows of (id, document).
  Status hand_out(const Rows& rows, std::string_view field, const Visit& visit) {
    for (const auto& row : rows.rows) {
      rows_.of_texts(row[0], row[1], field, row_);
      TIDEMARK_TRY(visit(row_));
    }
    return {};
  }

  // They may be those of the whole table: they are copied out, so that the server makes the next rows while these are
  // compared, and neither end holds many.
  Status hand_out_all(const std::string& sql, std::string_view field, const Visit& visit,
                      std::stop_token stop) {
    Status done = copy_all(sql, field, visit, std::move(stop));
    if (!done) close();  // and with the session its transaction
    return done;
  }

  Status copy_all(const std::string& sql, std::string_view field, const Visit& visit, std::stop_token stop) {
    TIDEMARK_TRY(ask("BEGIN", {}, stop));
    // It takes as long as the table is large; what shows that it is stuck is silence.
    TIDEMARK_TRY(ask("SET LOCAL statement_timeout = 0", {}, stop));
    const auto hand_out = [&](std::span<const std::string_view> row) -> Status {
      if (row.size() != 2) return fail(React::kFatal, describe() + ": a copy of other columns");
      rows_.of_texts(row[0], row[1], field, row_);
      return visit(row_);
    };
    TIDEMARK_TRY(connection_->copy_out("COPY (" + sql + ") TO STDOUT (FORMAT binary)", hand_out, stop));
    TIDEMARK_TRY(ask("COMMIT", {}, stop));
    return {};
  }

  // kReject for what jsonb, or the database's encoding, can't hold. By the text that the sink would write: it is what the
  // server is given.
  Status check_text(const bson::Element& id, bson::View document) {
    json_.clear();
    if (!letters_.all() || may_hold_nul(id) || may_hold_nul(document)) {
      bson::append_json_value(id, bson::JsonMode::kCanonical, json_);
      bson::append_json(document, bson::JsonMode::kCanonical, json_);
    }
    if (contains_nul_escape(json_))
      return fail(React::kReject, "the document holds U+0000 in a text, which jsonb can't store");
    if (const auto doubled = bson::first_doubled_name(document))
      return fail(React::kReject,
                  "the name " + *doubled + " stands twice, and jsonb keeps the last one alone");
    id_.clear();
    // No text is longer than its value by more: an empty name and an undefined are two bytes, and 23 characters.
    if (id.value_bytes().size() * kTextFactorMax >= IndexLimit::kNeverTooLong)
      bson::append_json_value(id, bson::JsonMode::kCanonical, id_);
    const bool long_id = id_.size() >= IndexLimit::kNeverTooLong;
    if (letters_.all() && !long_id) return {};
    if (connection_ == nullptr || connection_->lost()) TIDEMARK_TRY(connect({}));
    if (long_id) TIDEMARK_TRY(index_limit_.check(id_, *connection_, {}));
    if (letters_.all()) return {};
    TIDEMARK_ASSIGN(const bool held, letters_.hold(json_, *connection_, {}));
    if (held) return {};
    return fail(React::kReject, "the document holds " + letters_.missing() +
                                    ", which a database of the encoding " + letters_.encoding() +
                                    " can't store");
  }

  const Options options_;
  const ComponentContext context_;
  std::string name_ = "postgres";
  std::unique_ptr<Connection> connection_;
  std::set<std::string> known_;  // tables that have the right shape
  TableName table_name_;
  std::string table_;
  AuditRowMaker rows_{AuditForm::kFieldsSorted};
  Letters letters_;
  IndexLimit index_limit_;
  TableOwners owners_;
  std::string json_, id_;
  AuditRow row_;
};

}  // namespace

Result<std::unique_ptr<AuditEnd>> make_audit_end(const config::Settings& settings,
                                                 const ComponentContext& context) {
  TIDEMARK_ASSIGN(Options options, options_of(settings, context));
  return std::make_unique<PostgresAuditEnd>(std::move(options), context);
}

}  // namespace tidemark::postgres
