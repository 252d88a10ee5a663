// The dead letters `mongodb` on a live replica set.
#include "deadletters/mongodb/component.h"

#include "base/log.h"
#include "bson/json.h"
#include "integration/mongodb/fixture.h"

namespace tidemark::testing {
namespace {

class MongodbDeadLetters : public WithDeployment {
 protected:
  std::unique_ptr<DeadLetterStore> opened() {
    config::Settings settings;
    settings.set("uri", at.set->uri());
    settings.set("database", at.database());
    settings.set("collection", std::string("dead"));
    auto store = mongodb_dead_letters_component().make(settings, at.context()).value();
    const Status status = store->open({});
    EXPECT_TRUE(status) << status.error().describe();
    return store;
  }
  static DeadLetter letter(const std::string& id, const std::string& pipeline = "orders") {
    DeadLetter made;
    made.id = id;
    made.pipeline = pipeline;
    made.reason = "too large for " + id;
    made.event = R"({"_id":{"_data":")" + id + "\"}}";
    made.at_ms = 1'700'000'000'123;
    return made;
  }
  static std::vector<std::string> ids(const std::vector<DeadLetter>& letters) {
    std::vector<std::string> ids;
    for (const DeadLetter& each : letters) ids.push_back(each.id);
    return ids;
  }
};

TEST_F(MongodbDeadLetters, KeepEveryPartForTheNextProcess) {
  DeadLetter put = letter("src 1");
  put.event = std::string("{\"a\":\"nul\0\"}", 11);
  put.attempts = 3;
  put.origin = "queue events";
  put.payload = "{\"specversion\":\"1.0\"}";
  put.malformed = true;
  put.bytes = std::string("\x05\0\0\0\0", 5);
  put.hidden = true;
  const auto fate = opened()->put(put, {});
  ASSERT_TRUE(fate) << fate.error().describe();
  EXPECT_EQ(*fate, LetterFate::kKept);
  const auto got = opened()->find("orders", "src 1");
  ASSERT_TRUE(got && *got);
  const auto parts = [](const DeadLetter& of) {
    return std::tie(of.id, of.pipeline, of.reason, of.event, of.at_ms, of.attempts, of.origin, of.payload,
                    of.malformed, of.bytes, of.hidden);
  };
  EXPECT_EQ(parts(**got), parts(put));
}

TEST_F(MongodbDeadLetters, TheSameIdAgainReplacesTheFirst) {
  auto store = opened();
  ASSERT_TRUE(store->put(letter("82AB"), {}));
  DeadLetter again = letter("82AB");
  again.reason = "another";
  ASSERT_TRUE(store->put(again, {}));
  EXPECT_EQ(store->count("orders"), 1u);
  EXPECT_EQ((*store->find("orders", "82AB"))->reason, "another");
}

TEST_F(MongodbDeadLetters, AreListedInOrderAPageAtATimeAndByPipeline) {
  auto store = opened();
  for (const char* id : {"82C", "82A", "82B", "82D"}) ASSERT_TRUE(store->put(letter(id), {}));
  ASSERT_TRUE(store->put(letter("82A", "others"), {}));
  EXPECT_EQ(ids(*store->list("orders", "", 2)), (std::vector<std::string>{"82A", "82B"}));
  EXPECT_EQ(ids(*store->list("orders", "82B", 10)), (std::vector<std::string>{"82C", "82D"}));
  EXPECT_EQ(ids(*store->list("others", "", 10)), std::vector<std::string>{"82A"});
  EXPECT_EQ(store->count("orders"), 4u);
  EXPECT_EQ(store->count("nobody"), 0u);
}

TEST_F(MongodbDeadLetters, AreListedInMoreThanOneReply) {
  auto store = opened();
  for (int i = 0; i < 250; ++i) ASSERT_TRUE(store->put(letter(std::to_string(1000 + i)), {}));
  EXPECT_EQ(store->list("orders", "", 1000)->size(), 250u);
}

TEST_F(MongodbDeadLetters, AreRemovedOneByOne) {
  auto store = opened();
  ASSERT_TRUE(store->put(letter("82A"), {}));
  ASSERT_TRUE(store->put(letter("82B"), {}));
  ASSERT_TRUE(store->remove("orders", "82A"));
  ASSERT_TRUE(store->remove("orders", "no such letter"));
  EXPECT_EQ(ids(*store->list("orders", "", 10)), std::vector<std::string>{"82B"});
  EXPECT_FALSE(store->find("orders", "82A")->has_value());
}

TEST_F(MongodbDeadLetters, AFaultThatPassesIsOneToRetry) {
  auto store = opened();
  ASSERT_TRUE(at.fail_commands(R"(["update"])", 112));
  const auto failed = store->put(letter("82A"), {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().react, React::kRetry);
  EXPECT_TRUE(store->put(letter("82A"), {}));
}

TEST_F(MongodbDeadLetters, ALetterThatNoDocumentHoldsSaysWhatToDo) {
  auto store = opened();
  DeadLetter large = letter("82A");
  large.event = std::string(17 * 1024 * 1024, 'x');
  const auto refused = store->put(large, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kConfig);
  EXPECT_NE(refused.error().hint.find("sqlite"), std::string::npos);
}

class KeptLog final : public LogWriter {
 public:
  bool write(std::string_view line) override {
    text += line;
    return true;
  }
  Status reopen() override { return {}; }
  std::string text;
};

TEST_F(MongodbDeadLetters, OfACollectionThatIsDroppedUnderTheRunningProcessAreMissedAloud) {
  const auto kept = std::make_shared<KeptLog>();
  init_log(LogLevel::kWarn, kept);
  auto store = opened();
  auto beside = opened();  // as the guard and the page have one of their own
  ASSERT_TRUE(store->put(letter("82A"), {}));
  EXPECT_EQ(beside->count("orders"), 1u);
  ASSERT_TRUE(at.mongo().run(at.database(), R"({"drop": "dead"})"));
  // Made again, with its index; what was in it is not there, and that is said.
  EXPECT_FALSE(beside->count("orders"));
  const auto counted = store->count("orders");
  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().react, React::kConfig);
  EXPECT_NE(counted.error().what.find("dropped"), std::string::npos) << counted.error().what;
  EXPECT_NE(kept->text.find(at.database() + ".dead"), std::string::npos) << kept->text;
  ASSERT_TRUE(store->open({}));
  ASSERT_TRUE(store->put(letter("82B"), {}));
  EXPECT_EQ(ids(*store->list("orders", "", 10)), std::vector<std::string>{"82B"});
  const auto indexes = at.mongo().run(at.database(), R"({"listIndexes": "dead"})");
  ASSERT_TRUE(indexes) << indexes.error().describe();
  EXPECT_NE(bson::to_json(indexes->view()).find("pipeline_1_id_1"), std::string::npos);
  EXPECT_FALSE(store->count("orders")) << "the loss stands until somebody has seen it and restarts";
  EXPECT_EQ(opened()->count("orders"), 1u);
  init_log(LogLevel::kOff);
}

}  // namespace
}  // namespace tidemark::testing
