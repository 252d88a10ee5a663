#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

class Handshake : public SetTest {};

TEST_F(Handshake, SaysWhoIsWho) {
  start();
  auto client = connect(1);
  const auto reply = client->ok("admin", R"({"hello":1})");
  EXPECT_EQ(length(reply, "hosts"), 3u);
  EXPECT_EQ(text(reply, "setName"), "rs0");
  EXPECT_EQ(text(reply, "primary"), set->address(0));
  EXPECT_EQ(text(reply, "me"), set->address(1));
  EXPECT_FALSE(reply.view().find("isWritablePrimary")->truthy());
  EXPECT_EQ(number(reply, "maxWireVersion"), 21);
  EXPECT_EQ(number(reply, "logicalSessionTimeoutMinutes"), 30);
  EXPECT_TRUE(reply.view().find_path("$clusterTime.signature.hash"));
  EXPECT_TRUE(reply.view().find("operationTime"));
  const auto primary = connect(0)->ok("admin", R"({"isMaster":1,"helloOk":true})");
  EXPECT_TRUE(primary.view().find("ismaster")->truthy());
  EXPECT_TRUE(primary.view().find("helloOk"));
  EXPECT_TRUE(primary.view().find("electionId"));
}

TEST_F(Handshake, Of44KnowsIsMasterWithTopologyVersionAndNoHello) {
  ReplicaSetOptions options;
  options.version = {4, 4};
  start(options);
  auto client = connect(0);
  EXPECT_EQ(client->code("admin", R"({"hello":1})"), 59);
  const auto reply = client->ok("admin", R"({"isMaster":1,"helloOk":true})");
  EXPECT_EQ(number(reply, "maxWireVersion"), 9);
  EXPECT_FALSE(reply.view().find("helloOk"));
  EXPECT_TRUE(reply.view().find_path("topologyVersion.counter"));
  EXPECT_EQ(text(client->ok("admin", R"({"buildInfo":1})"), "version"), "4.4.0");
}

TEST_F(Handshake, AnswersTheOpQueryOfOldDriversWithOpReply) {
  start();
  auto client = connect(0);
  ASSERT_TRUE(client->send(wire::serialize_query(5, "admin.$cmd", doc(R"({"isMaster":1})"))));
  wire::Header header;
  const auto reply = client->receive(&header);
  ASSERT_TRUE(reply);
  EXPECT_EQ(header.op_code, static_cast<int32_t>(wire::OpCode::kReply));
  EXPECT_EQ(header.response_to, 5);
  EXPECT_TRUE(reply->view().find("ismaster")->truthy());
  ASSERT_TRUE(client->send(wire::serialize_query(6, "t.$cmd", doc(R"({"find":"a"})"))));
  EXPECT_EQ(number(*client->receive(), "code"), 352);
}

TEST_F(Handshake, BehavesAs42WhenAsked) {
  ReplicaSetOptions options;
  options.version = {4, 2};
  start(options);
  auto client = connect(0);
  const auto reply = client->run("admin", R"({"hello":1})");
  EXPECT_EQ(number(reply, "code"), 59);
  EXPECT_EQ(text(reply, "errmsg"), "no such command: 'hello'");
  const auto is_master = client->ok("admin", R"({"isMaster":1})");
  EXPECT_EQ(number(is_master, "maxWireVersion"), 8);
  EXPECT_FALSE(is_master.view().find("topologyVersion"));
  EXPECT_EQ(text(connect(1)->run("t", R"({"insert":"a","documents":[{"_id":1}]})"), "errmsg"), "not master");
}

TEST_F(Handshake, WaitsUntilTheTopologyChanges) {
  start();
  auto client = connect(1);
  const auto now = client->ok("admin", R"({"hello":1})");
  bson::Builder ask;
  ask.append("hello", int32_t{1}).append("topologyVersion", now.view().find("topologyVersion")->document());
  ask.append("maxAwaitTimeMS", int32_t{20'000});
  ASSERT_TRUE(client->send("admin", ask.view()));
  ASSERT_TRUE(set->step_down());
  const auto reply = client->receive();
  ASSERT_TRUE(reply);
  EXPECT_GT(number(*reply, "topologyVersion.counter"), number(now, "topologyVersion.counter"));
}

TEST_F(Handshake, StreamsEveryTopologyChange) {
  start();
  auto client = connect(2);
  const auto now = client->ok("admin", R"({"hello":1})");
  bson::Builder ask;
  ask.append("hello", int32_t{1}).append("topologyVersion", now.view().find("topologyVersion")->document());
  ask.append("maxAwaitTimeMS", int32_t{10});
  ASSERT_TRUE(client->send("admin", ask.view(), wire::kExhaustAllowed));
  int32_t last_id = 0;
  int64_t counter = number(now, "topologyVersion.counter");
  for (int i = 0; i < 3; i++) {
    wire::Header header;
    uint32_t flags = 0;
    const auto reply = client->receive(&header, &flags);
    ASSERT_TRUE(reply);
    EXPECT_TRUE(flags & wire::kMoreToCome);
    if (i > 0) {
      EXPECT_EQ(header.response_to, last_id);
    }
    last_id = header.request_id;
    EXPECT_GE(number(*reply, "topologyVersion.counter"), counter);
    counter = number(*reply, "topologyVersion.counter");
  }
}

TEST_F(Handshake, RefusesUnknownCommandsAndFields) {
  start();
  auto client = connect(0);
  EXPECT_EQ(client->code("admin", R"({"noSuchCommand":1})"), 59);
  const auto reply = client->run("t", R"({"insert":"a","nope":1,"documents":[{"q":1}]})");
  EXPECT_EQ(number(reply, "code"), 40415);
  EXPECT_EQ(text(reply, "errmsg"), "BSON field 'insert.nope' is an unknown field.");
}

TEST_F(Handshake, CutsOffAClientThatSendsNoMessage) {
  start();
  auto client = connect(0);
  ASSERT_TRUE(client->send(std::vector<uint8_t>(64, 0xff)));
  EXPECT_FALSE(client->receive());
  EXPECT_EQ(number(connect(0)->ok("admin", R"({"ping":1})"), "ok"), 1);
}

TEST_F(Handshake, TakesNoMoreConnectionsThanItMay) {
  ReplicaSetOptions options;
  options.connections_max = 2;
  start(options);
  auto first = connect(0);
  auto second = connect(0);
  first->ok("admin", R"({"ping":1})");
  second->ok("admin", R"({"ping":1})");
  EXPECT_FALSE(connect(0)->run("admin", R"({"ping":1})"));
}

TEST_F(Handshake, DemandsAuthenticationWhenAUserIsGiven) {
  ReplicaSetOptions options;
  options.user = "u";
  options.password = "p";
  start(options);
  auto client = connect(0);
  client->ok("admin", R"({"hello":1})");
  EXPECT_EQ(client->code("t", R"({"find":"a"})"), 13);
  EXPECT_EQ(client->code("admin",
                         R"({"saslStart":1,"mechanism":"PLAIN","payload":{"$binary":"AA==","$type":"00"}})"),
            334);
}

}  // namespace
}  // namespace tidemark::sandbox
