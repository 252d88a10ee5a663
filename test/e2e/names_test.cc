// Names of tables and collections: two that lead to one, and what is the program's own.
#include <csignal>

#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using ::testing::AllOf;
using testing::Finished;
using ::testing::HasSubstr;

class Names : public EndToEnd {
 protected:
  // A source of the whole deployment, or of one database.
  std::string write(const std::string& database, const std::string& sink, const std::string& source = "",
                    const std::string& frame = "", const std::string& after = "") {
    return config_ = folder_.write(
               "orders.toml", "[[pipeline]]\nname = \"orders\"\n" + frame +
                                  "\n[pipeline.source]\ntype = \"mongodb\"\nuri = \"" + setup_.uri + "\"\n" +
                                  (database.empty() ? "" : "database = \"" + database + "\"\n") +
                                  "full_document = \"update_lookup\"\n" + source + "\n" + sink + after);
  }
  std::string sqlite(const std::string& table, const std::string& mode = "current") const {
    return "[pipeline.sink]\ntype = \"sqlite\"\npath = \"" + folder_.file("o.db") + "\"\ntable = \"" + table +
           "\"\nmode = \"" + mode + "\"\n";
  }
  std::string mongodb(const std::string& database, const std::string& collection,
                      const std::string& more = "") const {
    return "[pipeline.sink]\ntype = \"mongodb\"\nuri = \"" + setup_.uri + "\"\ndatabase = \"" + database +
           "\"\ncollection = \"" + collection + "\"\n" + more;
  }
  std::string letters() const {
    return "[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"" + folder_.file("letters.db") + "\"\n";
  }
};

TEST_F(Names, CheckRefusesATableThatTwoCollectionsShareAndRunWarns) {
  write("", sqlite("{database}_{collection}"));
  EXPECT_THAT(tidemark({"check", config_}), ExitsWith(78));
  const Finished check = tidemark({"check", config_});
  EXPECT_THAT(check.error_output,
              AllOf(HasSubstr("a_b.c"), HasSubstr("a.b_c"), HasSubstr("'a_b_c'"),
                    HasSubstr("{database}.{collection}"), HasSubstr("pipeline.sink.table")));
  const Finished run = tidemark({"run", config_});
  EXPECT_THAT(run, ExitsWith(78)) << "it has no position";
  EXPECT_THAT(run.error_output, AllOf(HasSubstr("a_b.c"), HasSubstr("position init")));
  for (const std::string& harmless :
       {write("", sqlite("{database}.{collection}")), write("shop", sqlite("{database}_{collection}")),
        write("", sqlite("{database}_{collection}", "log"))})
    EXPECT_THAT(tidemark({"check", harmless}), ExitsWith(0));
  // So it is in the other mode of the destination that keeps no owners: nothing keeps them apart there at run time.
  write("", mongodb("copy", "{database}_{collection}", "mode = \"insert\"\n"));
  EXPECT_THAT(tidemark({"check", config_}), ExitsWith(78));
  ASSERT_THAT(tidemark({"position", "init", config_, "orders", "--from", "now", "--yes"}), ExitsWith(0));
  const Finished refused = tidemark({"run", config_});
  EXPECT_THAT(refused, ExitsWith(78));
  EXPECT_THAT(refused.error_output, HasSubstr("'copy.a_b_c'"));
  (void)client().run("copy", R"({"dropDatabase": 1})");
}

TEST_F(Names, CheckRefusesACollectionThatWouldBeWrittenOverThePositions) {
  write("d", mongodb("o", "{collection}"));
  const Finished check = tidemark({"check", config_});
  EXPECT_THAT(check, ExitsWith(78));
  EXPECT_THAT(check.error_output, AllOf(HasSubstr("tidemark_positions"), HasSubstr("position_database")));
  write("d", mongodb("o", "{collection}"), "exclude = [\"d.tidemark_positions\"]\n");
  const Finished owners = tidemark({"check", config_});
  EXPECT_THAT(owners, ExitsWith(78));
  EXPECT_THAT(owners.error_output, HasSubstr("tidemark_tables"));
  write("d", mongodb("o", "{collection}", "position_database = \"tidemark\"\n"));
  EXPECT_THAT(tidemark({"check", config_}), ExitsWith(0));
  write("d", mongodb("o", "{collection}"), "exclude = [\"d.tidemark_positions\", \"d.tidemark_tables\"]\n");
  EXPECT_THAT(tidemark({"check", config_}), ExitsWith(0));
}

TEST_F(Names, CheckWarnsOfAFilterThatHidesRenames) {
  write("shop", sqlite("{collection}"),
        "filter = '[{\"$match\": {\"ns.coll\": \"orders\"}}, {\"$unset\": \"updateDescription\"}]'\n");
  const Finished check = tidemark({"check", config_});
  EXPECT_THAT(check, ExitsWith(0));
  EXPECT_THAT(check.error_output, AllOf(HasSubstr("hide renames"), HasSubstr("exclude")));
}

TEST_F(Names, AnEventNeverWritesThePositionAndTheOthersGoOn) {
  const std::string target = setup_.database + "_copy";
  write(setup_.database, mongodb(target, "{collection}"), "", "on_reject = \"dead_letter\"", letters());
  ASSERT_THAT(tidemark({"position", "init", config_, "orders", "--from", "now", "--yes"}), ExitsWith(0));
  const auto relay = start_relay(config_);
  for (const char* document : {R"({"_id": "orders"})", R"({"_id": "other"})"})
    ASSERT_TRUE(client().insert(setup_.database, "tidemark_positions", document));
  ASSERT_TRUE(client().insert(setup_.database, "orders", R"({"_id": 1})"));
  EXPECT_TRUE(testing::eventually([&] { return client().count(target, "orders").value_or(0) == 1; }))
      << relay->error_output();
  ASSERT_TRUE(client().drop(setup_.database, "tidemark_positions"));
  ASSERT_TRUE(client().insert(setup_.database, "orders", R"({"_id": 2})"));
  EXPECT_TRUE(testing::eventually([&] { return client().count(target, "orders").value_or(0) == 2; }))
      << relay->error_output();
  relay->signal(SIGTERM);
  relay->wait();
  EXPECT_EQ(client().count(target, "tidemark_positions").value_or(-1), 1);
  EXPECT_THAT(tidemark({"position", "show", config_, "orders"}), ExitsWith(0));
  const auto kept = sqlite_query(folder_.file("letters.db"), "SELECT reason FROM dead_letters");
  ASSERT_EQ(kept.size(), 1u) << "one for the collection";
  EXPECT_THAT(kept[0][0], AllOf(HasSubstr("tidemark_positions"), HasSubstr(setup_.database)));
  (void)client().run(target, R"({"dropDatabase": 1})");
}

TEST_F(Names, ACollectionThatCanHaveNoTableIsOneLetterAndTheOthersGoOn) {
  write(setup_.database, sqlite("{collection}"), "", "on_reject = \"dead_letter\"",
        letters() + "[[pipeline]]\nname = \"others\"\n[pipeline.source]\ntype = \"mongodb\"\nuri = \"" +
            setup_.uri +
            "\"\ndatabase = \"elsewhere\"\ncollection = \"z\"\nfull_document = \"update_lookup\"\n" +
            sqlite("z") + "position_table = \"of_the_other_pipeline\"\n");
  ASSERT_THAT(tidemark({"position", "init", config_, "orders", "--from", "now", "--yes"}), ExitsWith(0));
  const auto relay = start_relay(config_, "tidemark", {"--only", "orders"});
  for (const char* name : {"sqlite_odd", "tidemark_positions", "tidemark_tables", "of_the_other_pipeline",
                           "with.dot", "with \"quotes\" and ü"})
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(client().insert(setup_.database, name, "{\"_id\": " + std::to_string(i) + "}"));
  ASSERT_TRUE(client().insert(setup_.database, "orders", R"({"_id": 1})"));
  EXPECT_TRUE(testing::eventually([&] {
    return !relay->running() ||
           !sqlite_query(folder_.file("o.db"), "SELECT 1 FROM sqlite_master WHERE name = 'orders'").empty();
  })) << relay->error_output();
  EXPECT_TRUE(relay->running()) << relay->error_output();
  relay->signal(SIGTERM);
  relay->wait();
  EXPECT_EQ(sqlite_query(folder_.file("letters.db"), "SELECT count(*) FROM dead_letters")[0][0], "4");
  EXPECT_EQ(sqlite_query(folder_.file("o.db"), "SELECT count(*) FROM \"with.dot\"")[0][0], "3");
  EXPECT_EQ(sqlite_query(folder_.file("o.db"), "SELECT count(*) FROM \"with \"\"quotes\"\" and ü\"")[0][0],
            "3");
}

}  // namespace
}  // namespace tidemark::e2e
