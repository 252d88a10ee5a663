// What the source delivers, and where it stands, on a replica set where nothing breaks.
#include <gmock/gmock.h>

#include "integration/source/stream_fixture.h"

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class SourceTest : public StreamTest {};

TEST_F(SourceTest, DeliversEveryChangeOfACollectionInOrder) {
  const auto stream = open_source();
  insert(1);
  ok(mongo().update(database(), collection_, R"({"_id": 1})", R"({"$set": {"a": 1}})"));
  ok(mongo().replace(database(), collection_, R"({"_id": 1})", R"({"b": 2})"));
  ok(mongo().remove(database(), collection_, R"({"_id": 1})"));
  ok(mongo().insert(database(), "another", R"({"_id": 9})"));
  const Seen seen = read(*stream, 4);
  EXPECT_THAT(seen.ops(), ElementsAre("insert", "update", "replace", "delete"));
  std::string last;
  for (const Event& event : seen.events) {
    EXPECT_LT(last, event.id);
    last = event.id;
    EXPECT_EQ(event.ns, (Namespace{database(), collection_}));
    EXPECT_EQ(event.key, json(R"({"_id": 1})").view());
    EXPECT_EQ(event.key_hash, seen.events[0].key_hash);
    EXPECT_EQ(event.cluster_time, token_time(event.raw.find("_id")->document()));
  }
  EXPECT_TRUE(seen.events[0].after);
  EXPECT_TRUE(seen.events[1].update);
  EXPECT_FALSE(seen.events[1].after);
}

TEST_F(SourceTest, LooksTheDocumentOfAnUpdateUpWhenAsked) {
  const auto stream = open_source({{"full_document", "update_lookup"}});
  ok(mongo().update(database(), collection_, R"({"_id": 0})", R"({"$set": {"a": 1}})"));
  const Seen seen = read(*stream, 1);
  ASSERT_EQ(seen.events.size(), 1u);
  EXPECT_EQ(seen.events[0].after, json(R"({"_id": 0, "a": 1})").view());
}

TEST_F(SourceTest, ResumesExactlyBehindWhatWasRead) {
  const auto first = open_source({{"batch_size", "2"}});
  for (int i = 1; i <= 5; ++i) insert(i);
  const Seen two = read(*first, 2);
  ASSERT_EQ(two.events.size(), 2u);
  first->close();

  const auto second = source();
  ASSERT_TRUE(second->open(two.resume_after, {}));
  const Seen rest = read(*second, 3);
  ASSERT_EQ(rest.events.size(), 3u);
  EXPECT_EQ(rest.events[0].key, json(R"({"_id": 3})").view());
  EXPECT_EQ(rest.events[2].key, json(R"({"_id": 5})").view());
}

TEST_F(SourceTest, ResumesBehindTheTokenOfAnEventInsideABatch) {
  const auto first = open_source();
  for (int i = 1; i <= 3; ++i) insert(i);
  const Seen seen = read(*first, 3);
  ASSERT_EQ(seen.events.size(), 3u);
  const auto second = source();
  ASSERT_TRUE(second->open(Position(seen.events[0].raw.find("_id")->document()), {}));
  const Seen rest = read(*second, 2);
  ASSERT_EQ(rest.events.size(), 2u);
  EXPECT_EQ(rest.events[0].id, seen.events[1].id);
}

TEST_F(SourceTest, MovesOnWhileItsCollectionIsQuiet) {
  const auto stream = open_source();
  const Position before = *source()->resolve({}, {});
  for (int i = 0; i < 3; ++i) ok(mongo().insert(database(), "busy", R"({"x": 1})"));
  bool moved = false;
  for (int i = 0; i < 20 && !moved; ++i) {
    const auto batch = stream->read(std::chrono::milliseconds(200), {});
    ASSERT_TRUE(batch) << batch.error().describe();
    EXPECT_TRUE(batch->events->events().empty());
    moved = batch->resume_after.cluster_time() > before.cluster_time();
  }
  EXPECT_TRUE(moved);
}

TEST_F(SourceTest, FollowsItsCollectionOverADropAndItsReturn) {
  auto stream = open_source();
  insert(1);
  ok(mongo().drop(database(), collection_));
  insert(2);
  const Seen seen = read(*stream, 3);
  EXPECT_THAT(seen.ops(), ElementsAre("insert", "drop", "invalidate"));
  EXPECT_TRUE(seen.closed);
  ASSERT_TRUE(stream->open(seen.resume_after, {}));
  const Seen after = read(*stream, 1);
  EXPECT_THAT(after.ops(), ElementsAre("insert"));
}

TEST_F(SourceTest, FollowsItsCollectionOverARename) {
  auto stream = open_source();
  ok(mongo().run("admin", R"({"renameCollection": ")" + database() + "." + collection_ + R"(", "to": ")" +
                              database() + "." + collection_ + R"(_new"})"));
  const Seen seen = read(*stream, 2);
  EXPECT_THAT(seen.ops(), ElementsAre("rename", "invalidate"));
  ASSERT_EQ(seen.events.size(), 2u);
  EXPECT_EQ(seen.events[0].to.collection, collection_ + "_new");
  EXPECT_TRUE(seen.closed);
  EXPECT_TRUE(stream->open(seen.resume_after, {}));
}

TEST_F(SourceTest, AFilterCannotHideTheEndOfTheStream) {
  auto stream = open_source({{"filter", R"([{"$match": {"operationType": "insert"}}])"}});
  insert(1);
  ok(mongo().remove(database(), collection_, R"({"_id": 1})"));
  ok(mongo().drop(database(), collection_));
  insert(2);
  const Seen seen = read(*stream, 3);
  EXPECT_THAT(seen.ops(), ElementsAre("insert", "invalidate"));
  EXPECT_TRUE(seen.closed);
  ASSERT_TRUE(stream->open(seen.resume_after, {}));
  EXPECT_THAT(read(*stream, 1).ops(), ElementsAre("insert"));
}

TEST_F(SourceTest, WatchesADatabaseAndTheWholeDeployment) {
  auto of_database = source_of({{"database", database()}});
  auto of_all = source_of({});
  const Position now = *of_all->resolve({}, {});
  ASSERT_TRUE(of_database->open(now, {}));
  ASSERT_TRUE(of_all->open(now, {}));
  insert(1);
  ok(mongo().insert(database() + "_b", "c", R"({"_id": 1})"));
  insert(2);
  EXPECT_THAT(read(*of_database, 2).ops(), ElementsAre("insert", "insert"));
  const Seen all = read(*of_all, 3);
  ASSERT_GE(all.events.size(), 3u);
  EXPECT_EQ(all.events[1].ns.database, database() + "_b");
  ok(mongo().run(database() + "_b", R"({"dropDatabase": 1})"));
}

TEST_F(SourceTest, StartsNowAtATimeAtTheBeginningOrAtAToken) {
  const auto stream = source();
  const auto before = stream->resolve({}, {});
  ASSERT_TRUE(before);
  insert(1);
  const auto earliest = stream->resolve({StartPoint::Kind::kEarliest, {}, ""}, {});
  ASSERT_TRUE(earliest) << earliest.error().describe();
  ASSERT_TRUE(stream->open(*before, {}));
  const Seen seen = read(*stream, 1);
  ASSERT_EQ(seen.events.size(), 1u);

  const auto at_time = stream->resolve({StartPoint::Kind::kTime, seen.events[0].cluster_time, ""}, {});
  ASSERT_TRUE(at_time) << at_time.error().describe();
  ASSERT_TRUE(stream->open(*at_time, {}));
  EXPECT_THAT(read(*stream, 1).ops(), ElementsAre("insert"));

  const auto at_token = stream->resolve({StartPoint::Kind::kToken, {}, std::string(seen.events[0].id)}, {});
  ASSERT_TRUE(at_token) << at_token.error().describe();
  insert(2);
  ASSERT_TRUE(stream->open(*at_token, {}));
  const Seen second = read(*stream, 1);
  ASSERT_EQ(second.events.size(), 1u);
  EXPECT_EQ(second.events[0].key, json(R"({"_id": 2})").view());
}

TEST_F(SourceTest, RefusesAStartThatIsNone) {
  const auto stream = source();
  for (const StartPoint& start :
       {StartPoint{StartPoint::Kind::kToken, {}, "zz"}, StartPoint{StartPoint::Kind::kToken, {}, "826B02"}}) {
    const auto position = stream->resolve(start, {});
    ASSERT_FALSE(position);
    EXPECT_EQ(position.error().react, React::kConfig) << position.error().describe();
    EXPECT_FALSE(position.error().hint.empty());
  }
}

TEST_F(SourceTest, KnowsTheDeployment) {
  const auto stream = source();
  insert(1);
  const auto health = stream->health({});
  ASSERT_TRUE(health) << health.error().describe();
  EXPECT_GT(health->latest, health->oldest);
  EXPECT_GT(health->oldest, bson::Timestamp{});
  EXPECT_FALSE(health->deployment.empty());
  EXPECT_EQ(health->deployment, source()->health({})->deployment);
  EXPECT_THAT(health->server, StartsWith("MongoDB "));
}

TEST_F(SourceTest, RefusesAStageOrAnOptionThatTheServerRefuses) {
  const auto stream = source({{"filter", R"([{"$match": {"$nonsense": 1}}])"}});
  const auto position = stream->resolve({}, {});
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().react, React::kConfig) << position.error().describe();
}

// Two documents of 9 MB in one event: before and after.
class LargeEventTest : public StreamTest {
 protected:
  void SetUp() override {
    StreamTest::SetUp();
    if (!set_ || HasFailure()) return;
    if (!set().at_least(6, 0)) GTEST_SKIP() << "pre-images need MongoDB 6.0";
    ok(mongo().run(database(), R"({"collMod": ")" + collection_ +
                                   R"(", "changeStreamPreAndPostImages": {"enabled": true}})"));
    replace('a');
  }
  void replace(char letter) {
    ok(mongo().replace(database(), collection_, R"({"_id": 0})",
                       R"({"x": ")" + std::string(9 << 20, letter) + R"("})", true));
  }
};

TEST_F(LargeEventTest, IsSplitAndPutTogether) {
  if (!set().at_least(7, 0)) GTEST_SKIP() << "splitting needs MongoDB 6.0.9 or 7.0";
  auto stream = open_source({{"full_document_before_change", "required"}});
  insert(1);
  replace('b');
  insert(2);
  const Seen seen = read(*stream, 3);
  ASSERT_THAT(seen.ops(), ElementsAre("insert", "replace", "insert"));
  const Event& large = seen.events[1];
  EXPECT_TRUE(large.reject_reason.empty());
  EXPECT_EQ(large.after.find("x")->string().size(), size_t{9 << 20});
  EXPECT_EQ(large.before.find("x")->string()[0], 'a');
  EXPECT_FALSE(large.raw.find("splitEvent"));
  // Behind the whole event, not inside it.
  ASSERT_TRUE(stream->open(Position(large.raw.find("_id")->document()), {}));
  EXPECT_THAT(read(*stream, 1).ops(), ElementsAre("insert"));
}

TEST_F(LargeEventTest, IsRejectedAloneWhereItMayNotBeSplit) {
  auto stream = open_source({{"full_document_before_change", "required"}, {"split_large_events", "off"}});
  insert(1);
  replace('b');
  insert(2);
  const Seen seen = read(*stream, 3);
  ASSERT_THAT(seen.ops(), ElementsAre("insert", "replace", "insert"));
  EXPECT_TRUE(seen.events[0].reject_reason.empty());
  EXPECT_FALSE(seen.events[1].reject_reason.empty());
  EXPECT_EQ(seen.events[1].key, json(R"({"_id": 0})").view());
  EXPECT_TRUE(seen.events[2].reject_reason.empty());
}

// A document that a collection may hold, and whose event no answer can.
class TooLargeEventTest : public StreamTest {
 protected:
  // {_id: id, s: "xxx..."} of 16 MiB less `spare` bytes, then an event that is like any other.
  void write(const std::string& id, size_t spare) {
    bson::Builder document;
    document.append("_id", id);
    document.append("s", std::string((16 << 20) - spare - id.size(), 'x'));
    ok(mongo().insert(database(), collection_, document.view()));
    insert(2);
  }
  void expect_one_reject(Fields fields, const std::string& id, size_t spare) {
    auto stream = open_source(std::move(fields));
    write(id, spare);
    const Seen seen = read(*stream, 2);
    ASSERT_EQ(seen.events.size(), 2u);
    EXPECT_EQ(seen.events[0].key.find("_id")->string(), id);
    EXPECT_FALSE(seen.events[0].reject_reason.empty());
    EXPECT_EQ(seen.events[1].key, json(R"({"_id": 2})").view());
    EXPECT_TRUE(seen.events[1].reject_reason.empty());
    EXPECT_EQ(seen.resume_after.empty(), false);
  }
};

TEST_F(TooLargeEventTest, IsOneRejectWithTheDefaultSplitting) { expect_one_reject({}, "1", 300); }

// A server may send a little more than 16 MiB in one piece.
TEST_F(TooLargeEventTest, IsCarriedWholeOrRejectedWithoutSplitting) {
  auto stream = open_source({{"split_large_events", "off"}});
  write("1", 300);
  const Seen seen = read(*stream, 2);
  ASSERT_EQ(seen.events.size(), 2u);
  const Event& large = seen.events[0];
  EXPECT_EQ(large.key.find("_id")->string(), "1");
  if (large.reject_reason.empty()) {
    EXPECT_EQ(large.after.find("s")->string().size(), size_t{(16 << 20) - 301});
  }
  EXPECT_EQ(seen.events[1].key, json(R"({"_id": 2})").view());
}

TEST_F(TooLargeEventTest, IsOneRejectWithALongId) { expect_one_reject({}, std::string(2000, 'i'), 5000); }

TEST_F(SourceTest, ADocumentThatTheFilterCannotTakeIsOneReject) {
  struct Case {
    const char* filter;
    const char* good;
    const char* bad;
  };
  for (const Case& each :
       {Case{R"([{"$set": {"fullDocument.n": {"$toInt": "$fullDocument.s"}}}])", R"("s": "7")",
             R"("s": "abc")"},
        Case{R"([{"$set": {"fullDocument.n": {"$divide": [1, "$fullDocument.s"]}}}])", R"("s": 2)",
             R"("s": 0)"},
        Case{R"([{"$match": {"$expr": {"$gt": [{"$toInt": "$fullDocument.s"}, 5]}}}])", R"("s": "7")",
             R"("s": "abc")"},
        Case{R"([{"$set": {"fullDocument.n": {"$size": "$fullDocument.s"}}}])", R"("s": [])", R"("s": 1)"}}) {
    SCOPED_TRACE(each.filter);
    auto stream = open_source({{"filter", each.filter}});
    static int id = 100;
    for (const char* fields : {each.good, each.bad, each.bad, each.good})
      ok(mongo().insert(database(), collection_, "{\"_id\": " + std::to_string(++id) + ", " + fields + "}"));
    const Seen seen = read(*stream, 4);
    ASSERT_EQ(seen.events.size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(*seen.events[i].key.find("_id")->integer(), id - 3 + static_cast<int>(i));
      EXPECT_EQ(seen.events[i].reject_reason.empty(), i == 0 || i == 3) << seen.events[i].reject_reason;
    }
    EXPECT_THAT(seen.events[1].reject_reason, ::testing::HasSubstr("filter"));
    stream->close();
  }
}

TEST_F(SourceTest, ATimeAheadOfTheDeploymentIsRefused) {
  const auto stream = source();
  const auto health = stream->health({});
  ASSERT_TRUE(health) << health.error().describe();
  const auto ahead = stream->resolve({StartPoint::Kind::kTime, {health->clock.seconds + 3600, 1}, ""}, {});
  ASSERT_FALSE(ahead);
  EXPECT_EQ(ahead.error().react, React::kConfig);
  EXPECT_THAT(ahead.error().what, ::testing::HasSubstr("ahead"));
}

TEST_F(SourceTest, TheRehearsalSaysWhatIsWrongWithAFilter) {
  for (const char* filter : {R"([{"$match": {"$nonsense": 1}}])", R"([{"$match": {"a": {"$gth": 1}}}])",
                             R"([{"$set": {"fullDocument.n": {"$toInteger": "$fullDocument.s"}}}])",
                             R"([{"$set": {"fullDocument.n": {"$divide": [1, 2, 3]}}}])"}) {
    const auto notes = source({{"filter", filter}})->rehearse({});
    ASSERT_FALSE(notes) << filter;
    EXPECT_EQ(notes.error().react, React::kConfig) << notes.error().describe();
  }
  EXPECT_TRUE(source()->rehearse({}));
}

}  // namespace
}  // namespace tidemark::testing
