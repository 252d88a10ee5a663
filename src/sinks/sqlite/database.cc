#include "sinks/sqlite/database.h"

#include <algorithm>
#include <cerrno>

#include <sqlite3.h>
#include <sys/stat.h>

#include "base/log.h"

namespace tidemark::sqlite {
namespace {

struct Row {
  int code;
  React react;
  const char* hint;
};

// By primary code (https://www.sqlite.org/rescode.html).
constexpr Row kReactions[] = {
    {SQLITE_BUSY, React::kRetry,
     "another process holds the database's lock; busy_timeout says how long to wait for it"},
    {SQLITE_LOCKED, React::kRetry, ""},
    {SQLITE_FULL, React::kRetry, "the disk is full: make room, the write is tried again"},
    {SQLITE_IOERR, React::kRetry, "the disk or the file system fails; the write is tried again"},
    {SQLITE_NOMEM, React::kRetry, ""},
    {SQLITE_PROTOCOL, React::kRetry, ""},
    {SQLITE_SCHEMA, React::kRetry, ""},
    {SQLITE_CORRUPT, React::kCorrupt,
     "restore the file from a copy; `PRAGMA integrity_check` says how far it is damaged"},
    {SQLITE_NOTADB, React::kCorrupt,
     "the file isn't an SQLite database: give another path, or restore it from a copy"},
    {SQLITE_CANTOPEN, React::kDenied, "does the folder exist, and may this user write to it?"},
    {SQLITE_READONLY, React::kDenied, "this user must be able to write the file and its folder"},
    {SQLITE_PERM, React::kDenied, "this user must be able to write the file and its folder"},
    {SQLITE_AUTH, React::kDenied, ""},
    {SQLITE_MISUSE, React::kFatal, ""},  // our own mistakes
    {SQLITE_RANGE, React::kFatal, ""},
    {SQLITE_TOOBIG, React::kReject, "a text in SQLite holds at most 1,000,000,000 bytes"},
    {SQLITE_CONSTRAINT, React::kReject, "a constraint or trigger of the table refuses the row"},
    {SQLITE_MISMATCH, React::kReject, ""},
    {SQLITE_INTERRUPT, React::kCancelled, ""},
};

const Row* row_of(int code) {
  const auto found = std::find_if(std::begin(kReactions), std::end(kReactions),
                                  [&](const Row& row) { return row.code == (code & 0xff); });
  return found == std::end(kReactions) ? nullptr : found;
}

// SQLite counts the memory it uses under a lock that every allocation takes, a few for each row, and nobody here asks
// for the figures. Counts only before the library's first use, and does no harm later.
void init_library() {
  static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)once;
}

}  // namespace

React react_to(int code) {
  const Row* row = row_of(code);
  return row == nullptr ? React::kRetry : row->react;
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    out.push_back(c);
    if (c == '"') out.push_back('"');
  }
  out.push_back('"');
  return out;
}

// --- Statement

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement& Statement::bind(int index, std::string_view text) {
  const int code = sqlite3_bind_text64(statement_.get(), index, text.data() == nullptr ? "" : text.data(),
                                       text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind(int index, int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_.get(), index, value); code != SQLITE_OK)
    bind_error_ = code;
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  const int code = sqlite3_bind_blob64(statement_.get(), index, bytes.data() == nullptr ? "" : bytes.data(),
                                       bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind_null(int index) {
  if (const int code = sqlite3_bind_null(statement_.get(), index); code != SQLITE_OK) bind_error_ = code;
  return *this;
}

Status Statement::run() {
  TIDEMARK_ASSIGN(bool row, step());
  if (row) reset();
  return {};
}

Result<bool> Statement::step() {
  const int code =
      bind_error_ != SQLITE_OK ? std::exchange(bind_error_, SQLITE_OK) : sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = database_->error(code);
  reset();
  return fail(std::move(error));
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

std::string Statement::text(int column) const { return std::string(text_view(column)); }

std::string_view Statement::text_view(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string_view Statement::blob_view(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

// --- Database

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options, Clock& clock) {
  init_library();
  std::unique_ptr<Database> database(new Database(options, clock));
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(options.path.c_str(), &database->handle_, flags, nullptr);
  if (code != SQLITE_OK) return fail(database->error(code));
  sqlite3_busy_handler(database->handle_, &Database::on_busy, database.get());
  if (options.read_only) return database;
  // Where the file system can't do WAL, SQLite stays with its rollback journal: slower, and as durable.
  TIDEMARK_TRY(database->exec("PRAGMA journal_mode = WAL"));
  TIDEMARK_TRY(
      database->exec(options.synchronous_full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
  TIDEMARK_TRY(database->exec("PRAGMA cache_size = -8192"));
  sqlite3_wal_hook(database->handle_, &Database::on_wal, database.get());
  // What a checkpoint has emptied after a time of growth is given back.
  TIDEMARK_TRY(database->exec("PRAGMA journal_size_limit = 67108864"));
  return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

// After each commit, with the pages in the log. A checkpoint copies what no reader holds back; while one keeps a snapshot, the
// log can't begin anew, whatever is done here, and grows with every commit: that is said, at each doubling.
int Database::on_wal(void* self, sqlite3* handle, const char* schema, int pages) {
  auto* database = static_cast<Database*>(self);
  if (pages < database->options_.checkpoint_pages) return SQLITE_OK;
  int in_log = 0, copied = 0;
  sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
  if (in_log < database->options_.wal_pages_warn || copied >= in_log) {
    if (copied >= in_log) database->wal_pages_said_ = 0;
    return SQLITE_OK;
  }
  if (in_log < 2 * database->wal_pages_said_) return SQLITE_OK;
  database->wal_pages_said_ = in_log;
  log::warn(
      "sqlite {}: {}-wal has grown to {} MiB, because another process keeps reading an old state of the "
      "database: let it "
      "end its transaction (an open cursor, a forgotten BEGIN), and the next checkpoint empties the file",
      database->path(), database->path(), (int64_t{in_log} * 4096) >> 20);
  return SQLITE_OK;
}

std::optional<uint64_t> wal_bytes(FileSystem& files, const std::string& path) {
  const std::string log = path + "-wal";
  const auto there = files.exists(log);
  if (!there || !*there) return std::nullopt;
  const auto size = files.file_size(log);
  return size ? std::optional(*size) : std::nullopt;
}

Status Database::check_named() {
  int moved = 0;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  const bool log_gone = moved == 0 && log_is_gone();
  if (moved == 0 && !log_gone) return {};
  return fail(
      React::kConfig,
      "sqlite " + path() +
          (log_gone
               ? ": the file's log (-wal) was removed while the pipeline ran, and its last commits with it"
               : ": the file was removed, moved or replaced while the pipeline ran; rows and position went "
                 "with it"),
      "stop who does that. Put the file back as it was, with its -wal, and start again: it goes on where "
      "that file "
      "stands. Where it is lost, `tidemark position init` and copy anew");
}

// Of a database in WAL mode whose log has something that the file has not.
bool Database::log_is_gone() const {
  sqlite3_file* log = nullptr;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log == nullptr || log->pMethods == nullptr) return false;
  // Not xAccess(), to which a file that may not be read is as good as none.
  struct stat found = {};
  return ::stat((path() + "-wal").c_str(), &found) != 0 && errno == ENOENT;
}

Status Database::exec(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
  Statement statement;
  statement.database_ = this;
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size() + 1),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  statement.statement_.reset(handle);
  if (code != SQLITE_OK) return fail(error(code));
  return statement;
}

void Database::rollback() {
  // Some errors have rolled back already.
  if (sqlite3_get_autocommit(handle_) == 0) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

int64_t Database::changes() const { return sqlite3_changes64(handle_); }

Error Database::error(int code) const {
  // The connection's message belongs to its last failed call; bind errors and the like leave it behind.
  const bool own = handle_ != nullptr && sqlite3_extended_errcode(handle_) == code;
  const Row* row = row_of(code);
  // A stop also ends the wait for a lock, and then SQLite says busy.
  const bool cancelled = stop_.stop_requested() && (code & 0xff) == SQLITE_BUSY;
  return Error{cancelled ? React::kCancelled : react_to(code),
               "sqlite " + options_.path + ": " + (own ? sqlite3_errmsg(handle_) : sqlite3_errstr(code)),
               row == nullptr ? "an error that Tidemark does not know: it is waited out" : row->hint, code,
               row == nullptr && !cancelled};
}

// SQLite's own busy handler can't be woken by a stop, and sleeps without asking our clock.
int Database::on_busy(void* self, int attempt) {
  auto* database = static_cast<Database*>(self);
  constexpr int64_t kStepMs = 10;
  if (int64_t{attempt} * kStepMs >= database->options_.busy_timeout.count()) return 0;
  const Mono deadline = database->clock_.now() + std::chrono::milliseconds(kStepMs);
  return database->clock_.sleep_until(deadline, database->stop_) ? 1 : 0;
}

void Database::StopScope::Interrupt::operator()() const { sqlite3_interrupt(handle); }

Database::StopScope::StopScope(Database& database, std::stop_token stop)
    : database_(database), callback_(stop, Interrupt{database.handle_}) {
  database_.stop_ = std::move(stop);
}

Database::StopScope::~StopScope() { database_.stop_ = {}; }

}  // namespace tidemark::sqlite
