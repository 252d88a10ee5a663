#include "sources/mongodb/batch_reader.h"

#include <gtest/gtest.h>

namespace tidemark::mongodb {
namespace {

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

Position at(std::string_view data) {
  bson::Builder builder;
  builder.append("_data", data);
  return Position(builder.view());
}

// A reply with the given items of nextBatch.
ReplyPtr reply(const std::string& items,
               const std::string& mark = R"("postBatchResumeToken": {"_data": "82FF"},)", int id = 5) {
  const auto document = doc(R"({"cursor": {"nextBatch": [)" + items + "], " + mark + R"( "id": )" +
                            std::to_string(id) + R"(, "ns": "shop.orders"}, "ok": 1})");
  auto made = std::make_shared<Reply>();
  const bson_t raw = document.view().raw();
  bson_concat(made->fill(), &raw);
  return made;
}

std::string event(const std::string& data) {
  return R"({"_id": {"_data": ")" + data + R"("}, "operationType": "insert"})";
}

std::string fragment(const std::string& data, int index, int of) {
  return R"({"_id": {"_data": ")" + data + R"("}, "splitEvent": {"fragment": )" + std::to_string(index) +
         R"(, "of": )" + std::to_string(of) + R"(}, "f)" + std::to_string(index) + R"(": 1})";
}

TEST(BatchReader, StandsBehindABatchAtItsHighWaterMark) {
  BatchReader reader;
  reader.start(at("8200"));
  const auto batch = reader.read(reply(event("8201") + "," + event("8202")));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->events->events().size(), 2u);
  EXPECT_EQ(batch->resume_after, at("82FF"));
  EXPECT_EQ(reader.position(), at("82FF"));
  EXPECT_FALSE(batch->closed);
}

TEST(BatchReader, MovesOnAnEmptyBatch) {
  BatchReader reader;
  reader.start(at("8200"));
  const auto batch = reader.read(reply(""));
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->events->events().empty());
  EXPECT_EQ(batch->resume_after, at("82FF"));
}

TEST(BatchReader, UsesTheLastEventsTokenWhereTheServerSendsNoMark) {
  BatchReader reader;
  reader.start(at("8200"));
  EXPECT_EQ(reader.read(reply(event("8201") + "," + event("8202"), ""))->resume_after, at("8202"));
  EXPECT_EQ(reader.read(reply("", ""))->resume_after, at("8202"));
}

TEST(BatchReader, NeverStandsInsideASplitEvent) {
  BatchReader reader;
  reader.start(at("8200"));
  const auto first = reader.read(reply(event("8201") + "," + fragment("8202", 1, 3)));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->events->events().size(), 1u);
  EXPECT_EQ(first->resume_after, at("8201"));
  const auto second = reader.read(reply(fragment("8203", 2, 3)));
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->events->events().empty());
  EXPECT_EQ(second->resume_after, at("8201"));
  const auto third =
      reader.read(reply(fragment("8204", 3, 3), R"("postBatchResumeToken": {"_data": "8204"},)"));
  ASSERT_TRUE(third);
  ASSERT_EQ(third->events->events().size(), 1u);
  EXPECT_EQ(third->events->events()[0].id, "8204");
  EXPECT_TRUE(third->events->events()[0].raw.find("f1"));
  EXPECT_TRUE(third->events->events()[0].raw.find("f3"));
  EXPECT_EQ(third->resume_after, at("8204"));
}

TEST(BatchReader, ForgetsTheFragmentsOfAStreamThatBroke) {
  BatchReader reader;
  reader.start(at("8200"));
  ASSERT_TRUE(reader.read(reply(fragment("8202", 1, 2))));
  reader.start(reader.position());
  const auto batch = reader.read(reply(event("8202")));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->events->events().size(), 1u);
}

TEST(BatchReader, AsksForANewStreamWhenASplitEventIsCutOff) {
  BatchReader reader;
  reader.start(at("8200"));
  EXPECT_EQ(reader.read(reply(fragment("8202", 1, 2) + "," + event("8203"))).error().react, React::kRetry);
  reader.start(at("8200"));
  EXPECT_EQ(reader.read(reply(fragment("8202", 1, 2), "", 0)).error().react, React::kRetry);
}

TEST(BatchReader, SaysWhenTheServerClosedTheCursor) {
  BatchReader reader;
  reader.start(at("8200"));
  const auto batch = reader.read(reply(R"({"_id": {"_data": "8205"}, "operationType": "invalidate"})",
                                       R"("postBatchResumeToken": {"_data": "8205"},)", 0));
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->closed);
  EXPECT_EQ(batch->events->events()[0].op, Op::kInvalidate);
  EXPECT_EQ(batch->resume_after, at("8205"));
}

TEST(BatchReader, WaitsForEventsThatCanBeResumedFrom) {
  BatchReader reader;
  reader.start(at("8200"));
  for (const char* strange : {R"({"operationType": "insert"})", "1"}) {
    const auto batch = reader.read(reply(strange));
    ASSERT_FALSE(batch) << strange;
    const Error& error = batch.error();
    EXPECT_EQ(error.react, React::kRetry) << strange;
    EXPECT_TRUE(error.unknown) << strange;
  }
  EXPECT_EQ(reader.position(), at("8200"));
}

TEST(BatchReader, KeepsTheReplyAliveAsLongAsTheBatch) {
  BatchReader reader;
  reader.start(at("8200"));
  std::weak_ptr<Reply> watched;
  {
    auto one = reply(event("8201"));
    watched = one;
    const auto batch = reader.read(std::move(one));
    EXPECT_FALSE(watched.expired());
    EXPECT_EQ(batch->events->events()[0].id, "8201");
  }
  EXPECT_TRUE(watched.expired());
}

TEST(BatchPool, HandsTheSameBatchOutAgain) {
  BatchPool pool;
  auto first = pool.take();
  first->events().resize(100);
  const EventBatch* address = first.get();
  first.reset();
  const auto second = pool.take();
  EXPECT_EQ(second.get(), address);
  EXPECT_TRUE(second->events().empty());
  EXPECT_GE(second->events().capacity(), 100u);
}

TEST(BatchPool, OutlivesItsOwnerInTheBatchesItGaveOut) {
  std::shared_ptr<EventBatch> batch;
  {
    BatchPool pool;
    batch = pool.take();
  }
  batch.reset();
}

}  // namespace
}  // namespace tidemark::mongodb
