#include "sandbox/store/update.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/compare.h"
#include "bson/testing/arbitrary_bson.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/testing/documents.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

struct Given {
  std::string update;
  std::string filters = {};
  std::string query = {};
  bool insert = false;
  ServerVersion version = {};
};

Reply<UpdateResult> apply(std::string_view before, const Given& given) {
  const bson::Document u = parse("{\"u\":" + given.update + "}");
  const bson::Document filters =
      given.filters.empty() ? bson::Document() : parse("{\"f\":" + given.filters + "}");
  PipelineContext context;
  context.now_ms = 1000;
  context.cluster_time = {7, 1};
  context.version = given.version;
  SANDBOX_ASSIGN(const Update update,
                 Update::parse(*u.view().find("u"),
                               filters ? filters.view().find("f")->document() : bson::View(), context));
  if (given.query.empty()) return update.apply(parse(before), given.insert, nullptr);
  SANDBOX_ASSIGN(const bson::Matcher matcher, parse_filter(parse(given.query)));
  return update.apply(parse(before), given.insert, &matcher);
}

std::string after(std::string_view before, const Given& given) {
  const auto result = apply(before, given);
  return result ? json(result->after.view()) : result.error().message;
}
std::string description(std::string_view before, const Given& given) {
  const auto result = apply(before, given);
  return result ? json(result->description.view()) : result.error().message;
}
CommandError refusal(std::string_view before, const Given& given) {
  const auto result = apply(before, given);
  EXPECT_FALSE(result) << given.update;
  return result ? CommandError{} : result.error();
}

std::string described(std::string_view updated, std::string_view removed = "[]",
                      std::string_view truncated = "[]") {
  return normal("{\"updatedFields\":" + std::string(updated) + ",\"removedFields\":" + std::string(removed) +
                ",\"truncatedArrays\":" + std::string(truncated) + "}");
}

TEST(Update, SetsAndUnsetsFieldsAtAnyDepth) {
  EXPECT_EQ(after(R"({"_id":1,"a":{"b":1}})", {R"({"$set":{"a.b":2,"a.c":3,"x.y":4}})"}),
            normal(R"({"_id":1,"a":{"b":2,"c":3},"x":{"y":4}})"));
  EXPECT_EQ(after(R"({"_id":1,"a":1,"b":2})", {R"({"$unset":{"a":"","nope.x":""}})"}),
            normal(R"({"_id":1,"b":2})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2]})", {R"({"$set":{"a.3":9},"$unset":{"a.0":""}})"}),
            normal(R"({"_id":1,"a":[null,2,null,9]})"));
}

TEST(Update, ComputesWithNumbers) {
  EXPECT_EQ(after(R"({"_id":1,"n":2147483647})", {R"({"$inc":{"n":1,"m":2}})"}),
            normal(R"({"_id":1,"n":2147483648,"m":2})"));
  EXPECT_EQ(after(R"({"_id":1,"n":3})", {R"({"$mul":{"n":2,"z":5}})"}), normal(R"({"_id":1,"n":6,"z":0})"));
  EXPECT_EQ(after(R"({"_id":1,"n":3})", {R"({"$min":{"n":2},"$max":{"k":7}})"}),
            normal(R"({"_id":1,"n":2,"k":7})"));
  EXPECT_EQ(after(R"({"_id":1,"n":5})", {R"({"$bit":{"n":{"and":4,"or":1}}})"}),
            normal(R"({"_id":1,"n":5})"));
  EXPECT_EQ(refusal(R"({"_id":1,"n":"x"})", {R"({"$inc":{"n":1}})"}).message,
            "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'n' of non-numeric "
            "type string");
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$inc":{"n":"x"}})"}).code, kTypeMismatch);
  EXPECT_EQ(refusal(R"({"_id":1,"n":{"$numberLong":"9223372036854775807"}})", {R"({"$inc":{"n":1}})"}).code,
            kBadValue);
}

TEST(Update, ChangesArrays) {
  EXPECT_EQ(after(R"({"_id":1,"a":[1]})", {R"({"$push":{"a":2}})"}), normal(R"({"_id":1,"a":[1,2]})"));
  EXPECT_EQ(after(R"({"_id":1})", {R"({"$push":{"a":{"$each":[3,1,2],"$sort":1,"$slice":2}}})"}),
            normal(R"({"_id":1,"a":[1,2]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2]})", {R"({"$push":{"a":{"$each":[8,9],"$position":1}}})"}),
            normal(R"({"_id":1,"a":[1,8,9,2]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2]})", {R"({"$push":{"a":{"$each":[3],"$slice":-2}}})"}),
            normal(R"({"_id":1,"a":[2,3]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2]})", {R"({"$addToSet":{"a":{"$each":[2,3,3]}}})"}),
            normal(R"({"_id":1,"a":[1,2,3]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2,3]})", {R"({"$pop":{"a":-1}})"}), normal(R"({"_id":1,"a":[2,3]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,5,3]})", {R"({"$pull":{"a":{"$gte":3}}})"}),
            normal(R"({"_id":1,"a":[1]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[{"b":1,"c":2},{"b":2}]})", {R"({"$pull":{"a":{"b":1}}})"}),
            normal(R"({"_id":1,"a":[{"b":2}]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2,1]})", {R"({"$pullAll":{"a":[1]}})"}), normal(R"({"_id":1,"a":[2]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[{"k":2},{"k":1}]})", {R"({"$push":{"a":{"$each":[],"$sort":{"k":1}}}})"}),
            normal(R"({"_id":1,"a":[{"k":1},{"k":2}]})"));
  EXPECT_EQ(refusal(R"({"_id":1,"a":1})", {R"({"$push":{"a":1}})"}).message,
            "The field 'a' must be an array but is of type int in document {_id: 1}");
  EXPECT_EQ(refusal(R"({"_id":1,"a":1})", {R"({"$pop":{"a":1}})"}).code, kTypeMismatch);
}

TEST(Update, RenamesAndDates) {
  EXPECT_EQ(after(R"({"_id":1,"a":1,"b":{"c":2}})", {R"({"$rename":{"a":"z","b.c":"d","none":"e"}})"}),
            normal(R"({"_id":1,"b":{},"d":2,"z":1})"));
  EXPECT_EQ(after(R"({"_id":1})", {R"({"$currentDate":{"d":true,"t":{"$type":"timestamp"}}})"}),
            normal(R"({"_id":1,"d":{"$date":{"$numberLong":"1000"}},"t":{"$timestamp":{"t":7,"i":1}}})"));
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$rename":{"a":"a"}})"}).code, kBadValue);
}

TEST(Update, ResolvesPositions) {
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2,3]})", {R"({"$set":{"a.$":9}})", "", R"({"a":2})"}),
            normal(R"({"_id":1,"a":[1,9,3]})"));
  EXPECT_EQ(after(R"({"_id":1,"a":[1,2]})", {R"({"$inc":{"a.$[]":1}})"}), normal(R"({"_id":1,"a":[2,3]})"));
  EXPECT_EQ(
      after(R"({"_id":1,"a":[{"k":1},{"k":5}]})", {R"({"$set":{"a.$[e].v":0}})", R"([{"e.k":{"$gt":2}}])"}),
      normal(R"({"_id":1,"a":[{"k":1},{"k":5,"v":0}]})"));
  EXPECT_EQ(refusal(R"({"_id":1,"a":[1]})", {R"({"$set":{"a.$":1}})"}).message,
            "The positional operator did not find the match needed from the query.");
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":{"a.$[]":1}})"}).message,
            "The path 'a' must exist in the document in order to apply array updates.");
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":{"a.$[e]":1}})"}).code, kBadValue);
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":{"a":1}})", R"([{"e":1}])"}).code, kFailedToParse);
}

TEST(Update, RefusesAsTheServerDoes) {
  const CommandError unknown = refusal(R"({"_id":1})", {R"({"$nope":{"y":1}})"});
  EXPECT_EQ(unknown.code, 9);
  EXPECT_EQ(unknown.message,
            "Unknown modifier: $nope. Expected a valid update modifier or pipeline-style update specified as "
            "an array");
  const CommandError id = refusal(R"({"_id":1})", {R"({"$set":{"_id":2}})"});
  EXPECT_EQ(id.code, 66);
  EXPECT_EQ(id.message, "Performing an update on the path '_id' would modify the immutable field '_id'");
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":{"a":1},"$inc":{"a":1}})"}).message,
            "Updating the path 'a' would create a conflict at 'a'");
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":{"a.b":1,"a":1}})"}).code, 40);
  EXPECT_EQ(refusal(R"({"_id":1,"a":1})", {R"({"$set":{"a.b":1}})"}).message,
            "Cannot create field 'b' in element {a: 1}");
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":{"a..b":1}})"}).code, 56);
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"$set":5})"}).code, 9);
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"_id":2})"}).code, 66);
  EXPECT_EQ(refusal(R"({"_id":1})", {R"({"a":1,"$set":{}})"}).code, 52);
  EXPECT_EQ(refusal(R"({"_id":1})", {R"([{"$group":{"_id":1}}])"}).code, 72);
}

TEST(Update, ReplacesKeepingTheId) {
  const auto result = apply(R"({"_id":1,"a":1})", {R"({"b":2})"});
  ASSERT_TRUE(result);
  EXPECT_EQ(json(result->after.view()), normal(R"({"_id":1,"b":2})"));
  EXPECT_TRUE(result->is_replacement);
  EXPECT_FALSE(apply(R"({"_id":1,"a":1})", {R"({"a":1})"})->changed);
}

TEST(Update, SaysWhenNothingChanged) {
  EXPECT_FALSE(apply(R"({"_id":1,"y":1})", {R"({"$set":{"y":1}})"})->changed);
  EXPECT_FALSE(apply(R"({"_id":1,"y":1})", {R"({"$unset":{"z":1}})"})->changed);
  EXPECT_FALSE(apply(R"({"_id":1,"y":[1]})", {R"({"$addToSet":{"y":1}})"})->changed);
  EXPECT_TRUE(apply(R"({"_id":1,"y":1})", {R"({"$set":{"y":1.0}})"})->changed);
}

TEST(Update, DescribesChangesAsTheRecordedServerDoes) {
  const Given recorded{R"({"$set":{"sub.a":9,"new":"x"},"$inc":{"n":1},"$push":{"arr":4},"$unset":{"d":""}})",
                       "",
                       "",
                       false,
                       {4, 2}};
  const char* const before = R"({"_id":1,"n":5,"d":1,"arr":[1,2,3],"sub":{"a":1,"b":2}})";
  EXPECT_EQ(description(before, recorded), described(R"({"arr.3":4,"n":6,"new":"x","sub.a":9})", R"(["d"])"));
  EXPECT_EQ(description(R"({"_id":1,"arr":[1,2,3,4]})", {R"({"$pull":{"arr":1}})", "", "", false, {4, 2}}),
            described(R"({"arr":[2,3,4]})"));
  EXPECT_EQ(description(R"({"_id":1,"arr":[2,3]})", {R"({"$set":{"arr.0":99}})", "", "", false, {4, 2}}),
            described(R"({"arr.0":99})"));
  EXPECT_EQ(description(R"({"_id":1})", {R"({"$set":{"a.b":1}})", "", "", false, {4, 2}}),
            described(R"({"a.b":1})"));
}

TEST(Update, DescribesChangesBySectionsOfTheDelta) {
  const char* const before = R"({"_id":1,"n":5,"d":1,"arr":[1,2,3],"sub":{"a":1,"b":2}})";
  EXPECT_EQ(
      description(before,
                  {R"({"$set":{"sub.a":9,"new":"x"},"$inc":{"n":1},"$push":{"arr":4},"$unset":{"d":""}})"}),
      described(R"({"n":6,"new":"x","arr.3":4,"sub.a":9})", R"(["d"])"));
  EXPECT_EQ(description(R"({"_id":1})", {R"({"$set":{"a.b":1}})"}), described(R"({"a":{"b":1}})"));
  EXPECT_EQ(description(R"({"_id":1,"a":[1,2]})", {R"({"$inc":{"a.$[]":1}})"}), described(R"({"a":[2,3]})"));
  EXPECT_EQ(description(R"({"_id":1,"a":[1,2]})", {R"({"$inc":{"a.$[e]":1}})", R"([{"e":2}])"}),
            described(R"({"a.1":3})"));
}

TEST(Update, RunsPipelines) {
  const std::string filler(200, 'x');
  const std::string before = R"({"_id":1,"a":1,"b":2,"fill":")" + filler + "\"}";
  const auto result = apply(before, {R"([{"$set":{"c":{"$add":["$a","$b"]}}},{"$unset":"b"}])"});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->is_replacement);
  EXPECT_EQ(json(result->description.view()), described(R"({"c":3})", R"(["b"])"));
  EXPECT_TRUE(
      apply(R"({"_id":1,"a":1})", {R"([{"$set":{"a":2}}])"})->is_replacement);  // shorter than its delta
  EXPECT_TRUE(apply(before, {R"([{"$set":{"a":2}}])", "", "", false, {4, 2}})->is_replacement);
  EXPECT_EQ(refusal(R"({"_id":1})", {R"([{"$set":{"_id":2}}])"}).code, 66);
}

TEST(Update, BuildsTheBaseOfAnUpsert) {
  const bson::Document u = parse(R"({"u":{"$set":{"z":1}}})");
  const auto update = Update::parse(*u.view().find("u"), {});
  ASSERT_TRUE(update);
  const auto base = update->upsert_base(
      parse(R"({"_id":9,"a.b":{"$eq":2},"c":{"$gt":3},"$and":[{"d":4}],"e":{"$in":[5]}})"));
  ASSERT_TRUE(base);
  EXPECT_EQ(json(base->view()), normal(R"({"_id":9,"a":{"b":2},"d":4,"e":5})"));
  EXPECT_EQ(code_of(update->upsert_base(parse(R"({"a":1,"$and":[{"a":2}]})"))), 54);
  const bson::Document r = parse(R"({"u":{"z":1}})");
  EXPECT_EQ(json(Update::parse(*r.view().find("u"), {})->upsert_base(parse(R"({"_id":9,"a":1})"))->view()),
            normal(R"({"_id":9})"));
}

TEST(Update, SetsOnInsertOnlyThen) {
  EXPECT_EQ(after(R"({"_id":1})", {R"({"$setOnInsert":{"a":1}})", "", "", true}),
            normal(R"({"_id":1,"a":1})"));
  EXPECT_FALSE(apply(R"({"_id":1})", {R"({"$setOnInsert":{"a":1}})"})->changed);
}

TEST(Update, NamesAmbiguousPaths) {
  const std::string text = description(R"({"_id":1,"a":{"x":1},"b":[1]})", {R"({"$set":{"a.0":1,"b.0":2}})"});
  EXPECT_NE(text.find(R"("disambiguatedPaths" : { "a.0" : [ "a", "0" ] })"), std::string::npos) << text;
}

// Applies a description the way a consumer of change events would.
bson::Document follow(const bson::Document& before, bson::View description) {
  MutableNode root = MutableNode::root(before);
  const auto walk = [&root](std::string_view path, bool create) {
    MutableNode* node = &root;
    while (path.find('.') != path.npos) {
      const std::string name(path.substr(0, path.find('.')));
      path.remove_prefix(name.size() + 1);
      node = node->child(name);
      if (node == nullptr) break;
    }
    EXPECT_TRUE(node != nullptr || !create);
    return std::pair(node, std::string(path));
  };
  for (const bson::Element item : description.find("truncatedArrays")->document()) {
    const auto [node, name] = walk(item.document().find("field")->string(), true);
    node->child(name)->children().resize(static_cast<size_t>(*item.document().find("newSize")->integer()));
  }
  for (const bson::Element path : description.find("removedFields")->document()) {
    const auto [node, name] = walk(path.string(), true);
    node->remove_child(name);
  }
  for (const bson::Element field : description.find("updatedFields")->document()) {
    const auto [node, name] = walk(field.key(), true);
    if (MutableNode* child = node->child(name))
      child->set(Value(field));
    else
      node->children().emplace_back(node->is_array() ? "" : name, Value(field));
  }
  return root.freeze_document();
}

// Equal but for the order of fields, which descriptions don't carry.
std::string sorted(bson::View view) {
  std::map<std::string, std::string> fields;
  for (const bson::Element field : view) {
    const bool nested = field.is_document() || field.is_array();
    bson::Builder one;
    one.append("", field);
    fields[std::string(field.key())] =
        std::to_string(field.type()) +
        (nested ? "{" + sorted(field.document()) + "}"
                : std::string(reinterpret_cast<const char*>(field.value_bytes().data()),
                              field.value_bytes().size()));
  }
  std::string text;
  for (const auto& [name, value] : fields) text += name + ":" + value + ",";
  return text;
}

RC_GTEST_PROP(Update, DeltasLeadFromBeforeToAfter,
              (std::vector<uint32_t> first, std::vector<uint32_t> second)) {
  const bson::Document before = bson::ArbitraryBson(std::move(first)).document();
  const bson::Document after = bson::ArbitraryBson(std::move(second)).document();
  const auto delta = document_delta(before, after, 0);
  if (!delta) return;
  const bson::Document followed = follow(before, delta->describe());
  RC_ASSERT(sorted(followed.view()) == sorted(after.view()));
}

RC_GTEST_PROP(Update, DescriptionsOfModifiersLeadFromBeforeToAfter,
              (std::vector<uint32_t> first, std::vector<uint32_t> choices)) {
  bson::ArbitraryBson source(std::move(choices));
  const bson::Document before = bson::ArbitraryBson(std::move(first)).document();
  static const char* const kPaths[] = {"a", "b.c", "c.0", "d.1.a", "a.b"};
  static const char* const kModifiers[] = {"$set", "$unset", "$push", "$addToSet", "$min", "$pop"};
  bson::Builder update;
  for (int i = 0; i < 2; ++i) {
    const char* const name = kModifiers[source.choose(6)];
    if (update.view().find(name)) continue;
    bson::Builder fields;
    const char* const path = kPaths[source.choose(5)];
    if (std::string_view(name) == "$pop")
      fields.append(path, int32_t{1});
    else
      source.append(fields, path, 2);
    update.append(name, fields.view());
  }
  bson::Builder holder;
  holder.append("u", update.view());
  for (const ServerVersion version : {ServerVersion{7, 0}, ServerVersion{4, 2}}) {
    PipelineContext context;
    context.version = version;
    const auto parsed = Update::parse(*holder.view().begin(), {}, context);
    if (!parsed) return;
    const auto result = parsed->apply(before, false, nullptr);
    if (!result || !result->changed) return;
    // Paths of the older format may name documents that the update made on the way: they are followed only
    // where every step existed. Items far behind the end of an array are padded by the reader.
    if (version < ServerVersion{5, 0}) continue;
    bool pads = false;
    for (const bson::Element field : result->description.view().find("updatedFields")->document())
      pads |= field.key().find('.') != std::string_view::npos && !before.view().find_path(field.key()) &&
              std::isdigit(static_cast<unsigned char>(field.key().back())) != 0;
    if (pads) return;
    RC_ASSERT(sorted(follow(before, result->description).view()) == sorted(result->after.view()));
  }
}

}  // namespace
}  // namespace tidemark::sandbox
