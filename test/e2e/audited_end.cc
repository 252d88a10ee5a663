#include "e2e/audited_end.h"

#include <stdexcept>

#include "bson/json.h"
#include "e2e/destination.h"
#include "support/postgres.h"

namespace tidemark::e2e {
namespace {

using testing::PostgresServer;

// 'a', 'b', 'c'
std::string sql_list(const std::vector<int>& ids) {
  std::string text;
  for (const int id : ids) text += (text.empty() ? "'" : ", '") + AuditedEnd::id_of(id) + "'";
  return text;
}

std::string json_list(const std::vector<int>& ids) {
  std::string text;
  for (const int id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id);
  return "[" + text + "]";
}

void must(const Status& done) {
  if (!done) throw std::runtime_error(done.error().describe());
}

class SqlEnd : public AuditedEnd {
 public:
  void remove(const std::vector<int>& ids) override {
    run("DELETE FROM orders WHERE id IN (" + sql_list(ids) + ")");
  }
  void invent(const std::vector<int>& ids) override {
    for (const int id : ids)
      run("INSERT INTO orders(id, doc, token, cluster_time) SELECT '" + id_of(id) +
          "', doc, token, cluster_time FROM orders WHERE id = '" + id_of(1) + "'");
  }
  void put(const std::string& json) override {
    std::string id;
    const bson::Document document = testing::json(json);
    bson::append_json_value(*document.view().find("_id"), bson::JsonMode::kCanonical, id);
    run("UPDATE orders SET doc = '" + json + "' WHERE id = '" + id + "'");
  }
  void lose_one() override { run("DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)"); }
  void drop() override { run("DROP TABLE orders"); }
  void disown() override { run("DELETE FROM tidemark_tables WHERE name = 'orders'"); }

 protected:
  virtual void run(const std::string& sql) = 0;
};

class SqliteEnd final : public SqlEnd {
 public:
  explicit SqliteEnd(std::string path) : path_(std::move(path)) {}

  std::string toml() const override {
    return "[pipeline.sink]\ntype = \"sqlite\"\npath = \"" + path_ +
           "\"\ntable = \"orders\"\nmode = \"current\"\n";
  }
  std::map<std::string, std::string> rows() override {
    std::map<std::string, std::string> all;
    if (sqlite_query(path_, "SELECT 1 FROM sqlite_master WHERE name = 'orders'").empty()) return all;
    for (const auto& row : sqlite_query(path_, "SELECT id, doc, token, cluster_time FROM orders"))
      all.emplace(row[0], row[1] + " " + row[2] + " " + row[3]);
    return all;
  }
  void twist(const std::vector<int>& ids) override {
    run("UPDATE orders SET doc = replace(doc, '\"open\"', '\"twisted\"') WHERE id IN (" + sql_list(ids) +
        ")");
  }
  void retype(const std::vector<int>& ids) override {
    run("UPDATE orders SET doc = replace(doc, '\"n\":{\"$numberInt\"', '\"n\":{\"$numberLong\"') WHERE id IN "
        "(" +
        sql_list(ids) + ")");
  }

 private:
  void run(const std::string& sql) override { sqlite_query(path_, sql); }
  const std::string path_;
};

class PostgresEnd final : public SqlEnd {
 public:
  PostgresEnd() : uri_(PostgresServer::shared().create_schema()) {}

  std::string toml() const override {
    return "[pipeline.sink]\ntype = \"postgres\"\nuri = \"" + uri_ +
           "\"\ntable = \"orders\"\nmode = \"current\"\n";
  }
  std::map<std::string, std::string> rows() override {
    std::map<std::string, std::string> all;
    if (PostgresServer::query(uri_, "SELECT to_regclass('orders')").at(0) == "-") return all;
    for (const std::string& row :
         PostgresServer::query(uri_, "SELECT id, doc, token, cluster_time FROM orders")) {
      const size_t end = row.find(" | ");
      all.emplace(row.substr(0, end), row.substr(end));
    }
    return all;
  }
  void twist(const std::vector<int>& ids) override {
    run("UPDATE orders SET doc = jsonb_set(doc, '{status}', '\"twisted\"') WHERE id IN (" + sql_list(ids) +
        ")");
  }
  void retype(const std::vector<int>& ids) override {
    run("UPDATE orders SET doc = jsonb_set(doc, '{n}', jsonb_build_object('$numberLong', "
        "doc->'n'->>'$numberInt')) WHERE id IN (" +
        sql_list(ids) + ")");
  }

 private:
  void run(const std::string& sql) override { PostgresServer::query(uri_, sql); }
  const std::string uri_;
};

class MongodbEnd final : public AuditedEnd {
 public:
  MongodbEnd(std::string uri, std::string database)
      : uri_(std::move(uri)), database_(std::move(database)), client_(uri_) {}
  ~MongodbEnd() override { (void)client_.run(database_, R"({"dropDatabase": 1})"); }

  std::string toml() const override {
    return "[pipeline.sink]\ntype = \"mongodb\"\nuri = \"" + uri_ + "\"\ndatabase = \"" + database_ +
           "\"\ncollection = \"orders\"\nmode = \"current\"\n";
  }
  std::map<std::string, std::string> rows() override {
    const auto documents = client_.find(database_, kCollection);
    must(documents ? Status() : fail(documents.error()));
    std::map<std::string, std::string> all;
    for (const bson::Document& document : *documents) {
      std::string id;
      bson::append_json_value(*document.view().find("_id"), bson::JsonMode::kCanonical, id);
      all.emplace(std::move(id), bson::to_json(document));
    }
    return all;
  }
  void remove(const std::vector<int>& ids) override {
    must(client_.remove(database_, kCollection, filter(ids), true));
  }
  void twist(const std::vector<int>& ids) override {
    update(filter(ids), R"({"$set": {"status": "twisted"}})");
  }
  void retype(const std::vector<int>& ids) override {
    for (const int id : ids)
      update(filter({id}), R"({"$set": {"n": {"$numberLong": ")" + std::to_string(id) + R"("}}})");
  }
  void invent(const std::vector<int>& ids) override {
    for (const int id : ids)
      must(client_.insert(database_, kCollection,
                          R"({"_id": )" + std::to_string(id) + R"(, "n": 1, "status": "open"})"));
  }
  void put(const std::string& json) override {
    const bson::Document document = testing::json(json);
    std::string id;
    bson::append_json_value(*document.view().find("_id"), bson::JsonMode::kCanonical, id);
    must(client_.replace(database_, kCollection, "{\"_id\":" + id + "}", json));
  }
  void lose_one() override { must(client_.remove(database_, kCollection, "{}")); }
  void drop() override { must(client_.drop(database_, kCollection)); }
  void disown() override {
    must(client_.remove(database_, "tidemark_tables", "{\"_id\": \"" + database_ + ".orders\"}"));
  }

 private:
  static constexpr const char* kCollection = "orders";

  static std::string filter(const std::vector<int>& ids) {
    return R"({"_id": {"$in": )" + json_list(ids) + "}}";
  }
  void update(const std::string& which, const std::string& change) {
    const auto reply =
        client_.run(database_, R"({"update": "orders", "updates": [{"q": )" + which + R"(, "u": )" + change +
                                   R"(, "multi": true}], "writeConcern": {"w": "majority"}})");
    must(reply ? Status() : fail(reply.error()));
  }

  const std::string uri_, database_;
  testing::Mongo client_;
};

}  // namespace

std::string to_string(EndKind kind) {
  return kind == EndKind::kSqlite ? "sqlite" : kind == EndKind::kPostgres ? "postgres" : "mongodb";
}

std::optional<std::string> AuditedEnd::unavailable(EndKind kind) {
  if (kind == EndKind::kPostgres) return PostgresServer::unavailable();
  return std::nullopt;
}

std::unique_ptr<AuditedEnd> AuditedEnd::make(EndKind kind, const testing::TempFolder& folder,
                                             const std::string& uri, const std::string& database) {
  if (kind == EndKind::kSqlite) return std::make_unique<SqliteEnd>(folder.file("orders.db"));
  if (kind == EndKind::kPostgres) return std::make_unique<PostgresEnd>();
  return std::make_unique<MongodbEnd>(uri, database);
}

}  // namespace tidemark::e2e
