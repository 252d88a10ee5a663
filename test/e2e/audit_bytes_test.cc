// What an audit says of documents that a text says badly, and of those that a destination refuses: bytes are compared, and what
// is open, refused or not compared is never "the same".
#include "e2e/audited.h"
#include "e2e/destination.h"

namespace tidemark::e2e {
namespace {

using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;

bson::Document from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  const auto view = bson::View::parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  EXPECT_TRUE(view) << view.error().describe();
  return view ? bson::Document(*view) : bson::Document();
}

class AuditedBytes : public Audited, public ::testing::WithParamInterface<EndKind> {
 protected:
  void SetUp() override {
    Audited::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    setup_.frame = "on_reject = \"dead_letter\"\n";
    audit_to(GetParam());
    if (IsSkipped() || HasFatalFailure()) return;
    setup_.after = "[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"" + folder_.file("letters.db") +
                   "\"\n" + further_ + kQuick;
    write_config();
    init_position();
    relay_ = start_relay(config_);
  }
  // As a driver sends it that checks nothing.
  void insert_bytes(const bson::Document& document) {
    bson::Builder list, command;
    list.append("0", document.view());
    command.append("insert", setup_.collection).append_array("documents", list.view());
    const auto reply = client_->run(setup_.database, command.view());
    ASSERT_TRUE(reply) << reply.error().describe();
    ASSERT_FALSE(reply->view().find("writeErrors")) << "refused by the server";
  }
  void await_rows(size_t count) {
    ASSERT_TRUE(testing::eventually([&] { return end_->rows().size() == count; }))
        << end_->rows().size() << " rows: " << relay_->error_output();
  }
  void await_letters(size_t count) {
    ASSERT_TRUE(testing::eventually([&] {
      const auto letters =
          nlohmann::json::parse(tidemark({"dlq", "list", config_, "--json"}).output, nullptr, false);
      return letters.is_array() && letters.size() == count;
    })) << relay_->error_output();
  }
  std::string words(std::vector<std::string> further = {}) {
    std::vector<std::string> args = {"audit", config_};
    args.insert(args.end(), further.begin(), further.end());
    return tidemark(args).output;
  }

  std::string further_;  // transforms
};

// {_id: 1, a: "x", b: <a binary of subtype 2 without its inner length>, c: 4, e: "end"}: only its first fields were compared.
TEST_P(AuditedBytes, WhatStandsBehindAFieldThatALibraryStopsAtIsCompared) {
  insert_bytes(
      from_hex("2d000000105f69640001000000056100050000000201020304051062000200000002630004000000656e640000"));
  await_rows(1);
  stop_relay();
  EXPECT_EQ(audit(0)["source_documents"], 1);
  end_->put(R"({"_id":{"$numberInt":"1"}})");
  EXPECT_EQ(names(audit(1)), std::set<std::string>{"different " + AuditedEnd::id_of(1)});
  EXPECT_EQ(audit(0, {"--repair"})["repair"]["written"], 1);
  EXPECT_EQ(audit(0)["clean"], true);
}

TEST_P(AuditedBytes, ADocumentThatLooksLikeANumberIsNotThatNumber) {
  bson::Builder literal, document;
  literal.append("$numberInt", "1");
  document.append("_id", int32_t{1}).append("a", literal.view());
  insert_bytes(document.finish());
  insert_bytes(testing::json(R"({"_id": 2, "a": 1})"));
  await_rows(2);
  stop_relay();
  EXPECT_EQ(audit(0)["source_documents"], 2);
  end_->put(R"({"_id":{"$numberInt":"1"},"a":{"$numberInt":"1"}})");
  EXPECT_EQ(names(audit(1)), std::set<std::string>{"different " + AuditedEnd::id_of(1)});
}

// The _ids "a\xE9" and "a\xE8": one text under a renderer that replaces what is not UTF-8.
TEST_P(AuditedBytes, IdsThatDifferInAByteThatNoTextHasAreTwoDocuments) {
  const auto with_id = [](const char* byte) {
    return from_hex(std::string("1800000002") + "5f696400" + "03000000" + "61" + byte + "00" +
                    "106e000100000000");
  };
  insert_bytes(with_id("e9"));
  insert_bytes(with_id("e8"));
  await_rows(2);
  stop_relay();
  const nlohmann::json both = audit(0);
  EXPECT_EQ(both["source_documents"], 2);
  EXPECT_EQ(both["destination_documents"], 2);
  end_->lose_one();
  const nlohmann::json one = audit(1);
  EXPECT_EQ(one["missing"], 1);
  EXPECT_EQ(one["clean"], false);
  EXPECT_EQ(audit(0, {"--repair"})["repair"]["written"], 1);
  EXPECT_EQ(audit(0)["destination_documents"], 2);
}

INSTANTIATE_TEST_SUITE_P(EveryEnd, AuditedBytes,
                         ::testing::Values(EndKind::kSqlite, EndKind::kPostgres, EndKind::kMongodb),
                         [](const auto& info) { return to_string(info.param); });

// `rename` refuses to put a field into a value that has none.
class AuditedRefusals : public AuditedBytes {
 protected:
  void SetUp() override {
    further_ = "[[pipeline.transform]]\ntype = \"project\"\nrename = { \"n\" = \"sub.n\" }\n";
    AuditedBytes::SetUp();
  }
};

TEST_P(AuditedRefusals, ARowBehindARejectIsNamedAndOneThatNeverCameIsCounted) {
  insert(R"({"_id": 1, "n": 1})");
  insert(R"({"_id": 2, "n": 2})");
  await_rows(2);
  EXPECT_EQ(audit(0)["clean"], true);
  insert(R"({"_id": 3, "n": 3, "sub": "a text"})");
  await_letters(1);
  const nlohmann::json never_came = audit(1);
  EXPECT_EQ(never_came["rejected"], 1);
  EXPECT_EQ(never_came["missing"], 0);
  EXPECT_EQ(never_came["rejects"][0]["id"].dump(), AuditedEnd::id_of(3));
  EXPECT_THAT(words(), HasSubstr("the same but for 1 rejected document"));
  const nlohmann::json counted = audit(1, {"--kind", "count"});
  EXPECT_EQ(counted["rejected"], 1) << "both kinds say the same of it";
  EXPECT_EQ(counted["missing"], 0);

  ASSERT_TRUE(
      client_->update(setup_.database, setup_.collection, R"({"_id": 1})", R"({"$set": {"sub": "a text"}})"));
  await_letters(2);
  stop_relay();
  const nlohmann::json stale = audit(1);
  EXPECT_EQ(names(stale), std::set<std::string>{"stale " + AuditedEnd::id_of(1)});
  EXPECT_EQ(stale["stale"], 1);
  EXPECT_EQ(stale["rejected"], 2);
  EXPECT_THAT(words(), Not(HasSubstr("both ends hold the same")));
  const auto before = end_->rows();
  EXPECT_EQ(audit(1, {"--repair"})["repair"]["complete"], false);
  EXPECT_EQ(end_->rows(), before) << "what can't be put right is left as it is";
}

INSTANTIATE_TEST_SUITE_P(EveryEnd, AuditedRefusals,
                         ::testing::Values(EndKind::kSqlite, EndKind::kPostgres, EndKind::kMongodb),
                         [](const auto& info) { return to_string(info.param); });

class AuditedJsonb : public AuditedBytes {};

TEST_P(AuditedJsonb, WhatJsonbCannotHoldIsRefusedAndNeverTheSame) {
  insert(R"({"_id": 3, "s": "ok"})");
  await_rows(1);
  ASSERT_TRUE(
      client_->update(setup_.database, setup_.collection, R"({"_id": 3})", R"({"$set": {"s": "n\u0000n"}})"));
  await_letters(1);
  bson::Builder doubled;
  doubled.append("_id", int32_t{1}).append("z", int32_t{1}).append("z", int32_t{2});
  insert_bytes(doubled.finish());
  await_letters(2);
  stop_relay();
  const nlohmann::json found = audit(1);
  EXPECT_EQ(names(found), std::set<std::string>{"stale " + AuditedEnd::id_of(3)});
  EXPECT_EQ(found["rejected"], 2);
  EXPECT_THAT(words(), Not(HasSubstr("both ends hold the same")));
}

INSTANTIATE_TEST_SUITE_P(Postgres, AuditedJsonb, ::testing::Values(EndKind::kPostgres),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace tidemark::e2e
