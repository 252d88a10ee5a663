#include "core/dead_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

// A letter of a version that kept the text alone.
DeadLetter letter_of(const std::string& document) {
  DeadLetter letter;
  letter.id = "8265";
  letter.pipeline = "orders";
  letter.event = R"({"_id":{"_data":"8265"},"operationType":"insert","ns":{"db":"shop","coll":"orders"},)"
                 R"("documentKey":{"_id":{"$numberInt":"1"}},"fullDocument":)" +
                 document + "}";
  return letter;
}

TEST(EventOfAnOldLetter, IsToTheByteWhatItsTextSays) {
  const std::string document =
      R"({"_id":{"$numberInt":"1"},"l":{"$numberLong":"9007199254740993"},"d":{"$numberDouble":"-0.0"},)"
      R"("m":{"$numberDecimal":"9.999999999999999999999999999999999E+6144"},"i":{"$numberDouble":"-Infinity"},)"
      R"("t":{"$date":{"$numberLong":"-1"}},"z":{"$numberInt":"1"},"z":{"$numberInt":"2"},"n":"a\u0000b"})";
  EventBatch batch;
  const auto event = event_of(letter_of(document), batch);
  ASSERT_TRUE(event) << event.error().describe();
  EXPECT_EQ(bson::to_json(event->after), document);
  EXPECT_TRUE(event->hidden);
}

TEST(EventOfAnOldLetter, IsRefusedWhereItMayNotBeWhatTheEventWas) {
  for (const char* document :
       {R"({"_id":{"$numberInt":"1"},"s":"caf�"})",                // bytes that its version couldn't say
        R"({"_id":{"$numberInt":"1"},"n":12345678901234567890})",  // a number without a type
        R"({"_id":{"$numberInt":"1"},"n":{"$numberInt":"2147483648"}})",  // that its type doesn't hold
        R"({"_id":{"$numberInt":"1"},"b":{"$binary":"AAEC","$type":"00"}})",
        "{\"_id\":{\"$numberInt\":\"1\"},\"s\":\"caf\xe9\"}", R"({"_id":{"$numberInt":"1"},"cut)"}) {
    EventBatch batch;
    const auto event = event_of(letter_of(document), batch);
    ASSERT_FALSE(event) << document;
    EXPECT_EQ(event.error().react, React::kReject) << document;
    EXPECT_THAT(event.error().what, HasSubstr("8265")) << document;
    EXPECT_THAT(event.error().hint, HasSubstr("audit --repair")) << document;
  }
}

// Bytes say all that the event had, whatever its text looks like.
TEST(EventOfALetter, ComesFromItsBytes) {
  DeadLetter letter = letter_of(R"({"_id":{"$numberInt":"1"},"s":"caf�"})");
  bson::Builder id, raw;
  id.append("_data", "8265");
  raw.append("_id", id.view()).append("operationType", "drop").append("s", std::string_view("caf\xe9"));
  letter.bytes.assign(reinterpret_cast<const char*>(raw.view().data()), raw.view().size());
  EventBatch batch;
  const auto event = event_of(letter, batch);
  ASSERT_TRUE(event) << event.error().describe();
  EXPECT_TRUE(event->raw == raw.view());
  EXPECT_FALSE(event->hidden);
}

}  // namespace
}  // namespace tidemark
