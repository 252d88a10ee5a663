// What a source can hold and a destination of 4.4 takes in one way and not in another; and a destination that isn't, or is no
// longer, what the sink writes to.
#include <gmock/gmock.h>

#include "core/position_store.h"
#include "integration/mongodb/fixture.h"
#include "mongo/client.h"

namespace tidemark::testing {
namespace {

using ::testing::HasSubstr;

bson::Document nested(const char* name, const char* value) {
  bson::Builder inner;
  inner.append(name, value);
  return inner.finish();
}

// Time as it is, and as much later as the test says.
class LaterClock final : public Clock {
 public:
  Mono now() const override { return clock_.now() + later; }
  WallMs wall_ms() const override { return clock_.wall_ms(); }
  bool sleep_until(Mono at, std::stop_token stop) override { return clock_.sleep_until(at - later, stop); }
  std::chrono::seconds later{0};

 private:
  PosixClock clock_;
};

class MongodbSinkOf44 : public ::testing::Test {
 protected:
  void SetUp() override {
    static std::unique_ptr<ReplicaSet> shared = [] {
      auto started = ReplicaSet::start({.members = 1, .sandbox_args = {"--compat", "4.4"}});
      EXPECT_TRUE(started || started.error().react == React::kConfig) << started.error().describe();
      return started ? std::move(*started) : nullptr;
    }();
    if (shared == nullptr) GTEST_SKIP() << "no replica set to test with";
    at.set = shared.get();
    mongo = std::make_unique<Mongo>(at.set->uri());
    (void)mongo->run(at.database(), R"({"dropDatabase": 1})");
    (void)mongo->run("admin", R"({"configureFailPoint": "failCommand", "mode": "off"})");
  }

  ComponentContext context() {
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &clock;
    return context;
  }
  std::unique_ptr<Sink> opened(const std::string& mode) {
    auto sink = mongodb_sink_component().plain(at.sink_settings(mode), context());
    EXPECT_TRUE(sink) << sink.error().describe();
    const Status status = (*sink)->open({});
    EXPECT_TRUE(status) << status.error().describe();
    return std::move(*sink);
  }
  std::unique_ptr<TransactionalSink> opened_with_position() {
    auto sink = mongodb_sink_component().transactional(at.sink_settings("current"), context());
    EXPECT_TRUE(sink) << sink.error().describe();
    const auto loaded = (*sink)->open_and_load({"orders", "f", "rs"}, {});
    EXPECT_TRUE(loaded) << loaded.error().describe();
    return std::move(*sink);
  }

  static void add_put(EventBatch& batch, uint32_t n, bson::View document, const char* op = "insert") {
    bson::Builder key;
    key.append("_id", *document.find("_id"));
    bson::Builder more;
    more.append("fullDocument", document);
    const bson::Document event =
        change_event(n, op, bson::to_json(key.view(), bson::JsonMode::kCanonical), "{}");
    bson::Builder whole;
    whole.concat(event).append("fullDocument", document);
    add_event(batch, whole.finish());
  }
  // As it stands in the destination.
  static std::string stored(bson::View document, uint32_t n) {
    bson::Builder whole;
    whole.concat(document).append("_tidemark", token_hex(n));
    return bson::to_json(whole.view(), bson::JsonMode::kCanonical);
  }
  std::vector<std::string> documents() {
    std::vector<std::string> found;
    auto all = mongo->find(at.database(), "orders");
    EXPECT_TRUE(all) << all.error().describe();
    for (const bson::Document& document : *all)
      found.push_back(bson::to_json(document, bson::JsonMode::kCanonical));
    return found;
  }
  void fail_commands(const std::string& names, int code, int times) {
    ASSERT_TRUE(mongo->run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": )" +
                                        std::to_string(times) + R"(}, "data": {"failCommands": )" + names +
                                        R"(, "errorCode": )" + std::to_string(code) + "}}"));
  }

  // Documents that an insert of 4.4 holds, each in another way beyond an update, or beyond an insert itself.
  static std::vector<bson::Document> odd_documents() {
    std::vector<bson::Document> all;
    const auto add = [&all](const std::function<void(bson::Builder&)>& fill) {
      bson::Builder document;
      document.append("_id", static_cast<int32_t>(all.size() + 1));
      fill(document);
      all.push_back(document.finish());
    };
    add([](bson::Builder& out) { out.append("s", nested("$schema", "x").view()); });
    add([](bson::Builder& out) {
      bson::Builder reference;
      reference.append("$id", int32_t{7}).append("$ref", "other");
      out.append("r", reference.view());
    });
    add([](bson::Builder& out) { out.append("a.b", int32_t{1}).append("", int32_t{2}); });
    add([](bson::Builder& out) { out.append_timestamp("t", 0, 0); });
    add([](bson::Builder& out) {
      out.append_timestamp("t", 0, 0).append("s", nested("$where", "1").view()).append_timestamp("u", 5, 6);
    });
    add([](bson::Builder& out) { out.append("z", int32_t{1}).append("z", int32_t{2}); });
    add([](bson::Builder& out) { out.append("f", "$notAField").append("g", nested("h", "$$ROOT").view()); });
    return all;
  }

  Deployment at{nullptr};
  std::unique_ptr<Mongo> mongo;
  LaterClock clock;
};

TEST_F(MongodbSinkOf44, HoldsWhatItsSourceHeldWhateverTheNamesOfItsFields) {
  auto sink = opened("current");
  const auto odd = odd_documents();
  std::vector<std::string> expected;
  EventBatch batch;
  for (uint32_t n = 1; const bson::Document& document : odd) {
    add_put(batch, n, document);
    expected.push_back(stored(document, n++));
  }
  const auto written = sink->write(batch.events(), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(documents(), expected);
  // A replay changes nothing; a newer event replaces; an older one doesn't.
  ASSERT_TRUE(sink->write(batch.events(), {}));
  EXPECT_EQ(documents(), expected);
  EventBatch newer, older;
  bson::Builder other;
  other.append("_id", int32_t{1}).append("s", nested("$schema", "y").view());
  add_put(newer, 20, other.view(), "replace");
  ASSERT_TRUE(sink->write(newer.events(), {}));
  add_put(older, 10, odd[0].view(), "replace");
  ASSERT_TRUE(sink->write(older.events(), {}));
  expected[0] = stored(other.view(), 20);
  EXPECT_EQ(documents(), expected);
}

TEST_F(MongodbSinkOf44, HoldsItTogetherWithThePosition) {
  auto sink = opened_with_position();
  const auto odd = odd_documents();
  std::vector<std::string> expected;
  EventBatch batch;
  for (uint32_t n = 1; const bson::Document& document : odd) {
    add_put(batch, n, document);
    expected.push_back(stored(document, n++));
  }
  const auto written = sink->write(batch.events(), position_at(7), {});
  ASSERT_TRUE(written) << written.error().error.describe();
  EXPECT_EQ(documents(), expected);
  const auto saved = sink->position_store().peek("orders", {});
  ASSERT_TRUE(saved && *saved);
  EXPECT_EQ((*saved)->position, position_at(7));
}

TEST_F(MongodbSinkOf44, InsertsTheSameAndKnowsARepetition) {
  auto sink = opened("insert");
  const auto odd = odd_documents();
  std::vector<std::string> expected;
  EventBatch batch;
  for (uint32_t n = 1; const bson::Document& document : odd) {
    add_put(batch, n++, document);
    expected.push_back(bson::to_json(document, bson::JsonMode::kCanonical));
  }
  for (int round = 0; round < 2; ++round) {
    const auto written = sink->write(batch.events(), {});
    ASSERT_TRUE(written) << written.error().error.describe();
    EXPECT_EQ(documents(), expected);
  }
}

TEST_F(MongodbSinkOf44, RejectsTheOneDocumentThatNoMongodbHoldsAndKeepsWhatIsThere) {
  auto sink = opened("current");
  EventBatch before, batch;
  add_put(before, 1, json(R"({"_id": 2, "v": 1})"));
  ASSERT_TRUE(sink->write(before.events(), {}));
  bson::Builder odd;
  odd.append("_id", int32_t{2}).append("$top", int32_t{1});
  add_put(batch, 2, json(R"({"_id": 1, "v": 1})"));
  add_put(batch, 3, odd.view(), "replace");
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
  EXPECT_EQ(written.error().culprit, 1u);
  EXPECT_THAT(written.error().error.what, HasSubstr("$top"));
  EXPECT_THAT(documents().back(), HasSubstr("\"v\""));
}

TEST_F(MongodbSinkOf44, FindsTheOneDocumentForWhichAWholeCommandIsRefused) {
  for (const int code : {22, 15, 10334}) {
    auto sink = opened("current");
    EventBatch batch;
    for (int id = 1; id <= 4; ++id)
      add_put(batch, static_cast<uint32_t>(id), json(R"({"_id": )" + std::to_string(id) + "}"));
    // The whole, its first half, and the half of that: the first document is the one.
    fail_commands(R"(["update"])", code, 3);
    const auto written = sink->write(batch.events(), {});
    ASSERT_FALSE(written) << code;
    EXPECT_EQ(written.error().error.react, React::kReject) << written.error().error.describe();
    EXPECT_EQ(written.error().culprit, 0u);
    // Only the whole: its halves pass.
    fail_commands(R"(["update"])", code, 1);
    const auto halves = sink->write(batch.events(), {});
    EXPECT_TRUE(halves) << halves.error().error.describe();
    EXPECT_EQ(documents().size(), 4u);
  }
}

TEST_F(MongodbSinkOf44, WaitsForAnErrorThatNobodyKnowsAndSaysSo) {
  auto sink = opened("current");
  EventBatch batch;
  add_put(batch, 1, json(R"({"_id": 1})"));
  fail_commands(R"(["update"])", 7777, 1);
  const auto written = sink->write(batch.events(), {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().error.react, React::kRetry);
  EXPECT_THAT(written.error().error.describe(), HasSubstr("7777"));
  EXPECT_THAT(written.error().error.describe(), HasSubstr("does not know"));
}

TEST_F(MongodbSinkOf44, ARefusedUserLogsInAnewOnAnotherConnection) {
  auto client = mongo::Client::create({at.set->uri(), "here", ""}).value();
  const bson::Document hello = json(R"({"isMaster": 1})");
  const auto connection = [&]() -> int64_t {
    const auto reply = client->read("admin", hello, {});
    return reply ? reply->view().find("connectionId")->integer().value_or(0) : 0;
  };
  const int64_t first = connection();
  ASSERT_NE(first, 0);
  EXPECT_EQ(connection(), first);
  fail_commands(R"(["find"])", 13, 1);
  const auto refused = client->read(at.database(), json(R"({"find": "orders"})"), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kDenied);
  EXPECT_NE(connection(), first);
}

TEST_F(MongodbSinkOf44, RefusesAViewACappedCollectionAndATimeSeries) {
  const std::pair<const char*, const char*> kinds[] = {
      {R"({"create": "orders", "viewOn": "other", "pipeline": []})", "view"},
      {R"({"create": "orders", "capped": true, "size": 4096})", "capped"},
  };
  for (const auto& [create, word] : kinds) {
    for (const char* mode : {"current", "insert"}) {
      (void)mongo->run(at.database(), R"({"dropDatabase": 1})");
      const auto made = mongo->run(at.database(), create);
      if (!made) {
        EXPECT_THAT(made.error().what, HasSubstr("not"));  // the sandbox has no views
        continue;
      }
      auto sink = mongodb_sink_component().plain(at.sink_settings(mode), context());
      ASSERT_TRUE(sink);
      const Status refused = (*sink)->open({});
      ASSERT_FALSE(refused) << word << " " << mode;
      EXPECT_EQ(refused.error().react, React::kConfig);
      EXPECT_THAT(refused.error().what, HasSubstr(word));
    }
  }
}

TEST_F(MongodbSinkOf44, SaysThatItsCollectionWasDroppedUnderIt) {
  for (const bool again : {false, true}) {
    for (const char* mode : {"current", "insert"}) {
      (void)mongo->run(at.database(), R"({"dropDatabase": 1})");
      auto sink = opened(mode);
      EventBatch first, second;
      add_put(first, 1, json(R"({"_id": 1})"));
      add_put(second, 2, json(R"({"_id": 2})"));
      ASSERT_TRUE(sink->write(first.events(), {}));
      ASSERT_TRUE(mongo->drop(at.database(), "orders"));
      if (again) {
        ASSERT_TRUE(mongo->insert(at.database(), "orders", R"({"_id": 9})"));
      }
      clock.later += std::chrono::seconds(11);
      const auto written = sink->write(second.events(), {});
      ASSERT_FALSE(written) << mode;
      EXPECT_EQ(written.error().error.react, React::kConfig);
      EXPECT_THAT(written.error().error.what, HasSubstr(again ? "replaced" : "dropped"));
      EXPECT_THAT(written.error().error.hint,
                  HasSubstr(std::string_view(mode) == "current" ? "audit --repair" : "position set"));
    }
  }
}

TEST_F(MongodbSinkOf44, APositionThatIsGoneIsSaidAndNotMadeAgain) {
  for (const bool events : {true, false}) {
    (void)mongo->run(at.database(), R"({"dropDatabase": 1})");
    auto sink = opened_with_position();
    EventBatch batch;
    add_put(batch, 1, json(R"({"_id": 1})"));
    ASSERT_TRUE(sink->write(batch.events(), position_at(1), {}));
    ASSERT_TRUE(mongo->drop(at.database(), "tidemark_positions"));
    const auto written = sink->write(events ? batch.events() : std::span<const Event>(), position_at(2), {});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().error.react, React::kConfig) << written.error().error.describe();
    EXPECT_THAT(written.error().error.describe(), HasSubstr("position set"));
    EXPECT_EQ(*mongo->count(at.database(), "tidemark_positions"), 0);
  }
}

}  // namespace
}  // namespace tidemark::testing
