// The sink `mongodb` behind a mongos, into collections that are sharded by another key than `_id`; and a server that reads no
// majority.
#include <gmock/gmock.h>

#include "core/position_store.h"
#include "integration/mongodb/fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

class SinkOf : public ::testing::Test {
 protected:
  void use(std::vector<std::string> sandbox_args) {
    auto started =
        ReplicaSet::start({.members = 1, .sandbox_args = std::move(sandbox_args), .sandbox_only = true});
    if (!started && started.error().react == React::kConfig) GTEST_SKIP() << started.error().describe();
    ASSERT_TRUE(started) << started.error().describe();
    set = std::move(*started);
    at.set = set.get();
    mongo = std::make_unique<Mongo>(set->uri());
  }
  ComponentContext context() {
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &clock;
    return context;
  }
  static void add_put(EventBatch& batch, uint32_t n, int id, const std::string& k,
                      const char* op = "insert") {
    add_event(batch,
              change_event(n, op, R"({"_id": )" + std::to_string(id) + "}",
                           R"({"fullDocument": {"_id": )" + std::to_string(id) + R"(, "k": ")" + k + "\"}}"));
  }
  static std::string stored(int id, const std::string& k, uint32_t n) {
    return R"({"_id":)" + std::to_string(id) + R"(,"k":")" + k + R"(","_tidemark":")" + token_hex(n) + "\"}";
  }
  std::vector<std::string> documents() {
    std::vector<std::string> found;
    auto all = mongo->find(at.database(), "orders");
    EXPECT_TRUE(all) << all.error().describe();
    for (const bson::Document& document : *all)
      found.push_back(bson::to_json(document, bson::JsonMode::kRelaxed));
    return found;
  }
  void shard(const std::string& key) {
    const auto done =
        mongo->run("admin", R"({"shardCollection": ")" + at.database() + R"(.orders", "key": )" + key + "}");
    ASSERT_TRUE(done) << done.error().describe();
  }

  std::unique_ptr<ReplicaSet> set;
  Deployment at{nullptr};
  std::unique_ptr<Mongo> mongo;
  PosixClock clock;
};

class SinkBehindAMongos : public SinkOf {
 protected:
  void SetUp() override { use({"--mongos"}); }
};

TEST_F(SinkBehindAMongos, HoldsDocumentsOfACollectionThatIsShardedByAnotherKeyThanTheId) {
  shard(R"({"k": 1})");
  auto sink = mongodb_sink_component().plain(at.sink_settings("current"), context()).value();
  ASSERT_TRUE(sink->open({}));
  EventBatch batch;
  add_put(batch, 1, 1, "a");
  add_put(batch, 2, 2, "b");
  add_put(batch, 3, 3, "c");
  auto written = sink->write(batch.events(), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(documents(), (std::vector<std::string>{stored(1, "a", 1), stored(2, "b", 2), stored(3, "c", 3)}));
  // Another shard key, a removal, and an older event of the first place.
  EventBatch moves, older;
  add_put(moves, 10, 1, "z", "replace");
  add_event(moves, change_event(11, "delete", R"({"_id": 2, "k": "b"})"));
  add_put(older, 5, 1, "a", "replace");
  written = sink->write(moves.events(), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(documents(), (std::vector<std::string>{stored(1, "z", 10), stored(3, "c", 3)}));
}

TEST_F(SinkBehindAMongos, HoldsThemTogetherWithThePosition) {
  shard(R"({"k": 1})");
  auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), context()).value();
  const auto loaded = sink->open_and_load({"orders", "f", "c"}, {});
  ASSERT_TRUE(loaded) << loaded.error().describe();
  EventBatch batch, moves;
  add_put(batch, 1, 1, "a");
  add_put(moves, 2, 1, "b", "replace");
  auto written = sink->write(batch.events(), position_at(1), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  written = sink->write(moves.events(), position_at(2), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(documents(), std::vector<std::string>{stored(1, "b", 2)});
  const auto saved = sink->position_store().peek("orders", {});
  ASSERT_TRUE(saved && *saved) << "read there as well";
}

TEST_F(SinkBehindAMongos, InsertsAndKnowsARepetition) {
  shard(R"({"k": 1})");
  auto sink = mongodb_sink_component().plain(at.sink_settings("insert"), context()).value();
  ASSERT_TRUE(sink->open({}));
  EventBatch batch;
  add_put(batch, 1, 1, "a");
  add_put(batch, 2, 2, "b");
  for (int round = 0; round < 2; ++round) {
    const auto written = sink->write(batch.events(), {});
    ASSERT_TRUE(written) << written.error().error.describe();
    EXPECT_EQ(documents().size(), 2u);
  }
}

TEST_F(SinkBehindAMongos, AUniqueKeyThatAShardedCollectionCanNotHaveIsExplained) {
  shard(R"({"k": 1})");
  auto settings = at.sink_settings("insert");
  settings.set("unique_key", std::vector<std::string>{"other"});
  // CannotCreateIndex: "cannot create unique index over { other: 1 } with shard key pattern { k: 1 }"
  ASSERT_TRUE(mongo->run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": 1},
                                      "data": {"failCommands": ["createIndexes"], "errorCode": 67}})"));
  auto sink = mongodb_sink_component().plain(settings, context()).value();
  const Status opened = sink->open({});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().react, React::kConfig) << opened.error().describe();
  EXPECT_THAT(opened.error().hint, HasSubstr("begin with the shard key"));
  EXPECT_EQ(opened.error().hint.find("drop"), std::string::npos);
}

class SinkWithoutMajorityReads : public SinkOf {
 protected:
  void SetUp() override { use({"--compat", "4.4", "--no-majority-reads"}); }
};

TEST_F(SinkWithoutMajorityReads, ThePositionSaysWhatIsWrongWithTheServer) {
  auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), context()).value();
  const auto peeked = sink->position_store().peek("orders", {});
  ASSERT_FALSE(peeked);
  EXPECT_EQ(peeked.error().react, React::kDenied) << peeked.error().describe();
  EXPECT_EQ(peeked.error().code, 148);
  EXPECT_THAT(peeked.error().hint, HasSubstr("enableMajorityReadConcern"));
}

}  // namespace
}  // namespace tidemark::testing
