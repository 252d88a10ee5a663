#include "deadletters/sqlite/dead_letters.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace tidemark {
namespace {

class DeadLetters : public ::testing::Test {
 protected:
  std::unique_ptr<DeadLetterStore> make(const std::string& path) {
    config::Settings settings;
    settings.set("path", path);
    return make_sqlite_dead_letters(settings, {}).value();
  }
  std::unique_ptr<DeadLetterStore> opened() {
    auto store = make(path_);
    const Status status = store->open({});
    EXPECT_TRUE(status) << status.error().describe();
    return store;
  }
  static DeadLetter letter(const std::string& id, const std::string& pipeline = "orders") {
    return {id, pipeline, "too large for " + id, R"({"_id":{"_data":")" + id + "\"}}", 1234};
  }
  static std::vector<std::string> ids(const std::vector<DeadLetter>& letters) {
    std::vector<std::string> ids;
    for (const DeadLetter& each : letters) ids.push_back(each.id);
    return ids;
  }

  testing::TempFolder folder_;
  std::string path_ = folder_.file("dead.db");
};

TEST_F(DeadLetters, KeepEveryPartOverARestart) {
  const DeadLetter put{"82AB", "orders", "reason with \"quotes\"", std::string("{\"a\":\"nul\0\"}", 11),
                       1700000000123};
  ASSERT_TRUE(opened()->put(put, {}));
  const auto letters = opened()->list("orders", "", 10);
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 1u);
  const DeadLetter& got = letters->front();
  EXPECT_EQ(std::tie(got.id, got.pipeline, got.reason, got.event, got.at_ms),
            std::tie(put.id, put.pipeline, put.reason, put.event, put.at_ms));
}

TEST_F(DeadLetters, TheSameIdAgainReplacesTheFirst) {
  auto store = opened();
  ASSERT_TRUE(store->put(letter("82AB"), {}));
  DeadLetter again = letter("82AB");
  again.reason = "another";
  ASSERT_TRUE(store->put(again, {}));
  const auto letters = store->list("orders", "", 10);
  ASSERT_EQ(letters->size(), 1u);
  EXPECT_EQ(letters->front().reason, "another");
}

TEST_F(DeadLetters, AreListedInOrderAPageAtATimeAndByPipeline) {
  auto store = opened();
  for (const char* id : {"82C", "82A", "82B", "82D"}) ASSERT_TRUE(store->put(letter(id), {}));
  ASSERT_TRUE(store->put(letter("82A", "others"), {}));
  EXPECT_EQ(ids(*store->list("orders", "", 2)), (std::vector<std::string>{"82A", "82B"}));
  EXPECT_EQ(ids(*store->list("orders", "82B", 10)), (std::vector<std::string>{"82C", "82D"}));
  EXPECT_EQ(ids(*store->list("others", "", 10)), std::vector<std::string>{"82A"});
}

TEST_F(DeadLetters, AreRemovedOneByOne) {
  auto store = opened();
  ASSERT_TRUE(store->put(letter("82A"), {}));
  ASSERT_TRUE(store->put(letter("82B"), {}));
  ASSERT_TRUE(store->remove("orders", "82A"));
  ASSERT_TRUE(store->remove("orders", "no such letter"));
  EXPECT_EQ(ids(*store->list("orders", "", 10)), std::vector<std::string>{"82B"});
}

TEST_F(DeadLetters, TwoStoresUseOneFile) {
  auto first = opened(), second = opened();
  ASSERT_TRUE(first->put(letter("82A"), {}));
  ASSERT_TRUE(second->put(letter("82B"), {}));
  EXPECT_EQ(first->list("orders", "", 10)->size(), 2u);
}

TEST_F(DeadLetters, WhatCannotBeOpenedSaysHowToReact) {
  EXPECT_EQ(make(folder_.file("no/folder/dead.db"))->open({}).error().react, React::kConfig);
  std::ofstream(path_) << "certainly not a database, but long enough to be read as one";
  EXPECT_EQ(make(path_)->open({}).error().react, React::kCorrupt);
  config::Settings settings;
  settings.set("path", std::string(":memory:"));
  EXPECT_EQ(make_sqlite_dead_letters(settings, {}).error().react, React::kConfig);
}

}  // namespace
}  // namespace tidemark
