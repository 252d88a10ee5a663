// What a rename brings, and which collections make tables: a database of its own into a table per collection, or one
// collection into one table.
#include <csignal>

#include "bson/json.h"
#include "e2e/relay.h"
#include "support/postgres.h"

namespace tidemark::e2e {
namespace {

using testing::Finished;
using testing::PostgresServer;

class Renames : public EndToEnd, public ::testing::WithParamInterface<SinkKind> {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(GetParam(), Mode::kCurrent);
    if (IsSkipped()) return;
    sink_ = setup_.sink;
    watch_database();
  }

  // Every collection into a table of its name.
  void watch_database(const std::string& source = "") {
    setup_.collection = "";
    setup_.source = source;
    setup_.sink = replaced(sink_, "table = \"orders\"", "table = \"{collection}\"");
    config_ = folder_.write("orders.toml", replaced(setup_.toml(), "collection = \"\"\n", ""));
  }
  void watch_orders() {
    setup_.collection = "orders";
    setup_.sink = sink_;
    config_ = folder_.write("orders.toml", setup_.toml());
  }

  static std::string replaced(std::string text, const std::string& what, const std::string& by) {
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what << " in " << text;
    return at == std::string::npos ? text : text.replace(at, what.size(), by);
  }

  void fill(const std::string& collection, int count, const std::string& value) {
    std::vector<bson::Document> documents;
    for (int i = 0; i < count; ++i) {
      bson::Builder document;
      document.append("_id", int32_t{i}).append("v", value + std::to_string(i));
      documents.push_back(document.finish());
    }
    const Status done = client().insert_many(setup_.database, collection, documents);
    ASSERT_TRUE(done) << done.error().describe();
  }
  void rename(const std::string& from, const std::string& to) {
    const auto done =
        client().run("admin", R"({"renameCollection": ")" + setup_.database + "." + from + R"(", "to": ")" +
                                  setup_.database + "." + to + R"(", "dropTarget": true})");
    ASSERT_TRUE(done) << done.error().describe();
  }

  std::vector<std::string> column(const std::string& sql) {
    if (GetParam() == SinkKind::kPostgres) return PostgresServer::query(uri(), sql);
    std::vector<std::string> all;
    for (const auto& row : sqlite_query(folder_.file("orders.db"), sql)) all.push_back(row[0]);
    return all;
  }
  std::string uri() const {
    const size_t from = sink_.find("postgresql://");
    return sink_.substr(from, sink_.find('"', from) - from);
  }
  // Without those that are the program's own.
  std::vector<std::string> tables() {
    auto all = column(GetParam() == SinkKind::kPostgres
                          ? "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
                          : "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1");
    std::erase_if(all, [](const std::string& name) { return name.starts_with("tidemark_"); });
    return all;
  }
  bool has(const std::string& table, int count, const std::string& value) {
    const auto names = tables();
    if (std::find(names.begin(), names.end(), table) == names.end()) return false;
    const std::string text = GetParam() == SinkKind::kPostgres ? "doc::text" : "doc";
    const std::string all = column("SELECT count(*) FROM \"" + table + "\"").at(0);
    const std::string right =
        column("SELECT count(*) FROM \"" + table + "\" WHERE " + text + " LIKE '%" + value + "%'").at(0);
    return all == std::to_string(count) && right == all;
  }
  void run_until_table(const std::string& table, int count, const std::string& value) {
    const auto relay = start_relay(config_);
    EXPECT_TRUE(testing::eventually([&] { return !relay->running() || has(table, count, value); }));
    ASSERT_TRUE(relay->running()) << relay->error_output();
    relay->signal(SIGTERM);
    const auto status = relay->wait();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->code, 0) << relay->error_output();
    EXPECT_TRUE(has(table, count, value)) << ::testing::PrintToString(tables()) << relay->error_output();
  }
  void expect_clean_audit() {
    const Finished audit = tidemark({"audit", config_, "--kind", "checksum"});
    EXPECT_THAT(audit, ExitsWith(0));
  }

  std::string sink_;
};

TEST_P(Renames, ACollectionOlderThanThePositionIsWholeUnderItsNewName) {
  fill("old", 300, "old");
  init_position();
  rename("old", "fresh");
  run_until_table("fresh", 300, "old");
  EXPECT_THAT(tables(), ::testing::ElementsAre("fresh"));
  expect_clean_audit();
}

TEST_P(Renames, ACollectionRenamedOntoTheOneThatIsCarriedReplacesItsRowsAlsoAfterARestart) {
  watch_orders();
  init_position();
  fill("orders", 100, "first");
  run_until_table("orders", 100, "first");
  fill("made", 50, "second");
  rename("made", "orders");
  run_until_table("orders", 50, "second");
  expect_clean_audit();
  // There and back again, while nothing runs.
  rename("orders", "away");
  fill("orders", 3, "third");
  rename("orders", "gone");
  rename("away", "orders");
  insert(R"({"_id": 50, "v": "second50"})");
  run_until_table("orders", 51, "second");
  expect_clean_audit();
}

TEST_P(Renames, ATemporaryCollectionMakesNoTableAndItsTargetIsRight) {
  init_position();
  fill("daily", 20, "yesterday");
  const std::string temporary = "tmp.agg_out.0a3c3a9e-7a55-4f6e-b0a5-5f6f0f4d4b6e";
  fill(temporary, 30, "today");
  rename(temporary, "daily");
  run_until_table("daily", 30, "today");
  EXPECT_THAT(tables(), ::testing::ElementsAre("daily"));
  expect_clean_audit();
}

TEST_P(Renames, WhatTheServerCopiesWithoutAWordIsThereAfterwards) {
  fill("source", 40, "first");
  const std::string other = setup_.database + "_other";
  ASSERT_TRUE(client().insert(other, "moved", R"({"_id": 1, "v": "abroad"})"));
  init_position();
  // Across databases the copies are hidden, and so are those of convertToCapped.
  const auto across = client().run("admin", R"({"renameCollection": ")" + other + R"(.moved", "to": ")" +
                                                setup_.database + R"(.arrived"})");
  ASSERT_TRUE(across) << across.error().describe();
  run_until_table("arrived", 1, "abroad");
  const auto capped = client().run(setup_.database, R"({"convertToCapped": "source", "size": 1000000})");
  ASSERT_TRUE(capped) << capped.error().describe();
  run_until_table("source", 40, "first");
  const auto out = client().run(setup_.database,
                                R"({"aggregate": "source", "pipeline": [{"$out": "daily"}], "cursor": {}})");
  ASSERT_TRUE(out) << out.error().describe();
  run_until_table("daily", 40, "first");
  EXPECT_THAT(tables(), ::testing::ElementsAre("arrived", "daily", "source"));
}

TEST_P(Renames, ATransformThatDropsTheOldNameDoesNotDropWhatTheRenameBrings) {
  setup_.after =
      "[[pipeline.transform]]\ntype = \"filter\"\nwhere = '{\"ns.coll\": {\"$in\": [\"daily\"]}}'\n";
  watch_database();
  init_position();
  fill("daily", 20, "yesterday");
  run_until_table("daily", 20, "yesterday");
  fill("unseen", 5, "today");
  rename("unseen", "daily");
  run_until_table("daily", 5, "today");
  EXPECT_THAT(tables(), ::testing::ElementsAre("daily"));
}

TEST_P(Renames, AFilterOfTheSourceThatNamesTheTargetAloneHidesNothing) {
  watch_database("filter = '[{\"$match\": {\"ns.coll\": \"daily\"}}]'");
  init_position();
  fill("daily", 20, "yesterday");
  run_until_table("daily", 20, "yesterday");
  fill("unseen", 5, "today");
  rename("unseen", "daily");
  run_until_table("daily", 5, "today");
  EXPECT_THAT(tables(), ::testing::ElementsAre("daily"));
  expect_clean_audit();
}

TEST_P(Renames, AKillWhileTheCollectionIsReadAgainLosesNothing) {
  fill("old", 3000, "old");
  watch_database("batch_size = 10");
  init_position();
  rename("old", "fresh");
  for (int kills = 0; kills < 3; ++kills) {
    const auto relay = start_relay(config_);
    EXPECT_TRUE(testing::eventually([&] {
      const auto names = tables();
      return !relay->running() ||
             (!names.empty() && std::stoi(column("SELECT count(*) FROM \"fresh\"").at(0)) > 10 * (kills + 1));
    }));
    relay->signal(SIGKILL);
    relay->wait();
  }
  const Status removed = client().remove(setup_.database, "fresh", R"({"_id": {"$gte": 2900}})", true);
  ASSERT_TRUE(removed) << removed.error().describe();
  run_until_table("fresh", 2900, "old");
  expect_clean_audit();
}

TEST_P(Renames, AnExcludedCollectionMakesNoTableAndARenameOutOfItIsRead) {
  watch_database("exclude = [\"" + setup_.database + ".secret\"]");
  init_position();
  fill("secret", 10, "hidden");
  fill("open", 4, "plain");
  run_until_table("open", 4, "plain");
  EXPECT_THAT(tables(), ::testing::ElementsAre("open"));
  rename("secret", "open");
  run_until_table("open", 10, "hidden");
  // Its rows go with it where it can't be seen any more.
  rename("open", "secret");
  run_until_table("open", 0, "hidden");
  expect_clean_audit();
}

class RenamesToMongodb : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    target_ = setup_.database + "_copy";
    config_ = folder_.write(
        "orders.toml", "[[pipeline]]\nname = \"orders\"\n[pipeline.source]\ntype = \"mongodb\"\nuri = \"" +
                           setup_.uri + "\"\ndatabase = \"" + setup_.database +
                           "\"\nfull_document = \"update_lookup\"\n[pipeline.sink]\ntype = "
                           "\"mongodb\"\nuri = \"" +
                           setup_.uri + "\"\ndatabase = \"" + target_ +
                           "\"\ncollection = \"{collection}\"\nposition_database = \"" + target_ +
                           "_positions\"\n");
  }
  void TearDown() override {
    for (const std::string& name : {target_, target_ + "_positions", setup_.database + "_other"})
      if (client_) (void)client().run(name, R"({"dropDatabase": 1})");
    EndToEnd::TearDown();
  }
  std::string target_;
};

TEST_F(RenamesToMongodb, WhatARenameBringsIsThereAndTemporaryCollectionsAreNot) {
  const std::string other = setup_.database + "_other";
  for (int i = 0; i < 20; ++i) {
    const std::string document = "{\"_id\": " + std::to_string(i) + "}";
    ASSERT_TRUE(client().insert(other, "moved", document));
    ASSERT_TRUE(client().insert(setup_.database, "old", document));
  }
  init_position();
  const auto relay = start_relay(config_);
  ASSERT_TRUE(client().insert(setup_.database, "old", R"({"_id": 20})"));
  for (const auto& [from, to] : {std::pair(other + ".moved", setup_.database + ".arrived"),
                                 std::pair(setup_.database + ".old", setup_.database + ".fresh")}) {
    const auto renamed =
        client().run("admin", R"({"renameCollection": ")" + from + R"(", "to": ")" + to + "\"}");
    ASSERT_TRUE(renamed) << renamed.error().describe();
  }
  EXPECT_TRUE(testing::eventually([&] {
    return client().count(target_, "arrived").value_or(0) == 20 &&
           client().count(target_, "fresh").value_or(0) == 21;
  })) << relay->error_output();
  relay->signal(SIGTERM);
  relay->wait();
  EXPECT_EQ(client().count(target_, "old").value_or(-1), 0);
  const auto names = client().run(target_, R"({"listCollections": 1, "nameOnly": true})");
  ASSERT_TRUE(names);
  EXPECT_EQ(bson::to_json(*names).find("renameCollection"), std::string::npos) << bson::to_json(*names);
}

INSTANTIATE_TEST_SUITE_P(Sinks, Renames, ::testing::Values(SinkKind::kSqlite, SinkKind::kPostgres),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace tidemark::e2e
