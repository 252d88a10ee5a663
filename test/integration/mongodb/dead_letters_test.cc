// The dead letters `mongodb` on a live replica set.
#include "base/log.h"
#include "bson/json.h"
#include "conformance/dead_letters_contract.h"
#include "deadletters/mongodb/component.h"
#include "integration/mongodb/fixture.h"

namespace tidemark::testing {
namespace {

struct MongodbHarness : Deployment {
  std::unique_ptr<DeadLetterStore> make() {
    config::Settings settings;
    settings.set("uri", set->uri());
    settings.set("database", database());
    settings.set("collection", std::string("dead"));
    return mongodb_dead_letters_component().make(settings, context()).value();
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Mongodb, DeadLettersContract, MongodbHarness);

class MongodbDeadLetters : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = at.unavailable()) GTEST_SKIP() << *reason;
  }

  MongodbHarness at;
};

TEST_F(MongodbDeadLetters, AFaultThatPassesIsOneToRetry) {
  auto store = opened(at.make());
  ASSERT_TRUE(at.fail_commands(R"(["update"])", 112));
  const auto failed = store->put(a_letter("82A"), {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().react, React::kRetry);
  EXPECT_TRUE(store->put(a_letter("82A"), {}));
}

TEST_F(MongodbDeadLetters, ALetterThatNoDocumentHoldsSaysWhatToDo) {
  auto store = opened(at.make());
  DeadLetter large = a_letter("82A");
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
  auto store = opened(at.make());
  auto beside = opened(at.make());  // as the guard and the page have one of their own
  ASSERT_TRUE(store->put(a_letter("82A"), {}));
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
  ASSERT_TRUE(store->put(a_letter("82B"), {}));
  EXPECT_EQ(ids_of(store->list("orders", "", 10)), std::vector<std::string>{"82B"});
  const auto indexes = at.mongo().run(at.database(), R"({"listIndexes": "dead"})");
  ASSERT_TRUE(indexes) << indexes.error().describe();
  EXPECT_NE(bson::to_json(indexes->view()).find("pipeline_1_id_1"), std::string::npos);
  EXPECT_FALSE(store->count("orders")) << "the loss stands until somebody has seen it and restarts";
  EXPECT_EQ(opened(at.make())->count("orders"), 1u);
  init_log(LogLevel::kOff);
}

// As when a primary dies before the majority has the creation: the next one makes it anew, under another identity.
TEST_F(MongodbDeadLetters, ACollectionThatIsMadeAnewBeforeItHeldALetterIsNoLoss) {
  auto store = opened(at.make());
  auto beside = opened(at.make());
  EXPECT_EQ(beside->count("orders"), 0u);
  ASSERT_TRUE(at.mongo().run(at.database(), R"({"drop": "dead"})"));
  ASSERT_TRUE(at.mongo().run(at.database(), R"({"create": "dead"})"));
  EXPECT_EQ(beside->count("orders"), 0u);
  ASSERT_TRUE(store->put(a_letter("82A"), {}));
  EXPECT_EQ(beside->count("orders"), 1u);
  EXPECT_EQ(store->count("orders"), 1u);
}

}  // namespace
}  // namespace tidemark::testing
