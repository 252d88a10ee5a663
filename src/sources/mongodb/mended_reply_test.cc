#include "sources/mongodb/mended_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sources/mongodb/batch_reader.h"

namespace tidemark::mongodb {
namespace {

using ::testing::HasSubstr;

bson::Document event(const std::string& token, bson::View document) {
  bson::Builder id, ns, key, out;
  id.append("_data", token);
  ns.append("db", "shop").append("coll", "orders");
  key.append("_id", int32_t{1});
  out.append("_id", id.view()).append("operationType", "insert").append("fullDocument", document);
  return out.append("ns", ns.view()).append("documentKey", key.view()).finish();
}

bson::Document reply_of(const std::vector<bson::Document>& events) {
  bson::Builder batch, mark, cursor, out;
  for (size_t i = 0; i < events.size(); ++i) batch.append(std::to_string(i), events[i]);
  mark.append("_data", "82FF");
  cursor.append_array("nextBatch", batch.view()).append("postBatchResumeToken", mark.view());
  cursor.append("id", int64_t{5}).append("ns", "shop.orders");
  return out.append("cursor", cursor.view()).append("ok", 1.0).finish();
}

// The bytes of `document` with the length of the text "damaged" made wrong.
std::vector<uint8_t> damaged(const bson::Document& document) {
  std::vector<uint8_t> bytes(document.view().bytes().begin(), document.view().bytes().end());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t at = text.find("damaged");
  EXPECT_NE(at, std::string_view::npos);
  bytes[at - 3] = 0x7f;
  return bytes;
}

bson::Document with_text(const char* text) {
  bson::Builder inner, out;
  inner.append("x", int32_t{1}).append("s", text);
  return out.append("_id", int32_t{1}).append("a", inner.view()).append("z", "behind").finish();
}

std::shared_ptr<Reply> filled(std::vector<uint8_t> bytes) {
  auto reply = std::make_shared<Reply>();
  uint8_t* room = bson_reserve_buffer(reply->fill(), static_cast<uint32_t>(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), room);
  return reply;
}

TEST(MendedReply, OneEventThatCannotBeReadIsOneRejectThatNamesTheFieldAndKeepsItsBytes) {
  const bson::Document bad = with_text("damaged");
  auto reply = filled(damaged(
      reply_of({event("8201", with_text("good")), event("8202", bad), event("8203", with_text("good"))})));
  ASSERT_TRUE(reply->accept());
  BatchReader reader;
  const auto batch = reader.read(reply);
  ASSERT_TRUE(batch) << batch.error().what;
  const auto& events = batch->events->events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].reject_reason, "");
  EXPECT_EQ(events[2].reject_reason, "");
  EXPECT_EQ(events[2].after, with_text("good").view());
  EXPECT_THAT(std::string(events[1].reject_reason), HasSubstr("fullDocument.a.s"));
  EXPECT_THAT(std::string(events[1].reject_reason), HasSubstr("a string whose length"));
  EXPECT_TRUE(events[1].malformed);
  EXPECT_EQ(events[1].id, "8202");
  EXPECT_EQ(events[1].op, Op::kInsert);
  EXPECT_EQ(events[1].ns.collection, "orders");
  EXPECT_TRUE(events[1].key);
  const auto kept = events[1].raw.find("fullDocument");
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->type(), BSON_TYPE_BINARY);
  const auto expected = damaged(bad);
  EXPECT_TRUE(
      std::equal(expected.begin(), expected.end(), kept->binary().bytes.begin(), kept->binary().bytes.end()));
  EXPECT_EQ(batch->resume_after.token().find("_data")->string(), "82FF");
}

TEST(MendedReply, AnEventDeeperThanAnyServerNestsIsOneReject) {
  bson::Document deep = bson::Builder().finish();
  for (int level = 0; level < bson::kDepthMax + 10; ++level)
    deep = bson::Builder().append("d", deep.view()).finish();
  const bson::Document whole = reply_of({event("8201", deep), event("8202", with_text("good"))});
  auto reply = filled({whole.view().bytes().begin(), whole.view().bytes().end()});
  ASSERT_TRUE(reply->accept());
  BatchReader reader;
  const auto batch = reader.read(reply);
  ASSERT_TRUE(batch);
  EXPECT_THAT(std::string(batch->events->events()[0].reject_reason), HasSubstr("nested too deeply"));
  EXPECT_EQ(batch->events->events()[1].reject_reason, "");
}

TEST(MendedReply, WithoutAReadableTokenTheStreamWaits) {
  auto reply = filled(damaged(reply_of({event("damaged", with_text("good"))})));
  ASSERT_TRUE(reply->accept());
  BatchReader reader;
  const auto batch = reader.read(reply);
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kRetry);
  EXPECT_TRUE(batch.error().unknown) << "it is said loudly, and waited for";
  EXPECT_THAT(batch.error().what, HasSubstr("resume token"));
}

TEST(MendedReply, DamageOutsideOfTheBatchIsAnErrorOfTheReply) {
  bson::Builder out;
  out.append("ok", 1.0).append("errmsg", "damaged");
  auto reply = filled(damaged(out.finish()));
  EXPECT_FALSE(reply->accept());
  EXPECT_FALSE(mend_reply({}));
}

TEST(MendedReply, NothingIsCopiedOfAReplyThatIsWell) {
  const bson::Document whole = reply_of({event("8201", with_text("good"))});
  auto reply = filled({whole.view().bytes().begin(), whole.view().bytes().end()});
  const uint8_t* before = reply->view().data();
  ASSERT_TRUE(reply->accept());
  EXPECT_EQ(reply->view().data(), before);
  EXPECT_EQ(reply->flaw(0), "");
}

}  // namespace
}  // namespace tidemark::mongodb
