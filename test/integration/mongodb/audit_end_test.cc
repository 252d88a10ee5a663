// The end that audits MongoDB through the suite that every one passes, and what is its own.
#include "conformance/audit_end_contract.h"
#include "integration/mongodb/fixture.h"
#include "sinks/mongodb/component.h"

namespace tidemark::testing {
namespace {

struct MongodbAudit : Deployment {
  config::Settings settings(const std::string& mode = "current", const std::string& uri = {}) const {
    config::Settings settings = sink_settings(mode, uri);
    settings.set("collection", std::string("{collection}"));
    return settings;
  }
  std::shared_ptr<Sink> make_sink() { return mongodb_sink_component().plain(settings(), context()).value(); }
  std::unique_ptr<AuditEnd> make_end() {
    return mongodb_sink_component().audit(settings(), context()).value();
  }
  std::unique_ptr<AuditEnd> make_end_away() {
    const std::string nobody = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200";
    return mongodb_sink_component().audit(settings("current", nobody), context()).value();
  }
  Result<std::unique_ptr<AuditEnd>> make_end_of_events() {
    return mongodb_sink_component().audit(settings("insert"), context());
  }
  void twist(const std::string& id) {
    EXPECT_TRUE(mongo().update(database(), "orders", R"({"_id":)" + id + "}",
                               R"({"$set":{"n":{"$numberLong":"1"}}})"));
  }
  bool put_text(const std::string&, const std::string&) { return false; }
  bool put_other_shape(const std::string&) { return false; }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Mongodb, AuditEndContract, MongodbAudit);

class MongodbAuditEnd : public AuditEndContract<MongodbAudit> {
 protected:
  static Result<AuditPage> page(AuditEnd& end, const std::string& last, size_t limit,
                                std::vector<std::string>& ids) {
    return end.scan({"shop", "orders"}, {}, last, limit,
                    [&](const AuditRow& row) -> Status {
                      ids.push_back(row.id);
                      return {};
                    },
                    {});
  }
};

TEST_F(MongodbAuditEnd, TheGuardIsNoPartOfADocumentAndACopyWithoutItIsEqual) {
  write(audited_documents());
  ASSERT_TRUE(harness.mongo().update(harness.database(), "orders", "{}", R"({"$unset":{"_tidemark":""}})"));
  auto end = opened();
  EXPECT_EQ(map_of(scan(*end)), expected);
}

TEST_F(MongodbAuditEnd, ANameThatTheServerRefusesIsLeftOutAloneAndEndsNoAudit) {
  config::Settings settings = harness.settings();
  settings.set("collection", std::string(250, 'x') + "{collection}");
  auto end = mongodb_sink_component().audit(settings, harness.context()).value();
  ASSERT_TRUE(end->open({}));
  const auto page = end->scan({"shop", "orders"}, {}, "", 10, [](const AuditRow&) { return Status(); }, {});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().react, React::kReject) << page.error().describe();
}

TEST_F(MongodbAuditEnd, FieldsInAnotherOrderAreAnotherDocument) {
  write({doc(R"({"_id":1,"a":1,"b":2})")});
  ASSERT_TRUE(
      harness.mongo().replace(harness.database(), "orders", R"({"_id":1})", R"({"_id":1,"b":2,"a":1})"));
  auto end = opened();
  EXPECT_NE(map_of(scan(*end)), expected);
}

TEST_F(MongodbAuditEnd, ADocumentWithTheGuardsFieldIsExpectedNowhere) {
  write({doc(R"({"_id":1,"_tidemark":"mine"})"), doc(R"({"_id":2})")});
  EXPECT_EQ(expected.size(), 1u);
  auto end = opened();
  EXPECT_EQ(map_of(scan(*end)), expected);
}

TEST_F(MongodbAuditEnd, ACursorThatIsGoneIsReplacedByOneAtTheSamePlace) {
  write(audited_documents());
  auto end = opened();
  const auto whole = ids_of(scan(*end));
  std::vector<std::string> ids;
  auto read = page(*end, "", 2, ids);
  for (const int code : {43, 237, 11600, 189}) {
    ASSERT_TRUE(read) << read.error().describe();
    // The rest of the batch is there already; the next one is asked for in vain.
    ASSERT_TRUE(harness.fail_commands(R"(["getMore"])", code));
    for (int pages = 0; pages < 2 && read && !read->done; ++pages) read = page(*end, read->last_id, 2, ids);
  }
  while (read && !read->done) read = page(*end, read->last_id, 2, ids);
  ASSERT_TRUE(read) << read.error().describe();
  EXPECT_EQ(ids, whole);
}

TEST_F(MongodbAuditEnd, AScanGoesOnAfterAStepDownAndAfterADocumentThatIsGone) {
  write(audited_documents());
  auto end = opened();
  const auto whole = ids_of(scan(*end));
  std::vector<std::string> ids;
  auto read = page(*end, "", 4, ids);
  ASSERT_TRUE(read) << read.error().describe();
  ASSERT_TRUE(harness.mongo().remove(harness.database(), "orders", R"({"_id":)" + read->last_id + "}"));
  harness.step_down();
  for (int tries = 0; tries < 100 && !(read && read->done); ++tries) {
    const std::string last = ids.back();
    auto next = page(*end, last, 4, ids);
    if (!next) {
      EXPECT_EQ(next.error().react, React::kRetry) << next.error().describe();
    }
    if (next) read = std::move(next);
  }
  EXPECT_EQ(ids, whole);
}

TEST_F(MongodbAuditEnd, AServerThatTakesTooLongToCountIsNotWaitedFor) {
  write(audited_documents());
  auto end = opened();
  const AuditBuckets buckets{"created_at", 1000};
  const auto counts = end->counts(orders, buckets, {});
  ASSERT_TRUE(counts);
  ASSERT_TRUE(harness.fail_commands(R"(["aggregate"])", 50, 2));
  const auto streamed = end->counts(orders, buckets, {});
  ASSERT_TRUE(streamed) << streamed.error().describe();
  EXPECT_EQ(*streamed, *counts);
  (void)harness.mongo().run("admin", R"({"configureFailPoint":"failCommand","mode":"off"})");
}

TEST_F(MongodbAuditEnd, AVisitorThatFailsEndsThePage) {
  write(audited_documents());
  auto end = opened();
  const auto page = end->scan(orders, {}, "", 10,
                              [](const AuditRow&) { return Status(fail(React::kFatal, "enough")); }, {});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().what, "enough");
  EXPECT_EQ(map_of(scan(*end)), expected);
}

}  // namespace
}  // namespace tidemark::testing
