// Users and their roles, as the official C driver meets them.
#include <gtest/gtest.h>

#include "support/mongo.h"
#include "support/process.h"
#include "support/sandbox.h"

namespace tidemark::testing {
namespace {

class SandboxUsers : public ::testing::Test {
 protected:
  void SetUp() override {
    sandbox = std::make_unique<Process>(std::vector<std::string>{bin_dir() + "/tidemark-sandbox", "--members",
                                                                 "1", "--compat", "4.4", "--user", "root",
                                                                 "--password", "pw"});
    const auto line = sandbox->read_until("mongodb://", Process::Milliseconds(15'000));
    ASSERT_TRUE(line) << sandbox->error_output();
    hosts = line->substr(std::string("mongodb://").size());
    root = std::make_unique<Mongo>(as("root", "pw", "admin"));
  }
  std::string as(const std::string& user, const std::string& password, const std::string& db) const {
    return "mongodb://" + user + ":" + password + "@" + hosts + "&authSource=" + db;
  }
  void ok(const std::string& db, std::string_view command) {
    const auto done = root->run(db, command);
    EXPECT_TRUE(done) << done.error().what;
  }
  static int code(const Result<bson::Document>& reply) { return reply ? 0 : reply.error().code; }

  std::unique_ptr<Process> sandbox;
  std::string hosts;
  std::unique_ptr<Mongo> root;
};

TEST_F(SandboxUsers, AReaderReadsItsDatabaseAndNothingElse) {
  ok("shop", R"({"createUser":"reader","pwd":"r","roles":["read"]})");
  ok("shop", R"({"insert":"c","documents":[{"_id":1}]})");
  Mongo reader(as("reader", "r", "shop"));
  EXPECT_EQ(code(reader.run("shop", R"({"find":"c"})")), 0);
  EXPECT_EQ(code(reader.run("shop", R"({"aggregate":"c","pipeline":[{"$changeStream":{}}],"cursor":{}})")),
            0);
  EXPECT_EQ(code(reader.run("shop", R"({"insert":"c","documents":[{"_id":2}]})")), 13);
  EXPECT_EQ(code(reader.run("shop", R"({"aggregate":"c","pipeline":[{"$out":"d"}],"cursor":{}})")), 13);
  EXPECT_EQ(code(reader.run("other", R"({"find":"c"})")), 13);
  EXPECT_EQ(code(reader.run("admin", R"({"replSetGetConfig":1})")), 13);
  EXPECT_EQ(code(reader.run("local", R"({"find":"oplog.rs","limit":1})")), 13);
  EXPECT_EQ(
      code(reader.run(
          "admin",
          R"({"aggregate":1,"pipeline":[{"$changeStream":{"allChangesForCluster":true}}],"cursor":{}})")),
      13);
  EXPECT_EQ(code(reader.run("admin", R"({"sandbox":"status"})")), 13);
}

TEST_F(SandboxUsers, RolesOverEveryDatabaseLeaveLocalOut) {
  ok("admin", R"({"createUser":"all","pwd":"a","roles":["readWriteAnyDatabase","clusterMonitor"]})");
  Mongo all(as("all", "a", "admin"));
  EXPECT_EQ(code(all.run("shop", R"({"insert":"c","documents":[{"_id":2}]})")), 0);
  EXPECT_EQ(
      code(all.run(
          "admin",
          R"({"aggregate":1,"pipeline":[{"$changeStream":{"allChangesForCluster":true}}],"cursor":{}})")),
      0);
  EXPECT_EQ(code(all.run("admin", R"({"replSetGetConfig":1})")), 0);
  EXPECT_EQ(code(all.run("local", R"({"find":"oplog.rs","limit":1})")), 13);
}

TEST_F(SandboxUsers, WhoIsDroppedIsOutAtOnceAndComesBackOnlyByLoggingIn) {
  ok("shop", R"({"createUser":"u","pwd":"p","roles":["readWrite"]})");
  Mongo user(as("u", "p", "shop"));
  EXPECT_EQ(code(user.run("shop", R"({"find":"c"})")), 0);
  ok("shop", R"({"dropUser":"u"})");
  EXPECT_EQ(code(user.run("shop", R"({"find":"c"})")), 13);
  const auto refused = Mongo(as("u", "p", "shop")).run("shop", R"({"find":"c"})");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().what.find("Authentication failed"), std::string::npos) << refused.error().what;
  ok("shop", R"({"createUser":"u","pwd":"p","roles":["readWrite"]})");
  EXPECT_EQ(code(user.run("shop", R"({"find":"c"})")), 13)
      << "the connection was that of the one who was dropped";
  EXPECT_EQ(code(Mongo(as("u", "p", "shop")).run("shop", R"({"find":"c"})")), 0);
  EXPECT_EQ(code(root->run("shop", R"({"dropUser":"nobody"})")), 11);
  EXPECT_EQ(code(root->run("shop", R"({"createUser":"u","pwd":"p","roles":[]})")), 51003);
  EXPECT_EQ(code(root->run("shop", R"({"createUser":"v","pwd":"p","roles":["nosuch"]})")), 31);
}

TEST_F(SandboxUsers, ARoleTakenAwayIsTakenAtOnce) {
  ok("shop", R"({"createUser":"u","pwd":"p","roles":["readWrite"]})");
  Mongo user(as("u", "p", "shop"));
  EXPECT_EQ(code(user.run("shop", R"({"insert":"c","documents":[{"_id":1}]})")), 0);
  ok("shop", R"({"updateUser":"u","roles":["read"]})");
  EXPECT_EQ(code(user.run("shop", R"({"insert":"c","documents":[{"_id":2}]})")), 13);
  EXPECT_EQ(code(user.run("shop", R"({"find":"c"})")), 0);
}

}  // namespace
}  // namespace tidemark::testing
