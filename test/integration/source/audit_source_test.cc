// What an audit reads of the source, on a live replica set.
#include "bson/json.h"
#include "integration/source/stream_fixture.h"
#include "sources/mongodb/component.h"

namespace tidemark::testing {
namespace {

class MongodbAudit : public StreamTest {
 protected:
  std::unique_ptr<AuditSource> audit(const std::string& database, const std::string& collection,
                                     const std::string& filter = {}) {
    config::Settings settings;
    settings.set_where("test.toml:1:1, pipeline.source");
    settings.set("uri", set().uri());
    settings.set("database", database);
    settings.set("collection", collection);
    settings.set("filter", filter);
    auto made = mongodb_source_component().audit(settings, {});
    EXPECT_TRUE(made) << made.error().describe();
    ok((*made)->open({}));
    return std::move(*made);
  }
  std::unique_ptr<AuditSource> audit() { return audit(database(), collection_); }
  CollectionName name() const { return {database(), collection_}; }

  static std::vector<std::string> names(AuditSource& source) {
    auto found = source.collections({});
    EXPECT_TRUE(found) << found.error().describe();
    std::vector<std::string> texts;
    if (found)
      for (const CollectionName& each : *found) texts.push_back(each.text());
    return texts;
  }
  static AuditSource::Visit into(std::vector<std::string>& documents) {
    return [&documents](bson::View document) -> Status {
      documents.push_back(bson::to_json(document));
      return {};
    };
  }
  static AuditId id_of(const std::string& text) {
    AuditId id{text, {}};
    append_key(*json("{\"_id\":" + text + "}").view().find("_id"), id.key);
    return id;
  }
  std::vector<std::string> scan(AuditSource& source, size_t limit) {
    std::vector<std::string> documents;
    std::string last;
    for (bool done = false; !done;) {
      auto page = source.scan(name(), last, limit, into(documents), {});
      EXPECT_TRUE(page) << page.error().describe();
      if (!page) break;
      last = page->last_id;
      done = page->done;
    }
    return documents;
  }
  // The same collection with ids of every kind, in the server's order.
  void fill() {
    for (const char* id : {R"({"$numberInt":"7"})", R"("b")", R"({"$numberDouble":"2.5"})", "true",
                           R"({"a":{"$numberInt":"1"}})", R"({"$oid":"6553f1000000000000000001"})", R"("a")",
                           R"({"$date":{"$numberLong":"-1"}})"})
      ok(mongo().insert(database(), collection_,
                        std::string(R"({"_id":)") + id + R"(,"x":{"$numberInt":"1"}})"));
  }
};

TEST_F(MongodbAudit, CollectionsAreThoseThatTheSourceWatches) {
  const std::string other = database() + "_other";
  ok(mongo().insert(database(), collection_ + "x", R"({"_id":1})"));
  ok(mongo().insert(other, "y", R"({"_id":1})"));
  if (!set().is_sandbox())
    ok(mongo().run(database(), R"({"create":"a_view","viewOn":")" + collection_ + R"(","pipeline":[]})"));
  EXPECT_EQ(names(*audit()), std::vector<std::string>{name().text()});
  // Dropped, or not there yet: rows may have been left behind.
  EXPECT_EQ(names(*audit(database(), "nothing")), std::vector<std::string>{database() + ".nothing"});
  const auto of_database = names(*audit(database(), ""));
  EXPECT_EQ(std::count(of_database.begin(), of_database.end(), name().text()), 1);
  EXPECT_EQ(std::count(of_database.begin(), of_database.end(), name().text() + "x"), 1);
  EXPECT_TRUE(std::is_sorted(of_database.begin(), of_database.end()));
  for (const std::string& each : of_database) {
    EXPECT_TRUE(each.starts_with(database() + ".")) << each;
    EXPECT_EQ(each.find("view"), std::string::npos);
    EXPECT_EQ(each.find(".system."), std::string::npos);
  }
  const auto of_all = names(*audit("", ""));
  EXPECT_EQ(std::count(of_all.begin(), of_all.end(), other + ".y"), 1);
  EXPECT_EQ(std::count(of_all.begin(), of_all.end(), name().text()), 1);
  for (const std::string& each : of_all)
    for (const char* own : {"admin.", "local.", "config."}) EXPECT_FALSE(each.starts_with(own)) << each;
  ok(mongo().drop(other, "y"));
}

TEST_F(MongodbAudit, AFilterOfNamespacesChoosesCollections) {
  ok(mongo().insert(database(), collection_ + "x", R"({"_id":1})"));
  EXPECT_EQ(names(*audit(database(), "", R"([{"$match":{"ns.coll":")" + collection_ + R"("}}])")),
            std::vector<std::string>{name().text()});
  auto partly = audit(database(), collection_, R"([{"$match":{"operationType":{"$ne":"delete"}}}])");
  const auto refused = partly->collections({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kConfig);
  EXPECT_NE(refused.error().what.find("some kinds of changes"), std::string::npos);
}

TEST_F(MongodbAudit, PagesAreOneScanInTheOrderOfTheIndexWhoeverReadsThem) {
  fill();
  auto source = audit();
  const auto whole = scan(*source, 1000);
  ASSERT_EQ(whole.size(), 9u);
  EXPECT_EQ(whole.front(), R"({"_id":{"$numberInt":"0"}})");
  EXPECT_EQ(whole.back(), R"({"_id":{"$date":{"$numberLong":"-1"}},"x":{"$numberInt":"1"}})");
  for (const size_t limit : {1u, 2u, 5u}) EXPECT_EQ(scan(*source, limit), whole);
  std::vector<std::string> documents;
  std::string last;
  for (bool done = false; !done;) {
    auto page = audit()->scan(name(), last, 2, into(documents), {});
    ASSERT_TRUE(page) << page.error().describe();
    last = page->last_id;
    done = page->done;
    ASSERT_LE(documents.size(), whole.size());
  }
  EXPECT_EQ(documents, whole);
}

TEST_F(MongodbAudit, WhatIsWrittenBehindAScanIsSeenByIt) {
  auto source = audit();
  for (int id = 1; id <= 5; ++id) insert(id);
  std::vector<std::string> documents;
  auto page = source->scan(name(), "", 2, into(documents), {});
  ASSERT_TRUE(page);
  source->close();
  insert(6);
  ok(mongo().remove(database(), collection_, R"({"_id":1})"));
  while (page && !page->done) page = source->scan(name(), page->last_id, 2, into(documents), {});
  ASSERT_TRUE(page) << page.error().describe();
  EXPECT_EQ(documents.size(), 7u);
  EXPECT_EQ(documents.back(), R"({"_id":{"$numberInt":"6"}})");
}

TEST_F(MongodbAudit, ALookupTellsATimeThatCoversWhatItReadAndNothingWrittenLater) {
  fill();
  auto source = audit();
  auto events = open_source();
  const std::vector<AuditId> ids = {id_of(R"({"$numberInt":"0"})"),
                                    id_of(R"({"$numberLong":"7"})"),
                                    id_of(R"("a")"),
                                    id_of(R"("none")"),
                                    {"no id", ""}};
  for (int round = 1; round <= 5; ++round) {
    const std::string document = R"({"_id":"a","round":{"$numberInt":")" + std::to_string(round) + "\"}}";
    ok(mongo().replace(database(), collection_, R"({"_id":"a"})", document));
    std::vector<std::string> documents;
    const auto at = source->lookup(name(), ids, into(documents), {});
    ASSERT_TRUE(at) << at.error().describe();
    ok(mongo().insert(database(), collection_, R"({"_id":"after )" + std::to_string(round) + "\"}"));
    std::sort(documents.begin(), documents.end());
    EXPECT_EQ(documents, (std::vector<std::string>{document, R"({"_id":{"$numberInt":"0"}})"}));
    const Seen seen = read(*events, 2);
    ASSERT_EQ(seen.events.size(), 2u);
    EXPECT_LE(seen.events[0].cluster_time, *at);
    EXPECT_GT(seen.events[1].cluster_time, *at);
  }
}

TEST_F(MongodbAudit, ACappedCollectionIsKnownForOne) {
  ok(mongo().insert(database(), "log", R"({"_id":1})"));
  ok(mongo().run(database(), R"({"convertToCapped":"log","size":4096})"));
  insert(1);
  auto source = audit(database(), "");
  const auto found = source->collections({});
  ASSERT_TRUE(found) << found.error().describe();
  EXPECT_THAT(*found, ::testing::IsSupersetOf({CollectionName{database(), "log"}, name()}));
  EXPECT_TRUE(source->forgets({database(), "log"}));
  EXPECT_FALSE(source->forgets(name()));
}

TEST_F(MongodbAudit, ALookupOfNothingTellsTheTime) {
  auto source = audit();
  auto events = open_source();
  insert(1);
  const auto at = source->lookup(name(), {}, [](bson::View) { return Status(); }, {});
  ASSERT_TRUE(at) << at.error().describe();
  const Seen seen = read(*events, 1);
  ASSERT_EQ(seen.events.size(), 1u);
  EXPECT_LE(seen.events[0].cluster_time, *at);
}

TEST_F(MongodbAudit, ManyIdsAreLookedUpInPortions) {
  std::vector<bson::Document> documents;
  std::vector<AuditId> ids;
  for (int id = 1; id <= 2'500; ++id) {
    documents.push_back(json(R"({"_id":)" + std::to_string(id) + "}"));
    ids.push_back(id_of(R"({"$numberInt":")" + std::to_string(id) + "\"}"));
  }
  ok(mongo().insert_many(database(), collection_, documents));
  std::vector<std::string> found;
  const auto at = audit()->lookup(name(), ids, into(found), {});
  ASSERT_TRUE(at) << at.error().describe();
  EXPECT_EQ(found.size(), 2'500u);
}

TEST_F(MongodbAudit, TheTimeOfALookupCoversWhatWasWrittenWhileItRan) {
  std::vector<bson::Document> documents;
  std::vector<AuditId> ids;
  for (int id = 1; id <= 1'500; ++id) {
    documents.push_back(json(R"({"_id":)" + std::to_string(id) + "}"));
    ids.push_back(id_of(R"({"$numberInt":")" + std::to_string(id) + "\"}"));
  }
  ok(mongo().insert_many(database(), collection_, documents));
  auto events = open_source();
  std::vector<std::string> found;
  const auto write_once = [&](bson::View document) -> Status {
    if (found.empty())
      ok(mongo().replace(database(), collection_, R"({"_id":1500})", R"({"_id":1500,"x":"new"})"));
    return into(found)(document);
  };
  const auto at = audit()->lookup(name(), ids, write_once, {});
  ASSERT_TRUE(at) << at.error().describe();
  ASSERT_EQ(found.size(), 1'500u);
  ASSERT_EQ(std::count(found.begin(), found.end(), R"({"_id":{"$numberInt":"1500"},"x":"new"})"), 1);
  const Seen seen = read(*events, 1);
  ASSERT_EQ(seen.events.size(), 1u);
  EXPECT_LE(seen.events[0].cluster_time, *at);
}

TEST_F(MongodbAudit, TheServerCountsByTimeAsAScanDoes) {
  for (const char* at : {R"({"$date":{"$numberLong":"-1"}})", R"({"$date":{"$numberLong":"0"}})",
                         R"({"$date":{"$numberLong":"-9223372036854775807"}})",
                         R"({"$oid":"f553f1000000000000000001"})", R"("text")", "null", "[]"})
    ok(mongo().insert(database(), collection_, std::string(R"({"a":{"at":)") + at + "}}"));
  auto source = audit();
  const AuditBuckets buckets{"a.at", 3'600'000};
  const std::map<std::optional<int64_t>, uint64_t> wanted = {{std::nullopt, 4},
                                                             {INT64_MIN, 1},
                                                             {-3'600'000, 1},
                                                             {0, 1},
                                                             {bucket_of(0xf553f100ll * 1000, buckets), 1}};
  auto counts = source->counts(name(), buckets, {});
  ASSERT_TRUE(counts) << counts.error().describe();
  EXPECT_EQ(*counts, wanted);
  // A timestamp is no date to some servers: then all of it is read here.
  ok(mongo().insert(database(), collection_, R"({"a":{"at":{"$timestamp":{"t":3600,"i":1}}}})"));
  counts = source->counts(name(), buckets, {});
  ASSERT_TRUE(counts) << counts.error().describe();
  auto more = wanted;
  more[3'600'000] = 1;
  EXPECT_EQ(*counts, more);
  EXPECT_TRUE(source->counts({database(), "nothing"}, buckets, {})->empty());
}

}  // namespace
}  // namespace tidemark::testing
