// One SQLite connection and its prepared statements, with SQLite's result codes turned into Errors that say
// how to react. One thread; owned by a sink lane or a position store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "env/clock.h"
#include "env/file_system.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tidemark::sqlite {

// The row of the table in database.cc for an (extended) result code.
React react_to(int code);

class Database;

// Owned by whoever prepared it; must be gone before its Database is.
class Statement {
 public:
  Statement() = default;

  // Parameters count from 1. The text must live until the statement has run.
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, int64_t value);
  Statement& bind_null(int index);
  Statement& bind_blob(int index, std::string_view bytes);  // which must live as long

  // Runs a statement that gives no rows, and makes it ready to run again.
  Status run();
  // True while there is a row; after false or an error the statement is ready to run again.
  Result<bool> step();
  // Makes it ready to run again before all rows were read.
  void reset();

  std::string text(int column) const;            // columns count from 0; empty for NULL
  std::string_view text_view(int column) const;  // the same, valid until the statement goes on
  std::string_view blob_view(int column) const;  // of a BLOB, or the bytes of a text
  int64_t integer(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Database* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_error_ = 0;
};

struct DatabaseOptions {
  std::string path;
  bool read_only = false;
  bool synchronous_full = true;
  std::chrono::milliseconds busy_timeout{5000};
  // A checkpoint every 32 MiB of log instead of SQLite's every 4: rows that arrive in random order touch as many pages as
  // there are rows, and each checkpoint writes all of them. Doubles the rate of a catch-up.
  int checkpoint_pages = 8000;
  int wal_pages_warn = 32'000;  // a log that can't be emptied is said from here on
};

class Database {
 public:
  // Opens and, unless read-only, creates the file. `clock` outlives the database.
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options, Clock& clock);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Status exec(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);

  Status begin() { return exec("BEGIN IMMEDIATE"); }
  Status commit() { return exec("COMMIT"); }
  // kConfig once the path no longer leads to the open file, or the log beside it is gone: what is committed then is found by
  // nobody. To be asked after a commit, before it counts.
  Status check_named();
  // Ends the open transaction, if any; there is nothing to do about an error of a rollback.
  void rollback();
  // Rows that the last INSERT, UPDATE or DELETE changed.
  int64_t changes() const;

  // While it lives, a requested stop interrupts what runs (kCancelled) and ends waiting for a lock.
  class StopScope {
   public:
    StopScope(Database& database, std::stop_token stop);
    ~StopScope();

   private:
    struct Interrupt {
      sqlite3* handle;
      void operator()() const;
    };
    Database& database_;
    std::stop_callback<Interrupt> callback_;
  };

  // The present error of the connection, if `code` isn't its own.
  Error error(int code) const;
  const std::string& path() const { return options_.path; }

 private:
  Database(DatabaseOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}
  bool log_is_gone() const;
  static int on_busy(void* self, int attempt);
  static int on_wal(void* self, sqlite3* handle, const char* schema, int pages);

  DatabaseOptions options_;
  Clock& clock_;
  sqlite3* handle_ = nullptr;
  std::stop_token stop_;
  int wal_pages_said_ = 0;  // the size of the log that was last warned of
};

// The size of the write-ahead log beside the database `path`; empty where there is none, or it can't be told. Any thread.
std::optional<uint64_t> wal_bytes(FileSystem& files, const std::string& path);

// "name" in double quotes.
std::string quoted(std::string_view name);

}  // namespace tidemark::sqlite
