// What every store of dead letters must do that keeps each letter under its id. (A queue keeps what it is given: the store
// `rabbitmq` has tests of its own.) A store's own test instantiates the suite with a harness:
//
//   struct Harness {
//     // Why the suite can't run here (no server, say); empty when it can.
//     std::optional<std::string> unavailable();
//     // Another instance over the same storage, as another process would make it; not open yet.
//     std::unique_ptr<DeadLetterStore> make();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, DeadLettersContract, Harness);
//
// A harness is made anew for every test, over empty storage.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "bson/document.h"
#include "core/dead_letters.h"

namespace tidemark::testing {

inline DeadLetter a_letter(const std::string& id, const std::string& pipeline = "orders") {
  DeadLetter made;
  made.id = id;
  made.pipeline = pipeline;
  made.reason = "too large for " + id;
  made.event = R"({"_id":{"_data":")" + id + "\"}}";
  made.at_ms = 1'700'000'000'123;
  return made;
}

inline std::vector<std::string> ids_of(const Result<std::vector<DeadLetter>>& letters) {
  if (!letters) return {letters.error().describe()};
  std::vector<std::string> ids;
  for (const DeadLetter& each : *letters) ids.push_back(each.id);
  return ids;
}

inline std::unique_ptr<DeadLetterStore> opened(std::unique_ptr<DeadLetterStore> store) {
  const Status status = store->open({});
  EXPECT_TRUE(status) << status.error().describe();
  return store;
}

template <class Harness>
class DeadLettersContract : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = harness_.unavailable()) GTEST_SKIP() << *reason;
  }
  std::unique_ptr<DeadLetterStore> store() { return opened(harness_.make()); }

  Harness harness_;
};
TYPED_TEST_SUITE_P(DeadLettersContract);

TYPED_TEST_P(DeadLettersContract, KeepsEveryPartForTheNextProcess) {
  DeadLetter put = a_letter("src 1");
  put.reason = "reason with \"quotes\"";
  put.event = std::string("{\"a\":\"nul\0\"}", 11);
  put.attempts = 3;
  put.origin = "queue events";
  put.payload = "{\"specversion\":\"1.0\"}";
  put.malformed = true;
  put.bytes = std::string("\x05\0\0\0\0", 5);
  put.hidden = true;
  const auto fate = this->store()->put(put, {});
  ASSERT_TRUE(fate) << fate.error().describe();
  EXPECT_EQ(*fate, LetterFate::kKept);
  const auto got = this->store()->find("orders", "src 1");
  ASSERT_TRUE(got && *got);
  const auto parts = [](const DeadLetter& of) {
    return std::tie(of.id, of.pipeline, of.reason, of.event, of.at_ms, of.attempts, of.origin, of.payload,
                    of.malformed, of.bytes, of.hidden);
  };
  EXPECT_EQ(parts(**got), parts(put));
  const auto listed = this->store()->list("orders", "", 10);
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ(parts(listed->front()), parts(put));
}

TYPED_TEST_P(DeadLettersContract, FindsByIdAndCountsByPipeline) {
  auto store = this->store();
  for (const char* id : {"82A", "82B"}) ASSERT_TRUE(store->put(a_letter(id), {}));
  ASSERT_TRUE(store->put(a_letter("82A", "others"), {}));
  const auto found = store->find("orders", "82B");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->reason, "too large for 82B");
  EXPECT_FALSE(store->find("others", "82B")->has_value());
  EXPECT_EQ(store->count("orders"), 2u);
  EXPECT_EQ(store->count("nobody"), 0u);
}

TYPED_TEST_P(DeadLettersContract, TheSameIdAgainReplacesTheFirst) {
  auto store = this->store();
  ASSERT_TRUE(store->put(a_letter("82AB"), {}));
  DeadLetter again = a_letter("82AB");
  again.reason = "another";
  ASSERT_TRUE(store->put(again, {}));
  EXPECT_EQ(store->count("orders"), 1u);
  EXPECT_EQ((*store->find("orders", "82AB"))->reason, "another");
}

TYPED_TEST_P(DeadLettersContract, ListsInOrderAPageAtATimeAndByPipeline) {
  using Ids = std::vector<std::string>;
  auto store = this->store();
  for (const char* id : {"82C", "82A", "82B", "82D"}) ASSERT_TRUE(store->put(a_letter(id), {}));
  ASSERT_TRUE(store->put(a_letter("82A", "others"), {}));
  EXPECT_EQ(ids_of(store->list("orders", "", 2)), (Ids{"82A", "82B"}));
  EXPECT_EQ(ids_of(store->list("orders", "82B", 10)), (Ids{"82C", "82D"}));
  EXPECT_EQ(ids_of(store->list("others", "", 10)), Ids{"82A"});
}

TYPED_TEST_P(DeadLettersContract, ListsMoreThanAServerAnswersAtOnce) {
  auto store = this->store();
  for (int i = 0; i < 250; ++i) ASSERT_TRUE(store->put(a_letter(std::to_string(1000 + i)), {}));
  EXPECT_EQ(store->list("orders", "", 1000)->size(), 250u);
}

TYPED_TEST_P(DeadLettersContract, RemovesOneByOne) {
  using Ids = std::vector<std::string>;
  auto store = this->store();
  for (const char* id : {"82A", "82B"}) ASSERT_TRUE(store->put(a_letter(id), {}));
  ASSERT_TRUE(store->remove("orders", "82A"));
  ASSERT_TRUE(store->remove("orders", "no such letter"));
  EXPECT_EQ(ids_of(store->list("orders", "", 10)), Ids{"82B"});
  EXPECT_FALSE(store->find("orders", "82A")->has_value());
}

TYPED_TEST_P(DeadLettersContract, TwoStoresShareThePlace) {
  auto first = this->store(), second = this->store();
  ASSERT_TRUE(first->put(a_letter("82A"), {}));
  ASSERT_TRUE(second->put(a_letter("82B"), {}));
  EXPECT_EQ(first->list("orders", "", 10)->size(), 2u);
}

TYPED_TEST_P(DeadLettersContract, AnEventThatNoTextHoldsComesBackByItsBytes) {
  bson::Builder id, raw;
  bson::Document document = bson::Builder().append("end", 1).finish();
  for (int level = 0; level < 150; ++level) document = bson::Builder().append("d", document.view()).finish();
  raw.append("_id", id.append("_data", "82A").view()).append("operationType", "insert");
  raw.append("fullDocument", document.view());
  DeadLetter put = a_letter("82A");
  put.event = "{}";
  put.bytes.assign(reinterpret_cast<const char*>(raw.view().data()), raw.view().size());
  ASSERT_TRUE(this->store()->put(put, {}));
  const auto kept = this->store()->find("orders", "82A");
  ASSERT_TRUE(kept && *kept);
  EventBatch memory;
  const auto event = event_of(**kept, memory);
  ASSERT_TRUE(event) << event.error().describe();
  EXPECT_TRUE(event->after == document.view());
}

REGISTER_TYPED_TEST_SUITE_P(DeadLettersContract, KeepsEveryPartForTheNextProcess,
                            FindsByIdAndCountsByPipeline, TheSameIdAgainReplacesTheFirst,
                            ListsInOrderAPageAtATimeAndByPipeline, ListsMoreThanAServerAnswersAtOnce,
                            RemovesOneByOne, TwoStoresShareThePlace,
                            AnEventThatNoTextHoldsComesBackByItsBytes);

}  // namespace tidemark::testing
