#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bson/json.h"
#include "bson/json_reader.h"
#include "chaos/ends_parts.h"
#include "chaos/writer.h"
#include "core/position.h"

namespace tidemark::chaos {
namespace {

using nlohmann::json;

const std::string kEnd = kEndId;

// A number in canonical Extended JSON.
int64_t number(const json& value) {
  if (value.is_number_integer()) return value.get<int64_t>();
  for (const char* type : {"$numberInt", "$numberLong"})
    if (value.is_object() && value.contains(type)) return std::stoll(value[type].get<std::string>());
  return -1;
}

int64_t version_in(const json& document) {
  return document.is_object() && document.contains("v") ? number(document["v"]) : -1;
}

std::string bytes_of(bson::View document) {
  return {reinterpret_cast<const char*>(document.data()), document.size()};
}

bson::View view_of(const std::string& bytes) {
  return bson::View::parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}).value();
}

bson::Document sorted(bson::View document, bool array) {
  std::vector<bson::Element> fields;
  for (const auto& field : document) fields.push_back(field);
  // Doubled names keep their order. Not std::stable_sort: its buffer isn't aligned as an Element must be.
  if (!array)
    std::sort(fields.begin(), fields.end(), [](const auto& a, const auto& b) {
      return a.key() != b.key() ? a.key() < b.key() : a.key().data() < b.key().data();
    });
  bson::Builder out;
  for (const auto& field : fields) {
    if (field.is_array())
      out.append_array(field.key(), sorted(field.document(), true).view());
    else if (field.is_document())
      out.append(field.key(), sorted(field.document(), false).view());
    else
      out.append(field.key(), field);
  }
  return out.finish();
}

bson::Document without(bson::View document, std::string_view name) {
  bson::Builder out;
  for (const auto& field : document)
    if (field.key() != name) out.append(field.key(), field);
  return out.finish();
}

constexpr std::chrono::seconds kElectionPatience{20};

// A client alone waits 5 s before it asks a member again that has just failed, so each failure gets a new one.
class RenewedClient {
 public:
  explicit RenewedClient(std::string uri)
      : uri_(std::move(uri) +
             "&serverSelectionTimeoutMS=500&socketTimeoutMS="
             "1000&connectTimeoutMS=500") {}

  // Tries for as long as `patience`: an election may be under way.
  template <class Call>
  auto ask(Call call, std::chrono::seconds patience = {}) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      if (!client_) client_.emplace(uri_);
      auto answer = call(*client_);
      if (answer) return *answer;
      client_.reset();
      if (std::chrono::steady_clock::now() >= deadline) throw std::runtime_error(answer.error().describe());
    }
  }

 private:
  const std::string uri_;
  std::optional<testing::Mongo> client_;
};

// A position in a collection, as the majority has it: what only the primary has may still be taken back.
std::string position_in(RenewedClient& client, const std::string& database, const std::string& collection) {
  const auto reply = client.ask([&](testing::Mongo& mongo) {
    return mongo.run(database,
                     R"({"find": ")" + collection +
                         R"(", "limit": 1, "singleBatch": true, "readConcern": {"level": "majority"}})");
  });
  const auto token = reply.view().find_path("cursor.firstBatch.0.token._data");
  return token && token->is_string() ? std::string(token->string()) : "";
}

class FileEnd final : public End {
 public:
  FileEnd(const RelayKind& kind, const Places& places, int index)
      : kind_(kind),
        path_(fmt::format("{}/relay{}.jsonl", places.folder, index)),
        position_path_(fmt::format("{}/relay{}.position", places.folder, index)),
        uri_(places.mongodb_uri + fmt::format("&appName=position{}", index)),
        database_(places.database + fmt::format("_positions{}", index)),
        client_(places.mongodb_uri) {}

  std::string toml() const override {
    const std::string sink = fmt::format(
        "[pipeline.sink]\ntype = \"file\"\npath = "
        "\"{}\"\nrotate_bytes = \"16KiB\"\n",
        path_);
    if (!kind_.mongodb_position)
      return sink + fmt::format("[pipeline.position]\ntype = \"file\"\npath = \"{}\"\n", position_path_);
    return sink + fmt::format(
                      "[pipeline.position]\ntype = \"mongodb\"\nuri = "
                      "\"{}\"\ndatabase = \"{}\"\nlease_ttl = "
                      "\"12s\"\n",
                      uri_, database_);
  }
  std::string position() override {
    if (kind_.mongodb_position) return position_in(client_, database_, "positions");
    std::ifstream file(position_path_, std::ios::binary);
    const auto stored = StoredPosition::decode(std::string{std::istreambuf_iterator<char>(file), {}});
    return stored ? std::string(token_data(stored->position.token())) : "";
  }
  // Rotated files first, by number.
  std::vector<LoggedEvent> events() override {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(path_).parent_path()))
      if (entry.path().string().starts_with(path_ + ".0")) paths.push_back(entry.path().string());
    std::ranges::sort(paths);
    paths.push_back(path_);
    std::vector<LoggedEvent> all;
    for (const std::string& path : paths) {
      for (const std::string& line : whole_lines(path)) {
        LoggedEvent event = event_of_json(line);
        if (event.id != kEnd) all.push_back(std::move(event));
      }
    }
    return all;
  }

 private:
  const RelayKind& kind_;
  const std::string path_, position_path_, uri_, database_;
  RenewedClient client_;
};

class MongodbEnd final : public End {
 public:
  MongodbEnd(const RelayKind& kind, const Places& places, int index)
      : kind_(kind),
        uri_(places.mongodb_uri + fmt::format("&appName=sink{}", index)),
        database_(places.database + fmt::format("_copy{}", index)),
        client_(places.mongodb_uri) {}

  std::string toml() const override {
    return fmt::format(
        "[pipeline.sink]\ntype = \"mongodb\"\nuri = \"{}\"\ndatabase = "
        "\"{}\"\ncollection = \"orders\"\nmode "
        "= "
        "\"current\"\ntransaction = \"{}\"\nlease_ttl = \"12s\"\n",
        uri_, database_, kind_.transaction ? "auto" : "off");
  }
  std::string position() override { return position_in(client_, database_, "tidemark_positions"); }
  Documents documents() override {
    const auto found = client_.ask([&](testing::Mongo& mongo) { return mongo.find(database_, "orders"); },
                                   kElectionPatience);
    Documents all;
    for (const bson::Document& document : found) {
      const std::string id = normal_id(document);
      if (id != kEnd) all.emplace(id, bytes_of(without(document, "_tidemark")));
    }
    return all;
  }

 private:
  const RelayKind& kind_;
  const std::string uri_, database_;
  RenewedClient client_;
};

}  // namespace

int64_t version_of(const std::string& op, const json& document, const json& update) {
  if (op != "update") return version_in(document);
  return update.is_object() && update.contains("updatedFields") ? version_in(update["updatedFields"]) : -1;
}

std::string bytes_of_json(const std::string& text) {
  const auto document = bson::read_json(text);
  if (!document)
    throw std::runtime_error("a row that doesn't read back: " + document.error().what + ": " + text);
  return bytes_of(*document);
}

std::unique_ptr<End> End::make(const RelayKind& kind, const Places& places, int index) {
  switch (kind.sink) {
    case SinkType::kSqlite:
      return make_sqlite_end(kind, places, index);
    case SinkType::kPostgres:
      return make_postgres_end(kind, places, index);
    case SinkType::kFile:
      return std::make_unique<FileEnd>(kind, places, index);
    case SinkType::kMongodb:
      break;
  }
  return std::make_unique<MongodbEnd>(kind, places, index);
}

Result<Documents> source_documents(testing::Mongo& client, const std::string& database) {
  TIDEMARK_ASSIGN(const auto found, client.find(database, kCollection));
  Documents all;
  for (const bson::Document& document : found) {
    const std::string id = normal_id(document);
    if (id != kEnd) all.emplace(id, bytes_of(document));
  }
  return all;
}

std::map<std::string, int64_t> versions(const Documents& documents) {
  std::map<std::string, int64_t> all;
  for (const auto& [id, bytes] : documents) {
    const auto v = view_of(bytes).find("v");
    all.emplace(id, v && v->integer() ? *v->integer() : -1);
  }
  return all;
}

bool doubles_a_name(bson::View document) {
  std::set<std::string_view> names;
  for (const auto& field : document) {
    if (!names.insert(field.key()).second) return true;
    if (field.is_document() && doubles_a_name(field.document())) return true;
  }
  return false;
}

Documents take_doubled(Documents& documents) {
  Documents taken;
  for (auto it = documents.begin(); it != documents.end();) {
    const auto next = std::next(it);
    if (doubles_a_name(view_of(it->second))) taken.insert(documents.extract(it));
    it = next;
  }
  return taken;
}

Documents sorted_by_name(const Documents& documents) {
  Documents all;
  for (const auto& [id, bytes] : documents) all.emplace(id, bytes_of(sorted(view_of(bytes), false)));
  return all;
}

std::string normal_id(bson::View document) {
  std::string text;
  bson::append_json_value(*document.find("_id"), bson::JsonMode::kCanonical, text);
  return normal_json(text);
}

LoggedEvent event_of_json(const std::string& line) {
  const json event = json::parse(line);
  const std::string op = event.value("operationType", "");
  const auto part = [&event](const char* name) { return event.contains(name) ? event[name] : json(); };
  return {event["_id"]["_data"], op, event.contains("documentKey") ? event["documentKey"]["_id"].dump() : "",
          version_of(op, part("fullDocument"), part("updateDescription"))};
}

std::vector<std::string> whole_lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> lines;
  size_t from = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', from)) {
    lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

bson::Timestamp time_of_token(const std::string& token) {
  if (token.size() < 18 || !token.starts_with("82")) return {};
  return {static_cast<uint32_t>(std::stoul(token.substr(2, 8), nullptr, 16)),
          static_cast<uint32_t>(std::stoul(token.substr(10, 8), nullptr, 16))};
}

}  // namespace tidemark::chaos
