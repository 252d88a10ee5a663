#include <gtest/gtest.h>

#include "sources/mongodb/component.h"

namespace tidemark {
namespace {

Result<std::unique_ptr<AuditSource>> make(const std::string& filter, const std::string& database = "shop",
                                          const std::string& collection = "orders",
                                          const std::string& uri = "mongodb://127.0.0.1:1/") {
  config::Settings settings;
  settings.set_where("test.toml:1:1, pipeline.source");
  settings.set("uri", uri);
  settings.set("database", database);
  settings.set("collection", collection);
  settings.set("filter", filter);
  return mongodb_source_component().audit(settings, {});
}

TEST(MongodbAuditSource, SaysWhatItReads) {
  EXPECT_EQ((*make(""))->describe(), "mongodb shop.orders");
  EXPECT_EQ((*make("", "shop", ""))->describe(), "mongodb shop");
  EXPECT_EQ((*make("", "", ""))->describe(), "mongodb the whole deployment");
}

TEST(MongodbAuditSource, TakesFiltersThatOnlyChooseCollectionsOrRemoveWhatMakesNoRow) {
  for (
      const char* filter :
      {"", "[]", R"([{"$match":{"operationType":{"$in":["insert","update","replace","delete"]}}}])",
       R"([{"$match":{"$or":[{"ns.coll":"orders"},{"ns.coll":{"$regex":"^x"}}],"ns.db":{"$ne":"y"}}}])",
       R"([{"$match":{}},{"$unset":["updateDescription","lsid"]},{"$unset":"txnNumber"},{"$project":{"wallTime":0}}])"}) {
    const auto made = make(filter);
    EXPECT_TRUE(made) << filter << ": " << made.error().describe();
  }
}

TEST(MongodbAuditSource, RefusesFiltersThatNoDocumentTells) {
  for (const char* filter :
       {R"([{"$match":{"fullDocument.total":{"$gt":5}}}])",
        R"([{"$match":{"$or":[{"ns.coll":"a"},{"documentKey._id":1}]}}])",
        R"([{"$match":{"$expr":{"$eq":["$operationType","insert"]}}}])",
        R"([{"$unset":"fullDocument.secret"}])", R"([{"$project":{"fullDocument.secret":0}}])",
        R"([{"$set":{"x":1}}])", R"([{"$redact":"$$KEEP"}])"}) {
    const auto made = make(filter);
    ASSERT_FALSE(made) << filter;
    EXPECT_EQ(made.error().react, React::kConfig);
    EXPECT_NE(made.error().what.find("pipeline.source.filter"), std::string::npos) << made.error().what;
  }
}

TEST(MongodbAuditSource, RefusesWhatTheSourceRefuses) {
  for (const auto& made : {make("{}"), make("", "", "orders"), make("", "shop", "orders", "http://x")}) {
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().react, React::kConfig) << made.error().describe();
  }
}

}  // namespace
}  // namespace tidemark
