// Documents that a client's own checks would refuse, and what a server makes of them.
#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

bson::Document from_hex(std::string_view hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bson::Document(bson::View::unchecked(bytes.data(), static_cast<uint32_t>(bytes.size())));
}

class OddDocuments : public SetTest {
 protected:
  void begin(ServerVersion version) {
    ReplicaSetOptions options;
    options.version = version;
    start(options);
    client = connect_primary();
  }
  // insert with the documents in a sequence of their own, as drivers send them: their bytes stay as they are.
  bson::Document insert(const bson::Document& document) {
    const wire::DocumentSequence sequence{"documents", {document.view()}};
    const auto body = doc(R"({"insert":"c","$db":"t"})");
    EXPECT_TRUE(client->send(wire::serialize_msg(77, 0, 0, body, std::span(&sequence, 1))));
    return client->receive().value_or(bson::Document());
  }
  // The raw documents of the collection, in natural order.
  std::vector<bson::Document> stored() {
    std::vector<bson::Document> out;
    const auto reply = client->ok("t", R"({"find":"c"})");
    for (const auto& item : reply.view().find_path("cursor.firstBatch")->document())
      out.emplace_back(item.document());
    return out;
  }
  int64_t update(const std::string& u, bool upsert = false) {
    const auto reply = client->run("t", R"({"update":"c","updates":[{"q":{"_id":1},"u":)" + u +
                                            R"(,"upsert":)" + (upsert ? "true" : "false") + "}]}");
    const int64_t code = number(reply, "writeErrors.0.code");
    return code == INT64_MIN ? 0 : code;
  }

  std::unique_ptr<TestClient> client;
};

TEST_F(OddDocuments, BytesThatAServerTakesComeBackByteForByte) {
  begin({4, 4});
  const bson::Document odd[] = {
      from_hex("2d000000105f69640001000000056100050000000201020304051062000200000002630004000000656e640000"),
      from_hex("11000000025f6964000300000061e90000"),
      from_hex("11000000025f6964000300000061e80000"),
      from_hex("1c000000105f69640004000000107a0001000000107a000200000000"),
  };
  for (const auto& document : odd) EXPECT_EQ(number(insert(document), "n"), 1);
  const auto kept = stored();
  ASSERT_EQ(kept.size(), std::size(odd));
  for (size_t i = 0; i < kept.size(); i++) EXPECT_TRUE(kept[i].view() == odd[i].view()) << i;
}

TEST_F(OddDocuments, ABooleanThatIsNeitherIsRefusedAndTheConnectionStays) {
  begin({4, 4});
  const auto refused = insert(from_hex("12000000105f696400010000000862000200"));
  EXPECT_EQ(number(refused, "code"), 22);
  EXPECT_EQ(text(refused, "codeName"), "InvalidBSON");
  client->ok("admin", R"({"ping":1})");
}

TEST_F(OddDocuments, AReplacedIdTakesItsNewTypeAndTheKeyOfTheEventIsTheNewOne) {
  begin({4, 4});
  client->ok("t", R"({"insert":"c","documents":[{"_id":1}]})");
  const auto opened = client->ok("t", R"({"aggregate":"c","pipeline":[{"$changeStream":{}}],"cursor":{}})");
  EXPECT_EQ(update(R"({"_id":{"$numberLong":"1"},"v":2})"), 0);
  EXPECT_EQ(update(R"({"$set":{"v":3}})"), 0);
  client->ok("t", R"({"delete":"c","deletes":[{"q":{"_id":1},"limit":1}]})");
  bson::Builder more;
  more.append("getMore", number(opened, "cursor.id")).append("collection", "c").append("maxTimeMS", 500);
  const auto events = client->run("t", more.view());
  for (const auto* at : {"0", "1", "2"}) {
    const auto key = events.view().find_path("cursor.nextBatch." + std::string(at) + ".documentKey._id");
    ASSERT_TRUE(key) << at;
    EXPECT_EQ(key->type(), BSON_TYPE_INT64) << at;
  }
  EXPECT_EQ(update(R"({"_id":2})"), 0);
  client->ok("t", R"({"insert":"c","documents":[{"_id":1}]})");
  EXPECT_EQ(update(R"({"_id":2})"), 66);
}

TEST_F(OddDocuments, DollarNamesMayBeInsertedAndNotWrittenByAnUpdateUntil50) {
  begin({4, 4});
  EXPECT_EQ(number(client->ok("t", R"({"insert":"c","documents":[{"_id":1,"s":{"$schema":"x"}}]})"), "n"), 1);
  EXPECT_EQ(
      number(client->run("t", R"({"insert":"c","documents":[{"_id":5,"$x":1}]})"), "writeErrors.0.code"), 2);
  EXPECT_EQ(update(R"({"s":{"$schema":"y"}})"), 52);
  EXPECT_EQ(update(R"({"$set":{"s":{"$schema":"y"}}})"), 52);
  EXPECT_EQ(update(R"([{"$set":{"v":1}}])"), 52) << "a pipeline's result is checked whole";
  EXPECT_EQ(update(R"({"$set":{"v":1}})"), 0) << "a modifier's is checked where it wrote";
  EXPECT_EQ(update(R"({"r":{"$id":1,"$ref":"c"}})"), 55);
  EXPECT_EQ(update(R"({"r":{"$ref":"c","x":1,"$id":1}})"), 55);
  EXPECT_EQ(update(R"({"r":{"$ref":"c","$id":1,"$db":"d","more":2}})"), 0);
}

TEST_F(OddDocuments, DollarNamesBelowTheTopMayBeWrittenByAnUpdateFrom50On) {
  begin({7, 0});
  client->ok("t", R"({"insert":"c","documents":[{"_id":1}]})");
  EXPECT_EQ(update(R"({"s":{"$schema":"y"}})"), 0);
}

TEST_F(OddDocuments, AnEmptyTimestampAtTheTopBecomesNowButNotInAnIdOrAPipeline) {
  begin({4, 4});
  client->ok("t",
             R"({"insert":"c","documents":[{"_id":1,"t":{"$timestamp":{"t":0,"i":0}},
                 "d":{"t":{"$timestamp":{"t":0,"i":0}}}},{"_id":{"$timestamp":{"t":0,"i":0}}}]})");
  const auto seconds = [this](const char* path) {
    const auto kept = stored();
    const auto field = kept.front().view().find_path(path);
    uint32_t s = 0;
    uint32_t i = 0;
    if (field) bson_iter_timestamp(&field->iter(), &s, &i);
    return s;
  };
  EXPECT_GT(seconds("t"), 0u);
  EXPECT_EQ(seconds("d.t"), 0u);
  EXPECT_EQ(number(client->ok("t", R"({"count":"c","query":{"_id":{"$timestamp":{"t":0,"i":0}}}})"), "n"), 1);
  EXPECT_EQ(update(R"({"r":{"$timestamp":{"t":0,"i":0}}})"), 0);
  EXPECT_GT(seconds("r"), 0u);
  EXPECT_EQ(update(R"([{"$set":{"p":{"$literal":{"$timestamp":{"t":0,"i":0}}}}}])"), 0);
  EXPECT_EQ(seconds("p"), 0u);
}

}  // namespace
}  // namespace tidemark::sandbox
