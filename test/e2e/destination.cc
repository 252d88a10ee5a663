#include "e2e/destination.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "support/postgres.h"

namespace tidemark::e2e {
namespace {

using testing::PostgresServer;
using testing::TempFolder;

std::string sql_toml(const std::string& type, const std::string& place, Mode mode) {
  return "[pipeline.sink]\ntype = \"" + type + "\"\n" + place + "\ntable = \"orders\"\nmode = \"" +
         to_string(mode) + "\"\n";
}

class SqliteDestination final : public Destination {
 public:
  SqliteDestination(Mode mode, const TempFolder& folder) : mode_(mode), path_(folder.file("orders.db")) {}

  std::string toml() const override { return sql_toml("sqlite", "path = \"" + path_ + "\"", mode_); }

  std::string position() override {
    if (!has_table("tidemark_positions")) return "";
    const auto rows = sqlite_query(path_, "SELECT token FROM tidemark_positions");
    return rows.empty() ? "" : rows[0][0];
  }

  std::map<std::string, std::string> documents() override {
    std::map<std::string, std::string> all;
    if (!has_table("orders")) return all;
    for (auto& row : sqlite_query(path_, "SELECT id, doc FROM orders")) all.emplace(row[0], row[1]);
    return all;
  }

  std::vector<std::string> tokens() override {
    std::vector<std::string> all;
    if (!has_table("orders")) return all;
    for (auto& row : sqlite_query(path_, "SELECT token FROM orders ORDER BY rowid")) all.push_back(row[0]);
    return all;
  }

 private:
  // A file that nobody made yet is not made by looking.
  bool has_table(const std::string& name) const {
    return std::filesystem::exists(path_) &&
           !sqlite_query(path_, "SELECT 1 FROM sqlite_master WHERE name = '" + name + "'").empty();
  }

  const Mode mode_;
  const std::string path_;
};

class PostgresDestination final : public Destination {
 public:
  explicit PostgresDestination(Mode mode) : mode_(mode), uri_(PostgresServer::shared().create_database()) {}

  std::string toml() const override { return sql_toml("postgres", "uri = \"" + uri_ + "\"", mode_); }

  std::string position() override {
    if (!has_table("tidemark_positions")) return "";
    const auto rows = PostgresServer::query(uri_, "SELECT token FROM tidemark_positions");
    return rows.empty() ? "" : rows[0];
  }

  std::map<std::string, std::string> documents() override {
    std::map<std::string, std::string> all;
    if (!has_table("orders")) return all;
    // One statement, as the relay may be writing; one column, as a document's text may hold whatever separates columns.
    for (const std::string& row :
         PostgresServer::query(uri_, "SELECT jsonb_build_array(id::text, doc)::text FROM orders")) {
      const auto pair = nlohmann::json::parse(row);
      all.emplace(pair[0].get<std::string>(), pair[1].dump());
    }
    return all;
  }

  std::vector<std::string> tokens() override {
    if (!has_table("orders")) return {};
    return PostgresServer::query(uri_, "SELECT token FROM orders");
  }

  bool keeps_order() const override { return false; }

  // jsonb has an order of keys and a spacing of its own.
  std::string normal(const std::string& document) const override {
    return nlohmann::json::parse(document).dump();
  }

 private:
  bool has_table(const std::string& name) const {
    return !PostgresServer::query(uri_, "SELECT 1 FROM pg_tables WHERE tablename = '" + name + "'").empty();
  }

  const Mode mode_;
  const std::string uri_;
};

class FileDestination final : public Destination {
 public:
  explicit FileDestination(const TempFolder& folder)
      : path_(folder.file("orders.jsonl")), position_path_(folder.file("orders.position")) {}

  std::string toml() const override {
    return "[pipeline.sink]\ntype = \"file\"\npath = \"" + path_ + "\"\nrotate_bytes = \"64KiB\"\n" +
           "[pipeline.position]\ntype = \"file\"\npath = \"" + position_path_ + "\"\n";
  }

  std::string position() override { return content(position_path_); }

  std::map<std::string, std::string> documents() override {
    std::map<std::string, std::string> all;
    for (const nlohmann::json& event : events()) {
      if (!event.contains("documentKey")) continue;
      const std::string id = event["documentKey"]["_id"].dump();
      if (event["operationType"] == "delete") {
        all.erase(id);
      } else if (event.contains("fullDocument") && !event["fullDocument"].is_null()) {
        all[id] = event["fullDocument"].dump();
      }
    }
    return all;
  }

  std::vector<std::string> tokens() override {
    std::vector<std::string> all;
    for (const nlohmann::json& event : events()) all.push_back(event["_id"]["_data"]);
    return all;
  }

  bool at_least_once() const override { return true; }
  std::string normal(const std::string& document) const override {
    return nlohmann::json::parse(document).dump();
  }

 private:
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Rotated files first, by number; a torn last line is not an event.
  std::vector<nlohmann::json> events() const {
    std::vector<std::string> paths;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(path_).parent_path())) {
      const std::string path = entry.path().string();
      if (path.starts_with(path_ + ".0")) paths.push_back(path);
    }
    std::ranges::sort(paths);
    paths.push_back(path_);
    std::vector<nlohmann::json> all;
    for (const std::string& path : paths) {
      const std::string text = content(path);
      size_t from = 0;
      for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
        all.push_back(nlohmann::json::parse(text.substr(from, end - from)));
        from = end + 1;
      }
    }
    return all;
  }

  const std::string path_;
  const std::string position_path_;
};

}  // namespace

std::string to_string(SinkKind kind) {
  return kind == SinkKind::kSqlite ? "sqlite" : kind == SinkKind::kPostgres ? "postgres" : "file";
}

std::string to_string(Mode mode) { return mode == Mode::kCurrent ? "current" : "log"; }

std::optional<std::string> Destination::unavailable(SinkKind kind) {
  if (kind == SinkKind::kPostgres) return PostgresServer::unavailable();
  return std::nullopt;
}

std::unique_ptr<Destination> Destination::make(SinkKind kind, Mode mode, const TempFolder& folder) {
  if (kind == SinkKind::kSqlite) return std::make_unique<SqliteDestination>(mode, folder);
  if (kind == SinkKind::kPostgres) return std::make_unique<PostgresDestination>(mode);
  return std::make_unique<FileDestination>(folder);
}

std::vector<std::vector<std::string>> sqlite_query(const std::string& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  std::vector<std::vector<std::string>> rows;
  char* message = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
  sqlite3_busy_timeout(handle, 5'000);
  const auto collect = [](void* out, int columns, char** values, char**) {
    auto& row = static_cast<std::vector<std::vector<std::string>>*>(out)->emplace_back();
    for (int i = 0; i < columns; ++i) row.emplace_back(values[i] == nullptr ? "" : values[i]);
    return 0;
  };
  if (code == SQLITE_OK) code = sqlite3_exec(handle, sql.c_str(), collect, &rows, &message);
  const std::string words = message != nullptr ? message : sqlite3_errmsg(handle);
  sqlite3_free(message);
  sqlite3_close(handle);
  if (code != SQLITE_OK) throw std::runtime_error(path + ": " + words + " in " + sql);
  return rows;
}

}  // namespace tidemark::e2e
