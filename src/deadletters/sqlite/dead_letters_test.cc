#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "conformance/dead_letters_contract.h"
#include "deadletters/sqlite/component.h"
#include "support/temp_folder.h"

namespace tidemark::testing {
namespace {

struct SqliteHarness {
  std::optional<std::string> unavailable() { return std::nullopt; }
  std::unique_ptr<DeadLetterStore> make() { return make(path); }
  std::unique_ptr<DeadLetterStore> make(const std::string& at) {
    config::Settings settings;
    settings.set("path", at);
    return sqlite_dead_letters_component().make(settings, {}).value();
  }

  TempFolder folder;
  std::string path = folder.file("dead.db");
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, DeadLettersContract, SqliteHarness);

class DeadLetters : public ::testing::Test {
 protected:
  std::unique_ptr<DeadLetterStore> make(const std::string& path) { return harness_.make(path); }
  std::unique_ptr<DeadLetterStore> store() { return opened(harness_.make()); }

  SqliteHarness harness_;
  const TempFolder& folder_ = harness_.folder;
  const std::string& path_ = harness_.path;
};

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
  auto letters = store();
  ASSERT_TRUE(letters->put(a_letter("82B"), {}));
  EXPECT_EQ(ids_of(letters->list("orders", "", 10)), (std::vector<std::string>{"82A", "82B"}));
  const auto kept = letters->find("orders", "82A");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->reason, "too large");
  EXPECT_EQ((*kept)->attempts, 1);
  EXPECT_FALSE((*kept)->malformed);
  EXPECT_EQ(store()->count("orders"), 2u);
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
  const auto kept = store()->find("orders", "82A");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->payload, "p");
  EXPECT_EQ((*kept)->bytes, "");
  EventBatch memory;
  const auto event = event_of(**kept, memory);
  ASSERT_TRUE(event) << "the text alone serves: " << event.error().describe();
  EXPECT_EQ(event->op, Op::kInsert);
}

TEST_F(DeadLetters, ATableOfAnotherShapeIsLeftAlone) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "CREATE TABLE dead_letters(id TEXT)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(make(path_)->open({}).error().react, React::kConfig);
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
}  // namespace tidemark::testing
