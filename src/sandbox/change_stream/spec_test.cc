#include "sandbox/change_stream/spec.h"

#include <gtest/gtest.h>

#include "sandbox/change_stream/testing/log.h"

namespace tidemark::sandbox {
namespace {

constexpr ServerVersion kClassic{4, 2};
constexpr ServerVersion kModern{7, 0};

CommandError refusal(const std::string& ns, const std::string& pipeline, ServerVersion version = kModern) {
  TestLog log;
  auto stream = open_stream(log, ns, pipeline, version);
  if (stream) {
    ADD_FAILURE() << "accepted: " << pipeline;
    return {};
  }
  return stream.error();
}

struct Refused {
  const char* ns;
  const char* pipeline;
  int code;
  const char* message;
};

TEST(StreamSpec, IsRefusedAsRecorded) {
  const Refused cases[] = {
      {"truth.a", R"([{"$changeStream": {"resumeAfter": {"_data": "82"}, "startAfter": {"_data": "82"}}}])",
       50865, "Do not specify both 'resumeAfter' and 'startAfter' in a $changeStream stage"},
      {"truth.a", R"([{"$changeStream": {"resumeAfter": {"_data": "826B0257980000000C2B0229296E04"},
                                         "startAtOperationTime": {"$timestamp": {"t": 1, "i": 1}}}}])",
       40674, "Only one type of resume option is allowed, but multiple were found."},
      {"truth.a", R"([{"$changeStream": {"resumeAfter": {"_data": "zz"}}}])", 9,
       "resume token string was not a valid hex string"},
      {"truth.a", R"([{"$changeStream": {"resumeAfter": {}}}])", 40647,
       "Bad resume token: _data of missing or of wrong type. Expected string, got {}"},
      {"truth.a", R"([{"$changeStream": {"resumeAfter": 5}}])", 14,
       "BSON field '$changeStream.resumeAfter' is the wrong type 'int', expected type 'object'"},
      {"truth.a", R"([{"$changeStream": {"resumeAfter": {"_data": "826B025798000000022B"}}}])", 15,
       "Invalid advance (1) past end of buffer[0] at offset: 0"},
      {"truth.a", R"([{"$changeStream": {"nope": 1}}])", 40415,
       "BSON field '$changeStream.nope' is an unknown field."},
      {"truth.a", R"([{"$changeStream": {"fullDocument": "always"}}])", 40575,
       "unrecognized value for the 'fullDocument' option to the $changeStream stage. Expected \"default\" or "
       "\"updateLookup\", got \"always\""},
      {"truth.a", R"([{"$changeStream": {}}, {"$group": {"_id": 1}}])", 20,
       "$group is not permitted in a $changeStream pipeline"},
      {"truth.a", R"([{"$changeStream": {}}, {"$out": "x"}])", 20,
       "$out is not permitted in a $changeStream pipeline"},
      {"truth.a", R"([{"$changeStream": {}}, {"$limit": 1}])", 20,
       "$limit is not permitted in a $changeStream pipeline"},
      {"truth.a", R"([{"$changeStream": {}}, {"$nope": 1}])", 40324,
       "Unrecognized pipeline stage name: '$nope'"},
      {"truth", R"([{"$changeStream": {"allChangesForCluster": true}}])", 72,
       "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, and "
       "with no "
       "collection name; found truth.$cmd.aggregate"},
      {"admin.system.users", R"([{"$changeStream": {}}])", 73,
       "$changeStream may not be opened on the internal admin database"},
      {"local.oplog.rs", R"([{"$changeStream": {}}])", 73,
       "$changeStream may not be opened on the internal local database"},
      {"truth.a", R"([{"$changeStream": {"showExpandedEvents": true}}])", 40415,
       "BSON field '$changeStream.showExpandedEvents' is an unknown field."},
      {"truth.a", R"([{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {}}])", 40324,
       "Unrecognized pipeline stage name: '$changeStreamSplitLargeEvent'"},
  };
  for (const Refused& refused : cases) {
    const CommandError error = refusal(refused.ns, refused.pipeline, kClassic);
    EXPECT_EQ(error.code, refused.code) << refused.pipeline;
    EXPECT_EQ(error.message, refused.message);
  }
}

TEST(StreamSpec, SevenWordsSomeRefusalsDifferently) {
  EXPECT_EQ(refusal("truth.a", R"([{"$changeStream": {"fullDocument": "always"}}])").code, 2);
  EXPECT_EQ(refusal("truth.a", R"([{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {"a": 1}}])").code,
            7182800);
  EXPECT_EQ(
      refusal("truth.a", R"([{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {}}, {"$match": {}}])")
          .code,
      7182802);
  EXPECT_EQ(refusal("truth.system.views", R"([{"$changeStream": {}}])").message,
            "$changeStream may not be opened on the internal truth.system.views collection");
  EXPECT_EQ(
      refusal("truth.a",
              R"([{"$changeStream": {"resumeAfter": {"_data": "826B0257A1000000032B022C0100296E04"}}}])")
          .code,
      260);
}

TEST(StreamSpec, NullOptionsCountAsAbsent) {
  TestLog log;
  EXPECT_TRUE(open_stream(log, "truth.a", R"([{"$changeStream": {"resumeAfter": null, "startAfter": null}}])",
                          kClassic));
}

TEST(StreamSpec, OnlyMajorityIsAReadConcernOfAStream) {
  EXPECT_TRUE(check_stream_read_concern({}, kModern));
  EXPECT_TRUE(check_stream_read_concern(json(R"({"level": "majority"})"), kModern));
  const auto refused = check_stream_read_concern(json(R"({"level": "local"})"), kClassic);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 72);
  EXPECT_EQ(refused.error().message,
            "$changeStream cannot run with a readConcern other than 'majority', or in a multi-document "
            "transaction. "
            "Current readConcern: { readConcern: { level: \"local\" } }");
}

}  // namespace
}  // namespace tidemark::sandbox
