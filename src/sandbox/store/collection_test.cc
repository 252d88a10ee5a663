#include "sandbox/store/collection.h"

#include <gtest/gtest.h>

#include "sandbox/store/catalog.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/testing/documents.h"

namespace tidemark::sandbox {
namespace {

Collection make() { return Collection("truth", "a", Uuid{1}, parse("{}")); }

bson::Matcher filter(std::string_view text) {
  auto matcher = parse_filter(parse(text));
  EXPECT_TRUE(matcher) << text;
  return *matcher;
}

std::string found(const Collection& collection, std::string_view query, FindOptions options = {}) {
  const auto documents = collection.find(filter(query), options);
  EXPECT_TRUE(documents);
  std::string ids;
  for (const bson::Document& document : *documents)
    ids += std::to_string(document.view().find("_id")->integer().value_or(-1)) + " ";
  return ids;
}

bson::Element id_of(const bson::Document& document) { return *document.view().find("_id"); }

TEST(Collection, KeepsNaturalOrderAndFindsById) {
  Collection collection = make();
  for (const char* text : {R"({"_id":3})", R"({"_id":1})", R"({"_id":2})"})
    ASSERT_TRUE(collection.insert(parse(text)));
  EXPECT_EQ(found(collection, "{}"), "3 1 2 ");
  EXPECT_EQ(found(collection, R"({"_id":1.0})"), "1 ");
  EXPECT_EQ(found(collection, R"({"_id":{"$in":[3,2,9,3]}})"), "2 3 ");
  EXPECT_EQ(found(collection, R"({"_id":{"$gt":1}})"), "2 3 ");
  EXPECT_EQ(found(collection, R"({"_id":{"$gt":1,"$lte":2}})"), "2 ");
  EXPECT_EQ(found(collection, R"({"$and":[{"_id":{"$gte":3}}]})"), "3 ");
  const auto descending = SortOrder::parse(parse(R"({"_id":-1})"));
  EXPECT_EQ(found(collection, "{}", {&*descending, 1, 1}), "2 ");
  EXPECT_EQ(collection.count(), 3U);
}

TEST(Collection, RefusesADuplicateIdAsTheServerDoes) {
  Collection collection = make();
  ASSERT_TRUE(collection.insert(parse(R"({"_id":1,"x":1})")));
  const auto again = collection.insert(parse(R"({"_id":1.0})"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, 11000);
  EXPECT_EQ(again.error().message,
            "E11000 duplicate key error collection: truth.a index: _id_ dup key: { _id: 1.0 }");
  EXPECT_EQ(json(again.error().extra.view()), normal(R"({"keyPattern":{"_id":1},"keyValue":{"_id":1.0}})"));
  EXPECT_EQ(collection.count(), 1U);
}

TEST(Collection, EnforcesUniqueIndexesOnEveryWrite) {
  Collection collection = make();
  ASSERT_TRUE(collection.create_index(parse(R"({"key":{"k":1},"name":"k_1","unique":true,"sparse":true})")));
  ASSERT_TRUE(collection.insert(parse(R"({"_id":50,"k":1})")));
  ASSERT_TRUE(collection.insert(parse(R"({"_id":52})")));
  ASSERT_TRUE(collection.insert(parse(R"({"_id":53})")));
  const auto refused = collection.insert(parse(R"({"_id":51,"k":1})"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "E11000 duplicate key error collection: truth.a index: k_1 dup key: { k: 1 }");
  const bson::Document other = parse(R"({"_id":52,"k":[2,1]})");
  EXPECT_EQ(code_of(collection.replace(id_of(other), other)), 11000);
  EXPECT_TRUE(collection.replace(id_of(other), parse(R"({"_id":52,"k":[2,2]})")));
  EXPECT_TRUE(collection.remove(id_of(other)));
  EXPECT_TRUE(collection.insert(parse(R"({"_id":54,"k":2})")));
  EXPECT_EQ(found(collection, R"({"k":2})"), "54 ");
}

TEST(Collection, FindsThroughAnIndexWhatAScanFinds) {
  Collection plain = make();
  Collection indexed = make();
  ASSERT_TRUE(indexed.create_index(parse(R"({"key":{"k":1,"z":-1},"name":"k_1_z_-1"})")));
  for (int i = 0; i < 60; ++i) {
    const std::string k = i % 7 == 0   ? "null"
                          : i % 5 == 0 ? "[" + std::to_string(i % 9) + ",3]"
                                       : std::to_string(i % 9);
    const std::string text = "{\"_id\":" + std::to_string(i) + (i % 11 == 0 ? "" : ",\"k\":" + k) + "}";
    ASSERT_TRUE(plain.insert(parse(text)));
    ASSERT_TRUE(indexed.insert(parse(text)));
  }
  for (const char* query :
       {R"({"k":3})", R"({"k":null})", R"({"k":{"$gt":6}})", R"({"k":{"$gte":2,"$lt":4}})",
        R"({"k":{"$in":[1,8]}})", R"({"k":{"$in":[1,null]}})", R"({"k":{"$ne":3}})", R"({"k":[0,3]})",
        R"({"k":{"$gt":5,"$lt":3}})"})
    EXPECT_EQ(found(indexed, query), found(plain, query)) << query;
}

TEST(Collection, ReplacesInPlaceAndRemoves) {
  Collection collection = make();
  for (const char* text : {R"({"_id":1,"v":1})", R"({"_id":2,"v":1})"})
    ASSERT_TRUE(collection.insert(parse(text)));
  const bson::Document changed = parse(R"({"_id":1,"v":2})");
  ASSERT_TRUE(collection.replace(id_of(changed), changed));
  EXPECT_EQ(json(*collection.find(filter("{}"))),
            json(changed.view()) + "\n" + normal(R"({"_id":2,"v":1})") + "\n");
  const auto removed = collection.remove(id_of(changed));
  ASSERT_TRUE(removed);
  EXPECT_EQ(json(removed->view()), json(changed.view()));
  EXPECT_FALSE(collection.remove(id_of(changed)));
  EXPECT_FALSE(collection.find_id(id_of(changed)));
  EXPECT_EQ(code_of(collection.replace(id_of(changed), changed)), kNoMatchingDocument);
}

TEST(Collection, EvictsTheOldestWhenCapped) {
  Collection collection("truth", "c", Uuid{2},
                        *check_collection_options(parse(R"({"capped":true,"size":4096,"max":2})")));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(collection.insert(parse("{\"_id\":" + std::to_string(i) + "}")));
  EXPECT_EQ(found(collection, "{}"), "3 4 ");
}

TEST(Collection, ListsAndDropsIndexes) {
  Collection collection = make();
  const auto spec = parse(R"({"key":{"k":1},"name":"k_1","unique":true,"sparse":true})");
  EXPECT_TRUE(*collection.create_index(spec));
  EXPECT_FALSE(*collection.create_index(spec));
  EXPECT_EQ(json(collection.list_indexes()),
            normal(R"({"v":2,"key":{"_id":1},"name":"_id_"})") + "\n" +
                normal(R"({"v":2,"key":{"k":1},"name":"k_1","unique":true,"sparse":true})") + "\n");
  EXPECT_EQ(code_of(collection.create_index(parse(R"({"key":{"z":1},"name":"k_1"})"))), 86);
  EXPECT_EQ(code_of(collection.create_index(parse(R"({"key":{"k":1},"name":"other","unique":true})"))), 85);
  EXPECT_EQ(code_of(collection.create_index(parse(R"({"key":{"k":"text"},"name":"t"})"))), kNotImplemented);
  EXPECT_EQ(code_of(collection.create_index(parse(R"({"key":{},"name":"t"})"))), 67);
  EXPECT_EQ(code_of(collection.drop_index("nope")), 27);
  EXPECT_EQ(code_of(collection.drop_index("_id_")), 72);
  EXPECT_TRUE(collection.drop_index("k_1"));
  EXPECT_EQ(collection.index_count(), 1U);
}

TEST(Collection, ValidatesWhenAsked) {
  Collection collection("truth", "v", Uuid{3},
                        *check_collection_options(parse(R"({"validator":{"a":{"$gt":0}}})")));
  EXPECT_TRUE(collection.validate(parse(R"({"_id":1,"a":1})")));
  EXPECT_EQ(code_of(collection.validate(parse(R"({"_id":1,"a":0})"))), 121);
}

TEST(PrepareInsert, PutsTheIdFirstAndRefusesWhatCannotBeOne) {
  const auto new_id = [] { return bson_oid_t{}; };
  EXPECT_EQ(json(prepare_insert(parse(R"({"a":1,"_id":2})"), new_id)->view()), normal(R"({"_id":2,"a":1})"));
  EXPECT_EQ(json(prepare_insert(parse(R"({"a":1})"), new_id)->view()),
            normal(R"({"_id":{"$oid":"000000000000000000000000"},"a":1})"));
  const auto array = prepare_insert(parse(R"({"_id":[1]})"), new_id);
  ASSERT_FALSE(array);
  EXPECT_EQ(array.error().code, 2);
  EXPECT_EQ(array.error().message, "can't use an array for _id");
}

TEST(Catalog, CreatesRenamesAndDrops) {
  Catalog catalog;
  ASSERT_TRUE(catalog.create("truth", "a", Uuid{1}));
  ASSERT_TRUE(catalog.create("truth", "b", Uuid{2}));
  EXPECT_EQ(code_of(catalog.create("truth", "a", Uuid{3})), 48);
  const auto bad = catalog.create("truth", "", Uuid{3});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "Invalid namespace specified 'truth.'");
  EXPECT_EQ(code_of(catalog.create("truth", "v", Uuid{4}, parse(R"({"clusteredIndex":{}})"))),
            kNotImplemented);
  EXPECT_EQ(code_of(catalog.rename("truth", "a", "truth", "b", false)), 48);
  ASSERT_TRUE(catalog.rename("truth", "a", "other", "c", false));
  EXPECT_EQ(catalog.find(Uuid{1})->ns(), "other.c");
  EXPECT_EQ(catalog.find("truth", "a"), nullptr);
  ASSERT_TRUE(catalog.rename("truth", "b", "other", "c", true));
  EXPECT_EQ(catalog.find(Uuid{1}), nullptr);
  EXPECT_EQ(catalog.databases(), std::vector<std::string>{"other"});
  EXPECT_EQ(code_of(catalog.drop("truth", "nothere")), 26);
  catalog.drop_database("other");
  EXPECT_TRUE(catalog.databases().empty());
}

TEST(Catalog, CopiesShareDocumentsAndNothingElse) {
  Catalog catalog;
  Collection* collection = *catalog.create("truth", "a", Uuid{1});
  ASSERT_TRUE(collection->insert(parse(R"({"_id":1})")));
  Catalog copy = catalog;
  ASSERT_TRUE(collection->insert(parse(R"({"_id":2})")));
  EXPECT_EQ(copy.find("truth", "a")->count(), 1U);
  EXPECT_EQ(copy.find("truth", "a")->all()[0].view().data(), collection->all()[0].view().data());
}

}  // namespace
}  // namespace tidemark::sandbox
