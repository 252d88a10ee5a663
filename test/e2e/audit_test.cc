// `tidemark audit` as its users have it: what differs is named exactly, put right without a touch to anything else, and
// nothing that is only under way is called a difference.
#include <csignal>
#include <filesystem>
#include <tuple>

#include "e2e/audited.h"

namespace tidemark::e2e {
namespace {

using ::testing::AllOf;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using testing::Process;

constexpr int kDocuments = 3'000;

class EveryEnd : public Audited, public ::testing::WithParamInterface<std::tuple<EndKind, bool>> {
 protected:
  void SetUp() override {
    Audited::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    audit_to(std::get<0>(GetParam()));
    if (IsSkipped() || HasFatalFailure()) return;
    copy(kDocuments, std::get<1>(GetParam()));
  }
};

TEST_P(EveryEnd, EqualEndsAreFoundEqual) {
  const nlohmann::json found = audit(0);
  EXPECT_EQ(found["clean"], true);
  EXPECT_EQ(found["source_documents"], kDocuments);
  EXPECT_EQ(found["destination_documents"], kDocuments);
  EXPECT_TRUE(names(found).empty());
  EXPECT_THAT(tidemark({"audit", config_, "--kind", "count"}), ExitsWith(0));
}

TEST_P(EveryEnd, NamesExactlyWhatIsWrongAndRepairsNothingElse) {
  const auto whole = end_->rows();
  const Damage damage = Damage::of(kDocuments);
  damage.inflict(*end_);
  const auto before = end_->rows();
  ASSERT_NE(before, whole);

  const nlohmann::json found = audit(1);
  EXPECT_EQ(names(found), damage.names());
  EXPECT_EQ(found["missing"], damage.removed.size());
  EXPECT_EQ(found["extra"], damage.invented.size());
  EXPECT_EQ(found["different"], damage.twisted.size() + damage.retyped.size());
  EXPECT_EQ(end_->rows(), before) << "an audit changes nothing";
  // Nothing but the same number of documents would be right for a count.
  EXPECT_EQ(audit(0, {"--kind", "count"})["clean"], true);

  const nlohmann::json repaired = audit(0, {"--repair"});
  EXPECT_EQ(repaired["repair"]["complete"], true) << repaired.dump();
  EXPECT_EQ(repaired["repair"]["written"],
            damage.removed.size() + damage.twisted.size() + damage.retyped.size());
  EXPECT_EQ(repaired["repair"]["removed"], damage.invented.size());

  const auto after = end_->rows();
  EXPECT_EQ(after.size(), whole.size());
  const std::set<std::string> touched = damage.ids();
  for (const auto& [id, row] : before) {
    if (touched.count(id) == 1) continue;
    const auto now = after.find(id);
    ASSERT_TRUE(now != after.end()) << id << " is gone";
    EXPECT_EQ(now->second, row) << "nobody asked for " << id;
  }
  for (const int n : damage.invented) EXPECT_EQ(after.count(AuditedEnd::id_of(n)), 0u) << n;
  EXPECT_EQ(audit(0)["clean"], true);

  // The pipeline goes on: what changes after a repair still arrives.
  if (!std::get<1>(GetParam())) relay_ = start_relay(config_);
  const std::string one = AuditedEnd::id_of(damage.removed.front());
  const std::string restored = end_->rows().at(one);
  ASSERT_TRUE(client_->update(setup_.database, setup_.collection,
                              R"({"_id": )" + std::to_string(damage.removed.front()) + "}",
                              R"({"$set": {"status": "shipped"}})"));
  EXPECT_TRUE(testing::eventually([&] { return end_->rows().at(one).find("shipped") != std::string::npos; }))
      << relay_->error_output() << restored;
  stop_relay();
  EXPECT_EQ(audit(0)["clean"], true);
}

INSTANTIATE_TEST_SUITE_P(EveryEnd, EveryEnd,
                         ::testing::Combine(::testing::Values(EndKind::kSqlite, EndKind::kPostgres,
                                                              EndKind::kMongodb),
                                            ::testing::Bool()),
                         [](const auto& info) {
                           return to_string(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) ? "_while_it_runs" : "_while_it_rests");
                         });

class AuditOf : public Audited {
 protected:
  void SetUp() override {
    Audited::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) audit_to(EndKind::kSqlite);
  }
  // With other tables of [guard] from now on.
  void configure(const std::string& guard) {
    std::string text = folder_.read("orders.toml");
    text.erase(text.find("[[guard.audit]]"));
    folder_.write("orders.toml", text + guard);
  }
};

TEST_F(AuditOf, AWriterAtFullSpeedFindsNoFalseDifference) {
  init_position();
  relay_ = start_relay(config_);
  // A relay that a sanitizer slows down would follow for long after the writer has stopped.
  Workload workload(setup_.uri, setup_.database, setup_.collection, 7, testing::sanitized() ? 2'000 : 0);
  ASSERT_TRUE(testing::eventually([&] { return end_->rows().size() >= 20; })) << relay_->error_output();
  for (int round = 0; round < 6; ++round) {
    const int64_t before = workload.written();
    std::vector<std::string> args = {"audit", config_, "--json"};
    if (round % 3 == 2) args.insert(args.end(), {"--kind", "count"});
    const Finished finished = tidemark(args);
    const auto all = nlohmann::json::parse(finished.output, nullptr, false);
    ASSERT_TRUE(all.is_object()) << describe(finished);
    const auto& found = all["audits"][0];
    for (const char* wrong : {"missing", "extra", "different", "unreadable", "stale", "doubled", "rejected"})
      EXPECT_EQ(found[wrong], 0) << wrong << found.dump();
    EXPECT_THAT(finished, ExitsWith(found["unsettled"] == 0 ? 0 : 1)) << "what kept changing is open";
    EXPECT_GT(workload.written(), before) << "nobody wrote meanwhile";
  }
  EXPECT_GT(workload.stop(), 100);
  EXPECT_TRUE(testing::eventually([&] {
    return tidemark({"audit", config_}).status->code == 0;
  })) << relay_->error_output();
}

// A relay that has been down for a while owes rows; none of them is a difference, and what is wrong beside them is.
TEST_F(AuditOf, WhatAStoppedRelayStillOwesIsNoDifference) {
  copy(500);
  write_documents(500, 200);
  ASSERT_TRUE(client_->update(setup_.database, setup_.collection, R"({"_id": 5})", R"({"$set": {"n": 0}})"));
  ASSERT_TRUE(client_->remove(setup_.database, setup_.collection, R"({"_id": 6})"));
  const nlohmann::json owed = audit(1);
  EXPECT_TRUE(names(owed).empty());
  EXPECT_EQ(owed["unsettled"], 202);
  EXPECT_EQ(owed["clean"], false) << "what is owed is no difference, and not known to be the same either";
  end_->remove({5, 6, 9});
  EXPECT_EQ(names(audit(1)), std::set<std::string>{"missing " + AuditedEnd::id_of(9)});
  EXPECT_EQ(audit(1, {"--repair"})["repair"]["complete"], true);
  relay_ = start_relay(config_);
  EXPECT_TRUE(testing::eventually([&] { return end_->rows().size() == 699; })) << relay_->error_output();
  stop_relay();
  const nlohmann::json found = audit(0);
  EXPECT_EQ(found["destination_documents"], 699);
}

TEST_F(AuditOf, KilledInTheMiddleGoesOnFromThere) {
  configure("[guard]\nstate = \"" + folder_.path() + "/state\"\n" + kQuick +
            "rate = 2000\npushdown = false\n");
  copy(2'000);
  end_->twist({77});
  const std::string checkpoint = folder_.file("state/orders.checksum.by-hand.audit");
  {
    Process first({testing::bin_dir() + "/tidemark", "audit", config_});
    ASSERT_TRUE(testing::eventually([&] { return std::filesystem::exists(checkpoint); }))
        << first.error_output();
    first.kill_now();
  }
  EXPECT_TRUE(std::filesystem::exists(checkpoint));
  const nlohmann::json found = audit(1);
  EXPECT_EQ(found["resumed"], true);
  EXPECT_EQ(found["source_documents"], 2'000);
  EXPECT_EQ(names(found), std::set<std::string>{"different " + AuditedEnd::id_of(77)});
  EXPECT_FALSE(std::filesystem::exists(checkpoint)) << "what is done needs no progress";
  EXPECT_EQ(audit(1)["resumed"], false);

  const auto status = nlohmann::json::parse(tidemark({"status", config_, "--json"}).output, nullptr, false);
  ASSERT_TRUE(status.is_object());
  const auto& last = status["pipelines"][0]["audits"][0];
  EXPECT_EQ(last["kind"], "checksum");
  EXPECT_EQ(last["clean"], false);
  EXPECT_EQ(last["different"], 1);
}

TEST_F(AuditOf, InterruptedKeepsItsProgressAndSaysSo) {
  configure("[guard]\nstate = \"" + folder_.path() + "/state\"\n" + kQuick +
            "rate = 1000\npushdown = false\n");
  copy(4'000);
  {
    Process first({testing::bin_dir() + "/tidemark", "audit", config_});
    // The destination's first page is read, and the rest will take seconds.
    ASSERT_TRUE(testing::eventually([&] {
      return std::filesystem::exists(folder_.file("state/orders.checksum.by-hand.audit"));
    })) << first.error_output();
    Process second({testing::bin_dir() + "/tidemark", "audit", config_});
    const auto refused = second.wait();
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->code, 77) << "two audits would write over each other's progress";
    first.signal(SIGINT);
    const auto status = first.wait();
    ASSERT_TRUE(status.has_value()) << first.error_output();
    EXPECT_EQ(status->code, 130);
    EXPECT_THAT(first.error_output(), HasSubstr("goes on from here"));
  }
  EXPECT_EQ(audit(0)["resumed"], true);
}

TEST_F(AuditOf, JsonIsAStableContract) {
  copy(300);
  end_->remove({1});
  const Finished finished = tidemark({"audit", config_, "--json"});
  EXPECT_THAT(finished, ExitsWith(1));
  const auto all = nlohmann::json::parse(finished.output, nullptr, false);
  ASSERT_FALSE(all.is_discarded()) << describe(finished);
  EXPECT_EQ(all["file"], config_);
  const auto keys = [](const nlohmann::json& object) {
    std::vector<std::string> found;
    for (const auto& [name, value] : object.items()) found.push_back(name);
    return found;
  };
  const auto& one = all["audits"][0];
  EXPECT_THAT(keys(one), IsSupersetOf({"pipeline",
                                       "kind",
                                       "source",
                                       "destination",
                                       "clean",
                                       "resumed",
                                       "started_at",
                                       "finished_at",
                                       "seconds",
                                       "source_documents",
                                       "destination_documents",
                                       "filtered",
                                       "missing",
                                       "extra",
                                       "different",
                                       "unsettled",
                                       "buckets",
                                       "buckets_differing",
                                       "bucket_deltas",
                                       "differences",
                                       "differences_complete"}));
  EXPECT_THAT(keys(one["differences"][0]), IsSupersetOf({"kind", "collection", "id"}));
  EXPECT_EQ(one["differences"][0]["collection"], setup_.database + ".orders");
  EXPECT_FALSE(one.contains("repair"));
  EXPECT_THAT(keys(audit(0, {"--repair"})["repair"]),
              IsSupersetOf({"asked", "written", "removed", "healed", "rejected", "complete", "still_wrong"}));

  end_->twist({2});
  const Finished human = tidemark({"audit", config_});
  EXPECT_THAT(human, ExitsWith(1));
  EXPECT_THAT(human.output,
              AllOf(HasSubstr("orders"), HasSubstr("different"), HasSubstr(AuditedEnd::id_of(2))));
}

TEST_F(AuditOf, APipelineWithoutAConfiguredAuditIsAuditedByDefault) {
  configure("");
  copy(200);
  const nlohmann::json found = audit(0);
  EXPECT_EQ(found["kind"], "checksum");
  EXPECT_EQ(audit(0, {"--kind", "count", "--only", "orders"})["kind"], "count");
}

TEST_F(AuditOf, ATableThatIsGoneIsWrittenAnewOnceTheOperatorHasSaidSo) {
  copy(200);
  const size_t rows = end_->rows().size();
  end_->drop();
  EXPECT_EQ(audit(1)["missing"], 200);
  const Finished refused = tidemark({"audit", config_, "--repair"});
  EXPECT_THAT(refused, ExitsWith(78));
  EXPECT_THAT(refused.error_output, AllOf(HasSubstr("orders"), HasSubstr("tidemark_tables")));
  end_->disown();
  EXPECT_EQ(audit(0, {"--repair"})["repair"]["written"], 200);
  EXPECT_EQ(end_->rows().size(), rows);
}

TEST_F(AuditOf, ARowOfACollectionThatIsGoneIsExtra) {
  copy(20, true);
  ASSERT_TRUE(client_->drop(setup_.database, setup_.collection));
  ASSERT_TRUE(testing::eventually([&] { return end_->rows().empty(); })) << relay_->error_output();
  stop_relay();
  EXPECT_EQ(audit(0)["clean"], true);
  sqlite_query(folder_.file("orders.db"), "INSERT INTO orders(id, doc, token, cluster_time) VALUES('" +
                                              AuditedEnd::id_of(1) + "', '{\"_id\":" + AuditedEnd::id_of(1) +
                                              "}', '82', '')");
  EXPECT_EQ(names(audit(1)), std::set<std::string>{"extra " + AuditedEnd::id_of(1)});
  EXPECT_EQ(audit(0, {"--repair"})["repair"]["removed"], 1);
  EXPECT_TRUE(end_->rows().empty());
}

// A pipeline of many collections, and transforms between: what they drop is expected nowhere, what they change is expected
// changed.
TEST_F(AuditOf, CollectionsAreKeptApartAndTransformsHeeded) {
  setup_.collection.clear();
  setup_.sink = "[pipeline.sink]\ntype = \"sqlite\"\npath = \"" + folder_.file("orders.db") +
                "\"\ntable = \"{collection}\"\nmode = \"current\"\n";
  setup_.after =
      "[[pipeline.transform]]\ntype = \"filter\"\nwhere = '{\"fullDocument.secret\": {\"$exists\": false}}'\n"
      "[[pipeline.transform]]\ntype = \"project\"\nrename = { \"a\" = \"b\" }\n" +
      std::string(kQuick);
  write_config();
  init_position();
  relay_ = start_relay(config_);
  for (const char* collection : {"first", "second"})
    for (const char* document :
         {R"({"_id": 1, "a": 1})", R"({"_id": 2, "a": 2})", R"({"_id": 3, "secret": 1})"})
      ASSERT_TRUE(client_->insert(setup_.database, collection, document));
  const std::string path = folder_.file("orders.db");
  const auto count = [&](const std::string& table) {
    if (sqlite_query(path, "SELECT 1 FROM sqlite_master WHERE name = '" + table + "'").empty()) return 0;
    return std::stoi(sqlite_query(path, "SELECT count(*) FROM " + table)[0][0]);
  };
  ASSERT_TRUE(testing::eventually([&] { return count("first") == 2 && count("second") == 2; }))
      << relay_->error_output();
  stop_relay();
  const nlohmann::json well = audit(0);
  EXPECT_EQ(well["source_documents"], 4);
  EXPECT_EQ(well["filtered"], 2);
  sqlite_query(path, "DELETE FROM second WHERE id = '" + AuditedEnd::id_of(2) + "'");
  const nlohmann::json found = audit(1);
  ASSERT_EQ(found["differences"].size(), 1u) << found.dump();
  EXPECT_EQ(found["differences"][0]["collection"], setup_.database + ".second");
  EXPECT_EQ(audit(0, {"--repair"})["repair"]["written"], 1);
  EXPECT_EQ(sqlite_query(path, "SELECT doc FROM second WHERE id = '" + AuditedEnd::id_of(2) + "'")[0][0],
            R"({"_id":{"$numberInt":"2"},"b":{"$numberInt":"2"}})");
}

// --- bad input

TEST_F(AuditOf, WhatCanNotBeAskedIsAUsageError) {
  const Finished unknown = tidemark({"audit", config_, "--only", "ordres"});
  EXPECT_THAT(unknown, ExitsWith(64));
  EXPECT_THAT(unknown.error_output, HasSubstr("orders"));
  EXPECT_THAT(tidemark({"audit", config_, "--kind", "guess"}), ExitsWith(64));
  const Finished counts = tidemark({"audit", config_, "--kind", "count", "--repair"});
  EXPECT_THAT(counts, ExitsWith(64));
  EXPECT_THAT(counts.error_output, HasSubstr("--kind checksum"));
}

TEST_F(AuditOf, WithoutAPositionNothingCanBeSaid) {
  write_documents(100, 3);
  const Finished finished = tidemark({"audit", config_});
  EXPECT_THAT(finished.status.has_value() ? finished.status->code : -1, ::testing::AnyOf(78, 69));
  EXPECT_THAT(finished.error_output, Not(::testing::IsEmpty()));

  // With a destination that is there, the position alone is missing.
  copy(3);
  ASSERT_THAT(tidemark({"position", "reset", config_, "orders", "--yes"}), ExitsWith(0));
  end_->remove({1});
  const Finished reset = tidemark({"audit", config_});
  EXPECT_THAT(reset, ExitsWith(78));
  EXPECT_THAT(reset.error_output, HasSubstr("position"));
}

TEST_F(AuditOf, ADestinationThatIsGoneIsNamed) {
  copy(10);
  std::filesystem::remove(folder_.file("orders.db"));
  const Finished finished = tidemark({"audit", config_});
  EXPECT_THAT(finished, ExitsWith(69));
  EXPECT_THAT(finished.error_output, HasSubstr("orders.db"));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("orders.db"))) << "an audit makes no database";
}

TEST_F(AuditOf, AServerThatIsAwayIsUnavailable) {
  copy(10);
  setup_.uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300";
  write_config();
  const Finished finished = tidemark({"audit", config_});
  EXPECT_THAT(finished, ExitsWith(69));
  EXPECT_THAT(finished.error_output, HasSubstr("orders"));
}

TEST_F(AuditOf, APositionThatIsLostEndsItAndSaysSo) {
  if (!set_->is_sandbox()) GTEST_SKIP() << "an oplog is cut short in the sandbox";
  copy(10);
  end_->remove({1});
  write_documents(10, 50);
  ASSERT_TRUE(client_->run("admin", R"({"sandbox": "truncateOplog"})"));
  const Finished finished = tidemark({"audit", config_});
  EXPECT_THAT(finished, ExitsWith(76));
  EXPECT_THAT(finished.error_output, HasSubstr("orders"));
}

// What can't be audited is said before anything runs.
TEST_F(AuditOf, WhatCanNotBeAuditedIsRefusedByCheck) {
  const auto refused = [&](const std::string& sink, const std::string& why) {
    setup_.sink = sink;
    write_config();
    for (const char* command : {"check", "audit", "run"}) {
      const Finished finished = tidemark({command, config_});
      EXPECT_THAT(finished, ExitsWith(78)) << command << " with " << sink;
      EXPECT_THAT(finished.error_output, HasSubstr(why)) << command;
    }
  };
  refused("[pipeline.sink]\ntype = \"file\"\npath = \"" + folder_.file("out.jsonl") +
              "\"\n[pipeline.position]\ntype = \"file\"\npath = \"" + folder_.file("position") + "\"\n",
          "can't be audited");
  refused("[pipeline.sink]\ntype = \"sqlite\"\npath = \"" + folder_.file("log.db") +
              "\"\ntable = \"orders\"\nmode = \"log\"\n",
          "log");
  // Not configured, it is left out with a word.
  setup_.after = "";
  write_config();
  EXPECT_THAT(tidemark({"check", config_}), ExitsWith(0));
  EXPECT_THAT(tidemark({"audit", config_}), ExitsWith(78)) << "there is nothing else to audit";
}

}  // namespace
}  // namespace tidemark::e2e
