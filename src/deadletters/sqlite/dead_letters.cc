#include <cassert>
#include <iterator>

#include <sqlite3.h>

#include "config/fields.h"
#include "deadletters/sqlite/component.h"

namespace tidemark {
namespace {

constexpr const char* kColumns =
    "pipeline TEXT, id TEXT, reason TEXT, event TEXT, at_ms INTEGER, attempts INTEGER NOT NULL DEFAULT 1, "
    "origin TEXT NOT NULL DEFAULT '', payload TEXT NOT NULL DEFAULT '', malformed INTEGER NOT NULL DEFAULT "
    "0, bytes BLOB NOT NULL DEFAULT x'', hidden INTEGER NOT NULL DEFAULT 0, "
    "PRIMARY KEY(pipeline, id)";
// A file may be of an earlier version: each of these shapes is what the one before becomes with its `added`.
struct Shape {
  const char* added;    // columns, as they read in pragma_table_info
  const char* to_have;  // statements that add them
};
constexpr Shape kShapes[] = {
    {"pipeline TEXT, id TEXT, reason TEXT, event TEXT, at_ms INTEGER, ", ""},
    {"attempts INTEGER, origin TEXT, payload TEXT, malformed INTEGER, ",
     "ALTER TABLE dead_letters ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;"
     "ALTER TABLE dead_letters ADD COLUMN origin TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE dead_letters ADD COLUMN payload TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE dead_letters ADD COLUMN malformed INTEGER NOT NULL DEFAULT 0;"},
    {"bytes BLOB, hidden INTEGER, ",
     "ALTER TABLE dead_letters ADD COLUMN bytes BLOB NOT NULL DEFAULT x'';"
     "ALTER TABLE dead_letters ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;"},
};
constexpr int kBusyTimeoutMs = 5000;

React react_to(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return React::kRetry;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return React::kCorrupt;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return React::kDenied;
    case SQLITE_INTERRUPT:
      return React::kCancelled;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return React::kFatal;  // our own mistakes
    default:
      return React::kRetry;
  }
}

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Parameters in order: texts and integers.
void bind(sqlite3_stmt* statement, int index, const std::string& text) {
  sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
struct Blob {
  std::string_view bytes;
};
void bind(sqlite3_stmt* statement, int index, const Blob& blob) {
  // A null pointer would be NULL.
  sqlite3_bind_blob64(statement, index, blob.bytes.empty() ? "" : blob.bytes.data(), blob.bytes.size(),
                      SQLITE_STATIC);
}
void bind(sqlite3_stmt* statement, int index, int64_t value) { sqlite3_bind_int64(statement, index, value); }

std::string text_at(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, column)));
}

// A row of "SELECT id, pipeline, reason, event, at_ms, attempts, origin, payload, malformed, bytes, hidden".
DeadLetter letter_at(sqlite3_stmt* row) {
  DeadLetter letter;
  letter.id = text_at(row, 0);
  letter.pipeline = text_at(row, 1);
  letter.reason = text_at(row, 2);
  letter.event = text_at(row, 3);
  letter.at_ms = sqlite3_column_int64(row, 4);
  letter.attempts = sqlite3_column_int(row, 5);
  letter.origin = text_at(row, 6);
  letter.payload = text_at(row, 7);
  letter.malformed = sqlite3_column_int(row, 8) != 0;
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, 9));
  if (bytes != nullptr) letter.bytes.assign(bytes, static_cast<size_t>(sqlite3_column_bytes(row, 9)));
  letter.hidden = sqlite3_column_int(row, 10) != 0;
  return letter;
}

class SqliteDeadLetters final : public DeadLetterStore {
 public:
  explicit SqliteDeadLetters(std::string path) : path_(std::move(path)) {}

  Status open(std::stop_token stop) override {
    if (stop.stop_requested()) return fail(React::kCancelled, "dead letters " + path_ + ": stopped");
    auto opened = connect();
    if (!opened) database_.reset();
    return opened;
  }

  Result<LetterFate> put(const DeadLetter& letter, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(React::kCancelled, "dead letters " + path_ + ": stopped");
    const int64_t malformed = letter.malformed ? 1 : 0;
    const int64_t attempts = letter.attempts;
    const int64_t hidden = letter.hidden ? 1 : 0;
    const Blob bytes{letter.bytes};
    TIDEMARK_ASSIGN(
        const StatementPtr statement,
        prepare("INSERT INTO dead_letters(pipeline, id, reason, event, at_ms, attempts, origin, payload, "
                "malformed, bytes, hidden) "
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
                "ON CONFLICT(pipeline, id) DO UPDATE SET reason = excluded.reason, event = excluded.event, "
                "at_ms = excluded.at_ms, attempts = excluded.attempts, origin = excluded.origin, "
                "payload = excluded.payload, malformed = excluded.malformed, bytes = excluded.bytes, "
                "hidden = excluded.hidden",
                letter.pipeline, letter.id, letter.reason, letter.event, letter.at_ms, attempts,
                letter.origin, letter.payload, malformed, bytes, hidden));
    TIDEMARK_TRY(run(statement.get()));
    return LetterFate::kKept;
  }

  Result<std::vector<DeadLetter>> list(const std::string& pipeline, const std::string& after,
                                       size_t limit) override {
    const auto limit_count = static_cast<int64_t>(limit);
    TIDEMARK_ASSIGN(
        const StatementPtr statement,
        prepare("SELECT id, pipeline, reason, event, at_ms, attempts, origin, payload, malformed, "
                "bytes, hidden FROM dead_letters "
                "WHERE pipeline = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                pipeline, after, limit_count));
    return letters(statement.get());
  }

  Result<std::optional<DeadLetter>> find(const std::string& pipeline, const std::string& id) override {
    TIDEMARK_ASSIGN(
        const StatementPtr statement,
        prepare("SELECT id, pipeline, reason, event, at_ms, attempts, origin, payload, malformed, "
                "bytes, hidden FROM dead_letters "
                "WHERE pipeline = ?1 AND id = ?2",
                pipeline, id));
    TIDEMARK_ASSIGN(auto found, letters(statement.get()));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  }

  Result<uint64_t> count(const std::string& pipeline) override {
    TIDEMARK_ASSIGN(const StatementPtr statement,
                    prepare("SELECT count(*) FROM dead_letters WHERE pipeline = ?1", pipeline));
    if (const int code = sqlite3_step(statement.get()); code != SQLITE_ROW) return fail(error(code));
    return static_cast<uint64_t>(sqlite3_column_int64(statement.get(), 0));
  }

  Status remove(const std::string& pipeline, const std::string& id) override {
    TIDEMARK_ASSIGN(const StatementPtr statement,
                    prepare("DELETE FROM dead_letters WHERE pipeline = ?1 AND id = ?2", pipeline, id));
    return run(statement.get());
  }

 private:
  Status connect() {
    sqlite3* database = nullptr;
    const int code = sqlite3_open_v2(
        path_.c_str(), &database,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    database_.reset(database);
    if (code != SQLITE_OK) return fail(error(code));
    sqlite3_busy_timeout(database, kBusyTimeoutMs);
    TIDEMARK_TRY(exec("PRAGMA journal_mode = WAL"));
    TIDEMARK_TRY(exec("PRAGMA synchronous = FULL"));
    TIDEMARK_TRY(exec(std::string("CREATE TABLE IF NOT EXISTS dead_letters(") + kColumns + ")"));
    return check_shape();
  }

  Status check_shape() {
    TIDEMARK_ASSIGN(std::string found, shape());
    const std::string whole = shape_at(std::size(kShapes));
    if (found == whole) return {};
    TIDEMARK_TRY(add_columns());
    TIDEMARK_ASSIGN(found, shape());
    if (found == whole) return {};
    return fail(React::kConfig,
                "dead letters " + path_ + ": table dead_letters has another shape: expected (" + kColumns +
                    "), found (" + found + ")",
                "give the dead letters a file of their own");
  }

  // The columns after `steps` of kShapes.
  static std::string shape_at(size_t steps) {
    std::string columns;
    for (size_t i = 0; i < steps; ++i) columns += kShapes[i].added;
    return columns;
  }

  Result<std::string> shape() {
    TIDEMARK_ASSIGN(const StatementPtr columns,
                    prepare("SELECT name, type FROM pragma_table_info('dead_letters')"));
    std::string found;
    while (sqlite3_step(columns.get()) == SQLITE_ROW)
      found += text_at(columns.get(), 0) + " " + text_at(columns.get(), 1) + ", ";
    return found;
  }

  // All of them or none; looked at under the write lock, because another process may be doing the same. A table of a shape
  // that never was ours stays as it is.
  Status add_columns() {
    TIDEMARK_TRY(exec("BEGIN IMMEDIATE"));
    Status added = add_missing();
    if (added) added = exec("COMMIT");
    if (!added) (void)exec("ROLLBACK");
    return added;
  }

  Status add_missing() {
    TIDEMARK_ASSIGN(const std::string found, shape());
    size_t steps = 1;
    while (steps < std::size(kShapes) && found != shape_at(steps)) ++steps;
    for (; steps < std::size(kShapes); ++steps) TIDEMARK_TRY(exec(kShapes[steps].to_have));
    return {};
  }

  Result<std::vector<DeadLetter>> letters(sqlite3_stmt* rows) {
    std::vector<DeadLetter> found;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(rows)) == SQLITE_ROW) found.push_back(letter_at(rows));
    if (code != SQLITE_DONE) return fail(error(code));
    return found;
  }

  Status exec(const std::string& sql) {
    const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(error(code));
    return {};
  }

  // The parameters must outlive the statement.
  template <class... Params>
  Result<StatementPtr> prepare(const char* sql, const Params&... params) {
    assert(database_ != nullptr);
    sqlite3_stmt* handle = nullptr;
    const int code = sqlite3_prepare_v2(database_.get(), sql, -1, &handle, nullptr);
    StatementPtr statement(handle);
    if (code != SQLITE_OK) return fail(error(code));
    int index = 0;
    (bind(handle, ++index, params), ...);
    return statement;
  }

  Status run(sqlite3_stmt* statement) {
    const int code = sqlite3_step(statement);
    if (code != SQLITE_DONE) return fail(error(code));
    return {};
  }

  Error error(int code) const {
    const char* words = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code);
    return {react_to(code), "dead letters " + path_ + ": " + words,
            react_to(code) == React::kDenied ? "may this user write the file and its folder?" : "", code};
  }

  const std::string path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "dead_letters";
  spec.type = "sqlite";
  spec.summary =
      "Dead letters in an SQLite database, table dead_letters: one row per event that no retry can deliver, "
      "with the reason and the whole event, in canonical Extended JSON for people and in BSON for a retry.";
  spec.fields = {
      required(text("path", "The database file; created when absent. Several pipelines may share one."),
               "\"dead-letters.db\"")};
  return spec;
}

Result<std::unique_ptr<DeadLetterStore>> make(const config::Settings& settings, const ComponentContext&) {
  const std::string& path = settings.string("path");
  if (path.empty() || path == ":memory:")
    return fail(settings.error("path", "dead letters need a file", "name one: path = \"dead-letters.db\""));
  return std::make_unique<SqliteDeadLetters>(path);
}

KeptNames keeps(const config::Settings& settings) {
  return {"sqlite " + settings.string("path"), {"dead_letters"}};
}

}  // namespace

const DeadLettersComponent& sqlite_dead_letters_component() {
  static const DeadLettersComponent component{.spec = make_spec(), .make = make, .keeps = keeps};
  return component;
}

}  // namespace tidemark
