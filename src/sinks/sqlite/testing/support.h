// What the tests of this folder share: settings, and a plain reader of a database.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "config/settings.h"
#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "sinks/sqlite/component.h"
#include "support/change_events.h"
#include "support/temp_folder.h"

namespace tidemark::testing {

inline config::Settings sqlite_settings(const std::string& path, const std::string& mode,
                                        const std::string& table = "orders",
                                        const std::string& on_drop = "apply") {
  config::Settings settings;
  settings.set_where("test.toml:1:1, pipeline.sink");
  settings.set("path", path);
  settings.set("table", table);
  settings.set("mode", mode);
  settings.set("on_drop", on_drop);
  settings.set("position_table", std::string("tidemark_positions"));
  settings.set("owner_table", std::string("tidemark_tables"));
  settings.set("synchronous", std::string("full"));
  settings.set("busy_timeout", int64_t{2000});
  return settings;
}

// The rows of a table in mode "current" as the tokens of token_hex(), whose guards are all but their last byte. A shard key
// stands behind it.
inline constexpr const char* kGuardsAsTokens = "hex(substr(token, 1, 14)) || '04'";
// As a table of mode "current" was made when guards were texts.
inline constexpr const char* kTextGuardTable =
    "CREATE TABLE IF NOT EXISTS orders(id TEXT PRIMARY KEY, doc TEXT, token TEXT, cluster_time TEXT)";

// Throws nothing and hides nothing: a failed statement fails the test.
class SqliteReader {
 public:
  explicit SqliteReader(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &handle_), SQLITE_OK);
    sqlite3_busy_timeout(handle_, 2000);
  }
  ~SqliteReader() { sqlite3_close(handle_); }
  SqliteReader(const SqliteReader&) = delete;
  SqliteReader& operator=(const SqliteReader&) = delete;

  void exec(const std::string& sql) {
    EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(handle_);
  }

  // Rows, their columns joined by " | "; NULL is "-".
  std::vector<std::string> column(const std::string& sql) {
    std::vector<std::string> rows;
    const auto take = [](void* rows, int count, char** values, char**) {
      std::string row;
      for (int i = 0; i < count; ++i)
        row += (i > 0 ? " | " : "") + std::string(values[i] == nullptr ? "-" : values[i]);
      static_cast<std::vector<std::string>*>(rows)->push_back(row);
      return 0;
    };
    char* message = nullptr;
    const int code = sqlite3_exec(handle_, sql.c_str(), take, &rows, &message);
    EXPECT_EQ(code, SQLITE_OK) << sql << ": " << (message == nullptr ? "" : message);
    sqlite3_free(message);
    return rows;
  }

 private:
  sqlite3* handle_ = nullptr;
};

inline constexpr const char* kKey = R"({"_id":1})";

inline std::string after(const std::string& document) { return R"({"fullDocument":)" + document + "}"; }

// A database of its own for each test, and the transactional sink over it.
class SqliteTest : public ::testing::Test {
 protected:
  ComponentContext context() { return {"orders", &clock_, &files_}; }

  std::unique_ptr<TransactionalSink> opened(const config::Settings& settings) {
    auto sink = sqlite_sink_component().transactional(settings, context()).value();
    auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_TRUE(loaded) << loaded.error().describe();
    return sink;
  }
  Error open_error(const config::Settings& settings) {
    auto sink = sqlite_sink_component().transactional(settings, context()).value();
    auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_FALSE(loaded);
    return loaded ? Error{} : loaded.error();
  }
  static WriteResult write(TransactionalSink& sink, const EventBatch& batch, uint32_t position) {
    return sink.write(batch.events(), position_at(position), {});
  }
  std::vector<std::string> rows(const std::string& sql) { return SqliteReader(path_).column(sql); }

  TempFolder folder_;
  std::string path_ = folder_.file("sink.db");
  PosixFileSystem files_;
  PosixClock clock_;
};

}  // namespace tidemark::testing
