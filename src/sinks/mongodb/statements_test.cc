#include "sinks/mongodb/statements.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sinks/mongodb/unique_index.h"
#include "support/change_events.h"

namespace tidemark::mongodb_sink {
namespace {

bson::Document doc(std::string_view json) { return *bson::Document::from_json(json); }

struct Sent {
  size_t begin, end;
  bson::Document command;
};

std::vector<Sent> send(const std::vector<size_t>& sizes) {
  std::vector<Sent> sent;
  const auto build = [&](size_t i, bson::Builder& statement) {
    statement.append("_id", static_cast<int64_t>(i)).append("f", std::string(sizes[i], 'x'));
  };
  const auto run = [&](const bson::Builder& command, size_t begin, size_t end) -> Status {
    sent.push_back({begin, end, command.finish()});
    return {};
  };
  EXPECT_TRUE(for_each_command(kInsert, "orders", sizes.size(), build, run));
  return sent;
}

TEST(Statements, AreOneUnorderedCommandWhereTheyFit) {
  const auto sent = send({1, 2});
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].command.view(), doc(R"({"insert": "orders", "ordered": false, "documents": [
      {"_id": {"$numberLong": "0"}, "f": "x"}, {"_id": {"$numberLong": "1"}, "f": "xx"}]})")
                                        .view());
  EXPECT_TRUE(send({}).empty());
}

TEST(Statements, CarryADocumentWholeWhateverItsBytes) {
  const bson::Document odd = testing::odd_binary();
  bson::Document command;
  const auto build = [&](size_t, bson::Builder& statement) { statement.concat(odd); };
  const auto run = [&](const bson::Builder& built, size_t, size_t) -> Status {
    command = built.finish();
    return {};
  };
  ASSERT_TRUE(for_each_command(kInsert, "orders", 1, build, run));
  EXPECT_EQ(command.view().find_path("documents.0")->document(), odd.view());
}

RC_GTEST_PROP(Statements, EachIsSentOnceInOrderAndNoCommandIsTooLarge, ()) {
  const auto sizes = *rc::gen::resize(8, rc::gen::container<std::vector<size_t>>(rc::gen::element<size_t>(
                                             0, 100, 100'000, 4'000'000, 16'000'000)));
  size_t next = 0;
  for (const Sent& command : send(sizes)) {
    RC_ASSERT(command.begin == next);
    RC_ASSERT(command.end > command.begin);
    if (command.end - command.begin > 1) RC_ASSERT(command.command.size() <= kCommandBytesMax + 100);
    for (const bson::Element item : command.command.view().find("documents")->document()) {
      RC_ASSERT(item.key() == std::to_string(next - command.begin));
      RC_ASSERT(item.document().find("_id")->integer() == static_cast<int64_t>(next));
      ++next;
    }
    RC_ASSERT(next == command.end);
  }
  RC_ASSERT(next == sizes.size());
}

TEST(Statements, EndAtTheFirstFailure) {
  int runs = 0;
  const auto build = [](size_t, bson::Builder& out) { out.append("f", std::string(9'000'000, 'x')); };
  const auto run = [&](const bson::Builder&, size_t, size_t) -> Status {
    ++runs;
    return fail(React::kRetry, "away");
  };
  EXPECT_FALSE(for_each_command(kInsert, "orders", 3, build, run));
  EXPECT_EQ(runs, 1);
}

mongo::WriteError duplicate(const char* pattern, std::string index_name) {
  mongo::WriteError error;
  error.code = mongo::kDuplicateKey;
  if (pattern != nullptr) error.key_pattern = doc(pattern);
  error.index_name = std::move(index_name);
  return error;
}

TEST(UniqueIndex, KnowsARepetitionByItsOwnIndexAndByIdAlone) {
  const UniqueIndex index({"raw.source", "raw.id"});
  EXPECT_EQ(index.name(), "raw.source_1_raw.id_1");
  EXPECT_TRUE(index.is_repetition(duplicate(R"({"_id": 1})", "_id_")));
  EXPECT_TRUE(
      index.is_repetition(duplicate(R"({"raw.source": 1.0, "raw.id": {"$numberLong": "1"}})", "other")));
  EXPECT_FALSE(index.is_repetition(duplicate(R"({"raw.id": 1, "raw.source": 1})", "x")));
  EXPECT_FALSE(index.is_repetition(duplicate(R"({"raw.source": 1})", "x")));
  EXPECT_FALSE(index.is_repetition(duplicate(R"({"mail": 1})", "mail_1")));
  // Servers before 4.4 say the index's name alone.
  EXPECT_TRUE(index.is_repetition(duplicate(nullptr, "_id_")));
  EXPECT_TRUE(index.is_repetition(duplicate(nullptr, "raw.source_1_raw.id_1")));
  EXPECT_FALSE(index.is_repetition(duplicate(nullptr, "mail_1")));
  EXPECT_FALSE(UniqueIndex({}).is_repetition(duplicate(nullptr, "")));
}

TEST(UniqueIndex, MissesAPathThatIsAbsentOrNull) {
  const UniqueIndex index({"raw.source", "raw.id"});
  EXPECT_EQ(index.missing_in(doc(R"({"raw": {"source": "a", "id": 0}})")), std::nullopt);
  EXPECT_EQ(index.missing_in(doc(R"({"raw": {"source": "a"}})")), "raw.id");
  EXPECT_EQ(index.missing_in(doc(R"({"raw": {"source": null, "id": 1}})")), "raw.source");
  EXPECT_EQ(index.missing_in(doc("{}")), "raw.source");
}

}  // namespace
}  // namespace tidemark::mongodb_sink
