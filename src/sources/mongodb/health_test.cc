#include "sources/mongodb/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/deployment.h"
#include "sources/mongodb/testing/fake_server.h"

namespace tidemark::mongodb {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

bson::Document doc(const std::string& json) {
  auto parsed = bson::Document::from_json(json);
  EXPECT_TRUE(parsed) << json;
  return *parsed;
}

bson::Document refused(int code, const std::string& words) {
  return doc(R"({"ok": 0, "code": )" + std::to_string(code) + R"(, "errmsg": ")" + words + R"("})");
}

std::string uuid(char digit) {
  const std::string d(2, digit);
  std::string bytes;
  for (int i = 0; i < 16; ++i) bytes += static_cast<char>(std::stoi(d, nullptr, 16));
  bson::Builder builder;
  bson_append_binary(builder.raw(), "uuid", 4, BSON_SUBTYPE_UUID,
                     reinterpret_cast<const uint8_t*>(bytes.data()), 16);
  char* text = bson_as_canonical_extended_json(builder.raw(), nullptr);
  const std::string json(text);
  bson_free(text);
  return json;  // {"uuid": ...}
}

bson::Document listing(const std::vector<std::pair<std::string, char>>& collections) {
  std::string items;
  for (const auto& [name, digit] : collections) {
    if (!items.empty()) items += ',';
    items += R"({"name": ")" + name + R"(", "type": "collection", "info": )" + uuid(digit) + "}";
  }
  return doc(R"({"cursor": {"firstBatch": [)" + items +
             R"(], "id": {"$numberLong": "0"}, "ns": "x"}, "ok": 1})");
}

constexpr const char* kClock =
    R"({"lastWrite": {"lastWriteDate": {"$date": {"$numberLong": "1700000000000"}}, "majorityOpTime": {"ts": {"$timestamp": {"t": 1700000000, "i": 1}}}},
        "$clusterTime": {"clusterTime": {"$timestamp": {"t": 1700000100, "i": 2}},
                         "signature": {"keyId": {"$numberLong": "7409"}}}})";

// What a user with the role `read` may ask.
std::optional<bson::Document> with_read_alone(bson::View command) {
  if (command.find("listCollections"))
    return listing({{"orders", 'b'}, {"system.views", '0'}, {"tmp.agg_out.1", '1'}, {"items", 'a'}});
  if (command.find("listDatabases"))
    return doc(R"({"databases": [{"name": "admin"}, {"name": "shop"}, {"name": "till"}], "ok": 1})");
  if (command.find("buildInfo")) return doc(R"({"version": "4.4.0", "ok": 1})");
  return refused(13, "not authorized");
}

Result<SourceHealth> health_of(FakeServer& server, const std::string& database) {
  DriverOptions options;
  options.uri = server.uri();
  options.app_name = "test";
  options.server_selection_timeout = std::chrono::milliseconds(2000);
  const auto driver = *Driver::create(options, "orders");
  const auto client = driver->client();
  return read_health(*client, database, {});
}

TEST(Health, TellsTheDeploymentByWhatAUserWithReadAloneSees) {
  FakeServer server(with_read_alone, {.wire_version = 9, .hello = doc(kClock)});
  const auto health = health_of(server, "shop");
  ASSERT_TRUE(health) << health.error().describe();
  const Deployment deployment = Deployment::parse(health->deployment);
  EXPECT_EQ(deployment.name, "rs0");
  EXPECT_EQ(deployment.id, "");
  EXPECT_EQ(deployment.key, "7409");
  EXPECT_THAT(deployment.collections, ElementsAre("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"));
  EXPECT_EQ(health->latest, (bson::Timestamp{1700000000, 1}));
  EXPECT_EQ(health->clock, (bson::Timestamp{1700000100, 2}));
  EXPECT_THAT(health->limits, Contains(HasSubstr("clusterMonitor")));
  EXPECT_THAT(health->limits, Contains(HasSubstr("oplog")));
}

TEST(Health, LooksAtTheDatabasesThatAUserSeesWhereEverythingIsWatched) {
  std::vector<std::string> listed;
  FakeServer server(
      [&](bson::View command) {
        if (command.find("listCollections")) listed.emplace_back(command.find("$db")->string());
        return with_read_alone(command);
      },
      9);
  ASSERT_TRUE(health_of(server, ""));
  EXPECT_THAT(listed, ElementsAre("shop", "till"));
}

TEST(Health, OfAMongosNeverAsksForAnOplog) {
  bool asked = false;
  FakeServer server(
      [&](bson::View command) -> std::optional<bson::Document> {
        if (command.find("$db") && command.find("$db")->string() == "local") {
          asked = true;
          return refused(20, "Can't use 'local' database through mongos");
        }
        if (const auto find = command.find("find"); find && find->string() == "version")
          return doc(
              R"({"cursor": {"firstBatch": [{"_id": 1, "clusterId": {"$oid": "6553f1000000000000000001"}}],
                         "id": {"$numberLong": "0"}, "ns": "config.version"}, "ok": 1})");
        if (command.find("buildInfo")) return doc(R"({"version": "4.4.0", "ok": 1})");
        if (command.find("listCollections")) return listing({{"orders", 'b'}});
        return refused(59, "no such command");
      },
      {.wire_version = 9,
       .mongos = true,
       .hello = doc(R"({"operationTime": {"$timestamp": {"t": 1700000000, "i": 3}}})")});
  const auto health = health_of(server, "shop");
  ASSERT_TRUE(health) << health.error().describe();
  EXPECT_FALSE(asked);
  EXPECT_EQ(deployment_name(health->deployment), "sharded/6553f1000000000000000001");
  EXPECT_EQ(health->latest, (bson::Timestamp{1700000000, 3}));
  EXPECT_EQ(health->oldest, bson::Timestamp{}) << "unknown";
  EXPECT_THAT(health->limits, ElementsAre(HasSubstr("mongos")));
}

TEST(Health, HasNothingToSayWhereEverythingMayBeRead) {
  FakeServer server([](bson::View command) -> std::optional<bson::Document> {
    if (command.find("replSetGetConfig"))
      return doc(
          R"({"config": {"settings": {"replicaSetId": {"$oid": "6553f1000000000000000001"}}}, "ok": 1})");
    if (command.find("find"))
      return doc(R"({"cursor": {"firstBatch": [{"ts": {"$timestamp": {"t": 1600000000, "i": 1}}}],
                     "id": {"$numberLong": "0"}, "ns": "local.oplog.rs"}, "ok": 1})");
    return with_read_alone(command);
  });
  const auto health = health_of(server, "shop");
  ASSERT_TRUE(health) << health.error().describe();
  EXPECT_THAT(health->limits, IsEmpty());
  EXPECT_EQ(health->oldest.seconds, 1600000000u);
  EXPECT_EQ(deployment_name(health->deployment), "rs0/6553f1000000000000000001");
}

}  // namespace
}  // namespace tidemark::mongodb
