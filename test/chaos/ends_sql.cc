// The ends of the SQL sinks: rows, positions and letters, read by plain SQL.
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "chaos/ends_parts.h"
#include "chaos/writer.h"
#include "e2e/destination.h"
#include "support/postgres.h"

namespace tidemark::chaos {
namespace {

using e2e::sqlite_query;
using nlohmann::json;
using testing::PostgresServer;

json parsed(const std::string& text) { return json::parse(text, nullptr, false); }

// Events of the collection have no id.
std::string exclude_end(const std::string& column) {
  return "(" + column + " IS NULL OR " + column + " <> '" + kEndId + "')";
}

// A token that has more than `_data` (of an _id whose type the key doesn't tell) is stored as JSON.
constexpr const char* kSqliteData =
    "CASE WHEN token LIKE '{%' THEN json_extract(token, '$._data') ELSE token "
    "END";
constexpr const char* kPostgresData = "CASE WHEN token LIKE '{%' THEN token::json ->> '_data' ELSE token END";

// Of what was read again behind a rename, which the position follows when all of it has been.
const char* made_up(const RelayKind& kind) { return kind.log ? "%R%" : "%FF"; }

class SqliteEnd final : public End {
 public:
  SqliteEnd(const RelayKind& kind, const Places& places, int index)
      : kind_(kind), path_(fmt::format("{}/relay{}.db", places.folder, index)) {}

  std::string toml() const override {
    return fmt::format(
        "[pipeline.sink]\ntype = \"sqlite\"\npath = \"{}\"\ntable = "
        "\"orders\"\nmode = \"{}\"\nbusy_timeout "
        "= "
        "\"20ms\"\n",
        path_, mode_of(kind_));
  }
  std::string position() override {
    if (!has("tidemark_positions")) return "";
    const auto rows = sqlite_query(path_, fmt::format("SELECT {} FROM tidemark_positions", kSqliteData));
    return rows.empty() ? "" : rows[0][0];
  }
  Documents documents() override {
    Documents all;
    if (!has("orders")) return all;
    for (const auto& row : sqlite_query(path_, "SELECT id, doc FROM orders WHERE " + exclude_end("id")))
      all.emplace(normal_json(row[0]), bytes_of_json(row[1]));
    return all;
  }
  std::vector<LoggedEvent> events() override {
    std::vector<LoggedEvent> all;
    if (!has("orders")) return all;
    for (const auto& row : sqlite_query(path_, "SELECT token, op, id, doc, \"update\" FROM orders WHERE " +
                                                   exclude_end("id") + " ORDER BY rowid"))
      all.push_back(
          {row[0], row[1], normal_json(row[2]), version_of(row[1], parsed(row[3]), parsed(row[4]))});
    return all;
  }
  int64_t rows_beyond_position() override {
    if (!has("orders") || !has("tidemark_positions")) return 0;
    // A guard is the front of a token: it isn't greater than the token that it is the front of.
    const std::string id = kind_.log ? "token" : "hex(token)";
    const auto rows = sqlite_query(
        path_, fmt::format("SELECT count(*) FROM orders WHERE {0} > (SELECT {1} FROM tidemark_positions) "
                           "AND {0} NOT LIKE '{2}'",
                           id, kSqliteData, made_up(kind_)));
    return std::stoll(rows[0][0]);
  }
  std::string lockable(bool) const override { return path_; }

 private:
  // A file that nobody made yet is not made by looking.
  bool has(const std::string& table) const {
    return std::filesystem::exists(path_) &&
           !sqlite_query(path_, "SELECT 1 FROM sqlite_master WHERE name = '" + table + "'").empty();
  }
  const RelayKind& kind_;
  const std::string path_;
};

class PostgresEnd final : public End {
 public:
  PostgresEnd(const RelayKind& kind, const Places& places, int index)
      : kind_(kind),
        uri_(places.postgres_uri),
        table_(fmt::format("relay{}", index)),
        positions_(fmt::format("positions{}", index)),
        letters_(fmt::format("{}/relay{}.letters.db", places.folder, index)) {}

  std::string toml() const override {
    return fmt::format(
        "[pipeline.sink]\ntype = \"postgres\"\nuri = \"{}\"\ntable = "
        "\"{}\"\nmode = \"{}\"\nposition_table = "
        "\"{}\"\nconnect_timeout = \"2s\"\nstatement_timeout = "
        "\"200ms\"\n[pipeline.dead_letters]\ntype = "
        "\"sqlite\"\npath = \"{}\"\n",
        uri_, table_, mode_of(kind_), positions_, letters_);
  }
  std::string position() override {
    if (!has(positions_)) return "";
    const auto rows =
        PostgresServer::query(uri_, fmt::format("SELECT {} FROM {}", kPostgresData, positions_));
    return rows.empty() ? "" : rows[0];
  }
  Documents documents() override {
    Documents all;
    if (!has(table_)) return all;
    for (const json& row : rows("json_build_array(id, doc::text)"))
      all.emplace(normal_json(row[0].get<std::string>()), bytes_of_json(row[1].get<std::string>()));
    return all;
  }
  bool keeps_order_of_fields() const override { return false; }
  std::vector<LoggedEvent> events() override {
    std::vector<LoggedEvent> all;
    if (!has(table_)) return all;
    for (const json& row : rows("json_build_array(token, op, id::text, doc, \"update\")")) {
      const std::string op = row[1], id = row[2].is_null() ? "" : row[2].get<std::string>();
      all.push_back({row[0], op, normal_json(id), version_of(op, row[3], row[4])});
    }
    return all;
  }
  bool keeps_order() const override { return false; }
  bool rejects_doubled() const override { return true; }
  std::vector<LoggedEvent> letters() override {
    std::vector<LoggedEvent> all;
    if (!std::filesystem::exists(letters_) ||
        sqlite_query(letters_, "SELECT 1 FROM sqlite_master WHERE name = 'dead_letters'").empty())
      return all;
    for (const auto& row : sqlite_query(letters_, "SELECT event FROM dead_letters")) {
      all.push_back(event_of_json(row[0]));
      all.back().letter = true;
    }
    return all;
  }
  int64_t rows_beyond_position() override {
    if (!has(table_) || !has(positions_)) return 0;
    const std::string id = kind_.log ? "token" : "upper(encode(token, 'hex')) COLLATE \"C\"";
    return std::stoll(PostgresServer::query(
        uri_, fmt::format("SELECT count(*) FROM {0} WHERE {1} > (SELECT {2} FROM {3}) AND {1} NOT LIKE '{4}'",
                          table_, id, kPostgresData, positions_, made_up(kind_)))[0]);
  }
  std::string lockable(bool positions) const override { return positions ? positions_ : table_; }

 private:
  bool has(const std::string& table) const {
    return PostgresServer::query(uri_, "SELECT to_regclass('" + table + "') IS NOT NULL")[0] == "t";
  }
  std::vector<json> rows(const std::string& columns) const {
    std::vector<json> all;
    for (const std::string& row : PostgresServer::query(
             uri_, "SELECT " + columns + " FROM " + table_ + " WHERE " + exclude_end("id::text")))
      all.push_back(json::parse(row));
    return all;
  }
  const RelayKind& kind_;
  const std::string uri_, table_, positions_, letters_;
};

}  // namespace

std::unique_ptr<End> make_sqlite_end(const RelayKind& kind, const Places& places, int index) {
  return std::make_unique<SqliteEnd>(kind, places, index);
}

std::unique_ptr<End> make_postgres_end(const RelayKind& kind, const Places& places, int index) {
  return std::make_unique<PostgresEnd>(kind, places, index);
}

}  // namespace tidemark::chaos
