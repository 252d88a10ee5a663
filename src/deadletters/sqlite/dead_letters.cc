#include "deadletters/sqlite/dead_letters.h"

#include <cassert>

#include <sqlite3.h>

namespace tidemark {
namespace {

constexpr const char* kColumns =
    "pipeline TEXT, id TEXT, reason TEXT, event TEXT, at_ms INTEGER, PRIMARY KEY(pipeline, id)";
constexpr const char* kShape = "pipeline TEXT, id TEXT, reason TEXT, event TEXT, at_ms INTEGER, ";
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
      return React::kConfig;
    case SQLITE_INTERRUPT:
      return React::kCancelled;
    default:
      return React::kFatal;
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
void bind(sqlite3_stmt* statement, int index, int64_t value) { sqlite3_bind_int64(statement, index, value); }

std::string text_at(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement, column)));
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

  Status put(const DeadLetter& letter, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(React::kCancelled, "dead letters " + path_ + ": stopped");
    TIDEMARK_ASSIGN(
        const StatementPtr statement,
        prepare("INSERT INTO dead_letters(pipeline, id, reason, event, at_ms) VALUES(?1, ?2, ?3, ?4, ?5) "
                "ON CONFLICT(pipeline, id) DO UPDATE SET reason = excluded.reason, event = excluded.event, "
                "at_ms = excluded.at_ms",
                letter.pipeline, letter.id, letter.reason, letter.event, letter.at_ms));
    return run(statement.get());
  }

  Result<std::vector<DeadLetter>> list(const std::string& pipeline, const std::string& after,
                                       size_t limit) override {
    TIDEMARK_ASSIGN(
        const StatementPtr statement,
        prepare("SELECT id, pipeline, reason, event, at_ms FROM dead_letters WHERE pipeline = ?1 AND id > ?2 "
                "ORDER BY id LIMIT ?3",
                pipeline, after, static_cast<int64_t>(limit)));
    std::vector<DeadLetter> letters;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
      sqlite3_stmt* row = statement.get();
      letters.push_back(
          {text_at(row, 0), text_at(row, 1), text_at(row, 2), text_at(row, 3), sqlite3_column_int64(row, 4)});
    }
    if (code != SQLITE_DONE) return fail(error(code));
    return letters;
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
    TIDEMARK_ASSIGN(const StatementPtr columns,
                    prepare("SELECT name, type FROM pragma_table_info('dead_letters')"));
    std::string found;
    while (sqlite3_step(columns.get()) == SQLITE_ROW)
      found += text_at(columns.get(), 0) + " " + text_at(columns.get(), 1) + ", ";
    if (found == kShape) return {};
    return fail(React::kConfig,
                "dead letters " + path_ + ": table dead_letters has another shape: expected (" + kColumns +
                    "), found (" + found + ")",
                "give the dead letters a file of their own");
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
            react_to(code) == React::kConfig ? "may this user write the file and its folder?" : "", code};
  }

  const std::string path_;
  std::unique_ptr<sqlite3, CloseDatabase> database_;
};

}  // namespace

config::ComponentSpec sqlite_dead_letters_spec() {
  config::ComponentSpec spec;
  spec.kind = "dead_letters";
  spec.type = "sqlite";
  spec.summary =
      "Dead letters in an SQLite database, table dead_letters: one row per event that no retry can deliver, "
      "with the reason "
      "and the whole event in canonical Extended JSON.";
  config::FieldSpec path;
  path.name = "path";
  path.doc = "The database file; created when absent. Several pipelines may share one.";
  path.required = true;
  path.example = "\"dead-letters.db\"";
  spec.fields = {path};
  return spec;
}

Result<std::unique_ptr<DeadLetterStore>> make_sqlite_dead_letters(const config::Settings& settings,
                                                                  const ComponentContext&) {
  const std::string& path = settings.string("path");
  if (path.empty() || path == ":memory:")
    return fail(settings.error("path", "dead letters need a file", "name one: path = \"dead-letters.db\""));
  return std::make_unique<SqliteDeadLetters>(path);
}

}  // namespace tidemark
