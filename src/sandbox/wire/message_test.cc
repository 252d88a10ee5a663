#include "sandbox/wire/message.h"

#include <cstring>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark::sandbox::wire {
namespace {

bson::Document doc(std::string_view json) { return bson::Document::from_json(json).value(); }

TEST(WireMessage, ReadsBackWhatAClientSends) {
  const auto body = doc(R"({"insert":"a","$db":"t"})");
  const auto one = doc(R"({"_id":1})");
  const auto two = doc(R"({"_id":2})");
  const DocumentSequence sequence{"documents", {one.view(), two.view()}};
  const auto bytes = serialize_msg(7, 0, kExhaustAllowed, body, std::span(&sequence, 1));
  const auto message = parse(bytes);
  ASSERT_TRUE(message) << message.error().what;
  EXPECT_EQ(message->header.request_id, 7);
  EXPECT_TRUE(message->exhaust_allowed());
  EXPECT_TRUE(message->body == body.view());
  ASSERT_EQ(message->sequences.size(), 1u);
  EXPECT_EQ(message->sequences[0].name, "documents");
  ASSERT_EQ(message->sequences[0].documents.size(), 2u);
  EXPECT_TRUE(message->sequences[0].documents[1] == two.view());
}

TEST(WireMessage, ReadsTheHandshakeOfOldDrivers) {
  const auto bytes = serialize_query(3, "admin.$cmd", doc(R"({"isMaster":1})"));
  const auto message = parse(bytes);
  ASSERT_TRUE(message) << message.error().what;
  EXPECT_TRUE(message->is_query());
  EXPECT_EQ(message->collection, "admin.$cmd");
  EXPECT_TRUE(message->body.find("isMaster"));
}

TEST(WireMessage, ChecksTheChecksum) {
  auto bytes = serialize_msg(1, 0, kChecksumPresent, doc(R"({"ping":1})"));
  ASSERT_TRUE(parse(bytes));
  bytes[bytes.size() - 1] ^= 1;
  const auto message = parse(bytes);
  ASSERT_FALSE(message);
  EXPECT_NE(message.error().what.find("checksum"), std::string::npos);
}

TEST(WireMessage, KnowsTheCheckValueOfCrc32c) {
  const char* text = "123456789";
  EXPECT_EQ(crc32c({reinterpret_cast<const uint8_t*>(text), 9}), 0xe3069283u);
}

TEST(WireMessage, RefusesLengthsBeyondTheBound) {
  auto bytes = serialize_msg(1, 0, 0, doc(R"({"ping":1})"));
  const int32_t huge = kMessageBytesMax + 1;
  std::memcpy(bytes.data(), &huge, 4);
  EXPECT_FALSE(parse_header(bytes));
  const int32_t negative = -1;
  std::memcpy(bytes.data(), &negative, 4);
  EXPECT_FALSE(parse_header(bytes));
}

TEST(WireMessage, RefusesUnknownRequiredFlagsAndCompressedMessages) {
  EXPECT_FALSE(parse(serialize_msg(1, 0, 1u << 5, doc("{}"))));
  EXPECT_TRUE(parse(serialize_msg(1, 0, 1u << 20, doc("{}"))));
  auto bytes = serialize_msg(1, 0, 0, doc("{}"));
  const int32_t op = static_cast<int32_t>(OpCode::kCompressed);
  std::memcpy(bytes.data() + 12, &op, 4);
  EXPECT_FALSE(parse(bytes));
}

TEST(WireMessage, RefusesTwoBodiesAndTwoSequencesOfOneName) {
  const auto body = doc(R"({"insert":"a"})");
  auto bytes = serialize_msg(1, 0, 0, body);
  bytes.push_back(0);
  bytes.insert(bytes.end(), body.view().data(), body.view().data() + body.size());
  const int32_t length = static_cast<int32_t>(bytes.size());
  std::memcpy(bytes.data(), &length, 4);
  EXPECT_FALSE(parse(bytes));
  const DocumentSequence twice[] = {{"documents", {body.view()}}, {"documents", {body.view()}}};
  EXPECT_FALSE(parse(serialize_msg(1, 0, 0, body, twice)));
}

TEST(WireMessage, RefusesEveryTruncation) {
  const auto one = doc(R"({"_id":1})");
  const DocumentSequence sequence{"documents", {one.view()}};
  const auto whole = serialize_msg(7, 0, 0, doc(R"({"insert":"a"})"), std::span(&sequence, 1));
  for (size_t size = 0; size < whole.size(); size++) {
    std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    if (size >= 4) {
      const int32_t length = static_cast<int32_t>(size);
      std::memcpy(cut.data(), &length, 4);
    }
    const auto message = parse(cut);
    // Cut exactly between its sections the message is whole again, with the body alone.
    if (message) {
      EXPECT_TRUE(message->sequences.empty());
    }
  }
}

RC_GTEST_PROP(WireMessage, SurvivesArbitraryBytes, ()) {
  auto bytes = *rc::gen::container<std::vector<uint8_t>>(rc::gen::arbitrary<uint8_t>());
  std::vector<uint8_t> message = serialize_msg(1, 0, 0, doc("{}"));
  message.resize(kHeaderBytes);
  message.insert(message.end(), bytes.begin(), bytes.end());
  const int32_t length = static_cast<int32_t>(message.size());
  std::memcpy(message.data(), &length, 4);
  const auto parsed = parse(message);
  if (parsed) RC_ASSERT(parsed->body.size() >= 5u);
}

TEST(WireReply, CarriesItsLengthBeforeTheBody) {
  const auto body = doc(R"({"ok":1})");
  const auto prelude = msg_prelude(9, 7, kMoreToCome, body.size());
  std::vector<uint8_t> bytes(prelude.view().begin(), prelude.view().end());
  bytes.insert(bytes.end(), body.view().data(), body.view().data() + body.size());
  const auto message = parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->header.response_to, 7);
  EXPECT_TRUE(message->more_to_come());
  const auto reply = reply_prelude(9, 7, body.size());
  EXPECT_EQ(reply.size, 36u);
  EXPECT_EQ(parse_header(reply.view())->length, static_cast<int32_t>(36 + body.size()));
}

}  // namespace
}  // namespace tidemark::sandbox::wire
