#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "deadletters/sqlite/component.h"
#include "support/temp_folder.h"

namespace tidemark {
namespace {

class DeadLetters : public ::testing::Test {
 protected:
  std::unique_ptr<DeadLetterStore> make(const std::string& path) {
    config::Settings settings;
    settings.set("path", path);
    return sqlite_dead_letters_component().make(settings, {}).value();
  }
  std::unique_ptr<DeadLetterStore> opened() {
    auto store = make(path_);
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
    made.at_ms = 1234;
    return made;
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
  DeadLetter put = letter("82AB");
  put.reason = "reason with \"quotes\"";
  put.event = std::string("{\"a\":\"nul\0\"}", 11);
  put.attempts = 3;
  put.origin = "queue events";
  put.payload = "{\"specversion\":\"1.0\"}";
  put.malformed = true;
  put.bytes = std::string("\x05\0\0\0\0", 5);
  put.hidden = true;
  const auto fate = opened()->put(put, {});
  ASSERT_TRUE(fate);
  EXPECT_EQ(*fate, LetterFate::kKept);
  const auto letters = opened()->list("orders", "", 10);
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 1u);
  const auto parts = [](const DeadLetter& of) {
    return std::tie(of.id, of.pipeline, of.reason, of.event, of.at_ms, of.attempts, of.origin, of.payload,
                    of.malformed, of.bytes, of.hidden);
  };
  EXPECT_EQ(parts(letters->front()), parts(put));
}

TEST_F(DeadLetters, AreFoundByIdAndCountedByPipeline) {
  auto store = opened();
  for (const char* id : {"82A", "82B"}) ASSERT_TRUE(store->put(letter(id), {}));
  ASSERT_TRUE(store->put(letter("82A", "others"), {}));
  const auto found = store->find("orders", "82B");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->reason, "too large for 82B");
  EXPECT_FALSE(store->find("others", "82B")->has_value());
  EXPECT_EQ(store->count("orders"), 2u);
  EXPECT_EQ(store->count("nobody"), 0u);
}

TEST_F(DeadLetters, AFileOfTheFirstShapeIsBroughtForwardWithItsLetters) {
  sqlite3* old = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &old), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(
                old,
                "CREATE TABLE dead_letters(pipeline TEXT, id TEXT, reason TEXT, event TEXT, at_ms INTEGER, "
                "PRIMARY KEY(pipeline, id));"
                "INSERT INTO dead_letters VALUES('orders', '82A', 'too large', '{}', 7)",
                nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(old);
  auto store = opened();
  ASSERT_TRUE(store->put(letter("82B"), {}));
  EXPECT_EQ(ids(*store->list("orders", "", 10)), (std::vector<std::string>{"82A", "82B"}));
  const auto kept = store->find("orders", "82A");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->reason, "too large");
  EXPECT_EQ((*kept)->attempts, 1);
  EXPECT_FALSE((*kept)->malformed);
  EXPECT_EQ(opened()->count("orders"), 2u);
}

TEST_F(DeadLetters, AFileFromBeforeLettersHeldBytesIsBroughtForwardWithItsLetters) {
  sqlite3* old = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &old), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(
                old,
                "CREATE TABLE dead_letters(pipeline TEXT, id TEXT, reason TEXT, event TEXT, at_ms INTEGER, "
                "attempts INTEGER NOT NULL DEFAULT 1, origin TEXT NOT NULL DEFAULT '', payload TEXT NOT NULL "
                "DEFAULT '', malformed INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(pipeline, id));"
                "INSERT INTO dead_letters VALUES('orders', '82A', 'too large', "
                "'{\"_id\":{\"_data\":\"82A\"},\"operationType\":\"insert\"}', 7, 2, '', 'p', 0)",
                nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(old);
  const auto kept = opened()->find("orders", "82A");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->payload, "p");
  EXPECT_EQ((*kept)->bytes, "");
  EventBatch memory;
  const auto event = event_of(**kept, memory);
  ASSERT_TRUE(event) << "the text alone serves: " << event.error().describe();
  EXPECT_EQ(event->op, Op::kInsert);
}

TEST_F(DeadLetters, AnEventThatNoTextHoldsComesBackByItsBytes) {
  bson::Builder id, deep, raw;
  bson::Document document = bson::Builder().append("end", 1).finish();
  for (int level = 0; level < 150; ++level) document = bson::Builder().append("d", document.view()).finish();
  raw.append("_id", id.append("_data", "82A").view()).append("operationType", "insert");
  raw.append("fullDocument", document.view());
  DeadLetter put = letter("82A");
  put.event = "{}";
  put.bytes.assign(reinterpret_cast<const char*>(raw.view().data()), raw.view().size());
  ASSERT_TRUE(opened()->put(put, {}));
  const auto kept = opened()->find("orders", "82A");
  ASSERT_TRUE(kept && *kept);
  EventBatch memory;
  const auto event = event_of(**kept, memory);
  ASSERT_TRUE(event) << event.error().describe();
  EXPECT_TRUE(event->after == document.view());
}

TEST_F(DeadLetters, ATableOfAnotherShapeIsLeftAlone) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE dead_letters(id TEXT)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(make(path_)->open({}).error().react, React::kConfig);
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
  EXPECT_EQ(make(folder_.file("no/folder/dead.db"))->open({}).error().react, React::kDenied);
  std::ofstream(path_) << "certainly not a database, but long enough to be read as one";
  EXPECT_EQ(make(path_)->open({}).error().react, React::kCorrupt);
  config::Settings settings;
  settings.set("path", std::string(":memory:"));
  EXPECT_EQ(sqlite_dead_letters_component().make(settings, {}).error().react, React::kConfig);
}

}  // namespace
}  // namespace tidemark
