#include "sources/mongodb/stream_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"
#include "env/posix/clock.h"
#include "sources/mongodb/testing/fake_server.h"
#include "sources/mongodb/testing/options.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

bson::Document doc(const std::string& json) {
  auto parsed = bson::Document::from_json(json);
  EXPECT_TRUE(parsed) << json;
  return *parsed;
}

Position at(std::string_view data) {
  bson::Builder builder;
  builder.append("_data", data);
  return Position(builder.view());
}

std::string event(const std::string& data) {
  return R"({"_id": {"_data": ")" + data +
         R"("}, "operationType": "insert", "ns": {"db": "shop", "coll": "orders"},
             "documentKey": {"_id": 1}})";
}

bson::Document cursor(const std::string& batch, const std::string& items, const std::string& mark,
                      int id = 5) {
  return doc(R"({"cursor": {")" + batch + R"(": [)" + items + R"(], "postBatchResumeToken": {"_data": ")" +
             mark + R"("}, "id": {"$numberLong": ")" + std::to_string(id) +
             R"("}, "ns": "shop.orders"}, "ok": 1})");
}
bson::Document opened(const std::string& mark) { return cursor("firstBatch", "", mark); }
bson::Document more(const std::string& items, const std::string& mark, int id = 5) {
  return cursor("nextBatch", items, mark, id);
}
bson::Document error(int code, const std::string& extra = "") {
  return doc(R"({"ok": 0, "code": )" + std::to_string(code) + R"(, "errmsg": "scripted")" + extra + "}");
}

// A server that plays a list of replies to aggregate and getMore, one each, and then says that nothing happens. What it
// was asked is kept.
class Script {
 public:
  using Step = std::optional<bson::Document>;

  explicit Script(std::vector<Step> steps, int wire_version = 21)
      : steps_(std::move(steps)),
        server_([this](bson::View command) { return play(command); }, wire_version) {}

  std::string uri() const { return server_.uri(); }
  size_t connections() { return server_.connections(); }
  // "aggregate 8201 split" and "getMore 1000", in order.
  std::vector<std::string> asked() {
    MutexLock lock(mutex_);
    return asked_;
  }

 private:
  Step play(bson::View command) {
    MutexLock lock(mutex_);
    const std::string line = describe(command);
    if (line.empty()) return doc(R"({"ok": 1})");
    asked_.push_back(line);
    if (next_ < steps_.size()) return steps_[next_++];
    return more("", "82FFFF");
  }

  static std::string describe(bson::View command) {
    if (command.find("getMore")) return "getMore " + std::to_string(*command.find("batchSize")->integer());
    if (!command.find("aggregate")) return "";
    std::string line = "aggregate";
    const auto stage = command.find_path("pipeline.0.$changeStream")->document();
    for (const char* name : {"startAfter", "resumeAfter"}) {
      if (const auto token = stage.find(name))
        line += " " + std::string(name) + " " + std::string(token->document().find("_data")->string());
    }
    for (const bson::Element item : command.find("pipeline")->document()) {
      if (item.document().find("$changeStreamSplitLargeEvent")) line += " split";
      if (item.document().find("$project")) line += " slim";
    }
    return line;
  }

  Mutex mutex_;
  std::vector<Step> steps_;
  size_t next_ = 0;
  std::vector<std::string> asked_;
  FakeServer server_;
};

std::unique_ptr<StreamSource> source_of(const std::string& uri, std::string split = "auto") {
  static PosixClock clock;
  SourceOptions options = options_for(uri);
  options.split = std::move(split);
  return std::make_unique<StreamSource>(std::move(options), clock);
}

std::vector<std::string> ids(const Result<SourceBatch>& batch) {
  if (!batch) return {batch.error().describe()};
  std::vector<std::string> all;
  for (const Event& event : batch->events->events()) all.emplace_back(event.id);
  return all;
}

constexpr milliseconds kWait{50};

TEST(StreamSource, OpensAtTheHighWaterMarkAndReadsOn) {
  Script script({opened("8201"), more(event("8202") + "," + event("8203"), "8204")});
  const auto source = source_of(script.uri());
  const auto position = source->open(at("8200"), {});
  ASSERT_TRUE(position) << position.error().describe();
  EXPECT_EQ(*position, at("8201"));
  const auto batch = source->read(kWait, {});
  EXPECT_THAT(ids(batch), ElementsAre("8202", "8203"));
  EXPECT_EQ(batch->resume_after, at("8204"));
  EXPECT_THAT(script.asked(), ElementsAre("aggregate startAfter 8200 split", "getMore 1000"));
}

TEST(StreamSource, ReadsACollectionAgainThatARenameBroughtAndThenGoesOn) {
  const std::string rename =
      R"({"_id": {"_data": "8202"}, "operationType": "rename",
          "clusterTime": {"$timestamp": {"t": 7, "i": 3}}, "ns": {"db": "shop", "coll": "made"},
          "to": {"db": "shop", "coll": "orders"}})";
  std::vector<std::string> finds;
  int streamed = 0;
  FakeServer server([&](bson::View command) -> std::optional<bson::Document> {
    if (command.find("find")) {
      finds.push_back(bson::to_json(command));
      return cursor("firstBatch", R"({"_id": 1, "v": "a"}, {"_id": 2, "v": "b"})", "82FF", 0);
    }
    if (command.find("aggregate")) return opened("8201");
    return ++streamed == 1 ? more(rename, "8203") : more(event("8204"), "8205");
  });
  SourceOptions options;
  options.pipeline = "orders";
  options.driver.uri = server.uri();
  options.driver.app_name = "test";
  options.driver.server_selection_timeout = milliseconds(2000);
  options.stream.database = "shop";
  options.stream.collection = "orders";
  options.stream.stages = bson::Builder().finish();
  options.reread.names = {"shop", "orders", {}};
  options.reread.rereads = true;
  PosixClock clock;
  StreamSource source(std::move(options), clock);
  ASSERT_TRUE(source.open(at("8200"), {}));

  const auto renamed = source.read(kWait, {});
  EXPECT_THAT(ids(renamed), ElementsAre("8202"));
  EXPECT_EQ(renamed->resume_after, at("8201"));
  const auto read = source.read(kWait, {});
  ASSERT_TRUE(read) << read.error().describe();
  ASSERT_EQ(read->events->events().size(), 3u);
  EXPECT_EQ(read->events->events()[1].after.find("v")->string(), "b");
  EXPECT_EQ(read->events->events()[2].op, Op::kRereadEnd);
  EXPECT_EQ(read->resume_within, at("8201"));
  EXPECT_EQ(read->resume_after, at("8203"));
  EXPECT_THAT(ids(source.read(kWait, {})), ElementsAre("8204"));
  ASSERT_EQ(finds.size(), 1u);
  EXPECT_THAT(finds[0], ::testing::HasSubstr("majority"));
  EXPECT_THAT(finds[0], ::testing::HasSubstr(R"("afterClusterTime":{"$timestamp":{"t":7,"i":3}})"));
}

TEST(StreamSource, DoesNotStandBehindAFirstBatchThatNobodyAskedFor) {
  Script script({cursor("firstBatch", event("8202"), "8203")});
  const auto source = source_of(script.uri());
  EXPECT_EQ(*source->open(at("8200"), {}), at("8200"));
  const auto batch = source->read(kWait, {});
  EXPECT_THAT(ids(batch), ElementsAre("8202"));
  EXPECT_EQ(batch->resume_after, at("8203"));
}

TEST(StreamSource, FallsBackToResumeAfterAtTheSamePositionAndRemembers) {
  Script script({error(40415), opened("8201"), error(43), opened("8201")}, 8);
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  ASSERT_TRUE(source->read(kWait, {}));
  EXPECT_THAT(script.asked(), ElementsAre("aggregate startAfter 8200", "aggregate resumeAfter 8200",
                                          "getMore 1000", "aggregate resumeAfter 8201", "getMore 1000"));
}

TEST(StreamSource, DropsTheSplittingStageWhereTheServerRefusesItAndRemembers) {
  Script script({error(40324), opened("8201"), error(43), opened("8201")});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  ASSERT_TRUE(source->read(kWait, {}));
  EXPECT_THAT(script.asked(), ElementsAre("aggregate startAfter 8200 split", "aggregate startAfter 8200",
                                          "getMore 1000", "aggregate startAfter 8201", "getMore 1000"));
}

TEST(StreamSource, RefusesAServerThatCannotSplitWhenItMust) {
  Script script({error(40324)});
  const auto source = source_of(script.uri(), "on");
  const auto position = source->open(at("8200"), {});
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().react, React::kConfig);
  EXPECT_NE(position.error().hint.find("6.0.9"), std::string::npos);
}

TEST(StreamSource, TellsTheFirstRefusalWhenEveryWayIsRefused) {
  Script script({error(9), error(40415), error(9), error(9)});
  const auto position = source_of(script.uri())->open(at("8200"), {});
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().react, React::kPositionLost);
  EXPECT_EQ(position.error().code, 9);
}

TEST(StreamSource, ResumesOnceByItselfAtTheEndOfWhatWasRead) {
  Script script({opened("8201"), more(event("8202"), "8203"), std::nullopt, opened("8203"),
                 more(event("8204"), "8205")});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  EXPECT_THAT(ids(source->read(kWait, {})), ElementsAre("8202"));
  EXPECT_THAT(ids(source->read(kWait, {})), ElementsAre("8204"));
  EXPECT_THAT(script.asked(), ElementsAre("aggregate startAfter 8200 split", "getMore 1000", "getMore 1000",
                                          "aggregate startAfter 8203 split", "getMore 1000"));
}

TEST(StreamSource, HandsAFaultThatComesBackBeforeAnythingWasReadToThePipeline) {
  Script script({opened("8201"), error(11602), opened("8201"), error(11602)});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  const auto batch = source->read(kWait, {});
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kRetry);
  ASSERT_TRUE(source->open(at("8201"), {}));
  EXPECT_TRUE(source->read(kWait, {}));
}

TEST(StreamSource, NeverOpensAnywhereButAtItsPosition) {
  Script script({error(286)});  // whatever is asked after that would be granted
  const auto source = source_of(script.uri());
  const auto position = source->open(at("8200"), {});
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().react, React::kPositionLost);
  EXPECT_THAT(script.asked(), testing::Each(testing::HasSubstr("After 8200")));
}

// A server keeps a connection whose user was dropped logged out for good, also when the user is there again.
TEST(StreamSource, LogsInAnewAfterARefusal) {
  Script script({error(13), opened("8201"), error(13), opened("8201"), more(event("8202"), "8202")});
  const auto source = source_of(script.uri());
  EXPECT_EQ(source->open(at("8200"), {}).error().react, React::kDenied);
  size_t connections = script.connections();
  ASSERT_TRUE(source->open(at("8200"), {}));
  EXPECT_GT(script.connections(), connections);
  EXPECT_EQ(source->read(kWait, {}).error().react, React::kDenied);
  connections = script.connections();
  ASSERT_TRUE(source->open(at("8201"), {}));
  EXPECT_GT(script.connections(), connections);
  EXPECT_THAT(ids(source->read(kWait, {})), ElementsAre("8202"));
}

TEST(StreamSource, NeverResumesALostPosition) {
  for (const int code : {286, 280, 136}) {
    Script script({opened("8201"), error(code)});
    const auto source = source_of(script.uri());
    ASSERT_TRUE(source->open(at("8200"), {}));
    const auto batch = source->read(kWait, {});
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().react, React::kPositionLost) << code;
    EXPECT_EQ(script.asked().size(), 2u);
  }
}

TEST(StreamSource, TakesAMangledTokenThatTheFirstGetMoreFindsForALostPosition) {
  Script script({opened("8201"), error(40585)});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  EXPECT_EQ(source->read(kWait, {}).error().react, React::kPositionLost);
}

TEST(StreamSource, ObeysTheLabelsOfTheServer) {
  Script script({opened("8201"), error(987654, R"(, "errorLabels": ["ResumableChangeStreamError"])"),
                 opened("8201"), more(event("8202"), "8202"),
                 error(987654, R"(, "errorLabels": ["NonResumableChangeStreamError"])")});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  EXPECT_THAT(ids(source->read(kWait, {})), ElementsAre("8202"));
  EXPECT_EQ(source->read(kWait, {}).error().react, React::kPositionLost);
}

TEST(StreamSource, EndsWithTheInvalidateAndOpensBehindIt) {
  const std::string invalidate = R"({"_id": {"_data": "8203"}, "operationType": "invalidate"})";
  Script script({opened("8201"), more(event("8202") + "," + invalidate, "8203", 0), opened("8203")});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  const auto batch = source->read(kWait, {});
  EXPECT_THAT(ids(batch), ElementsAre("8202", "8203"));
  EXPECT_TRUE(batch->closed);
  ASSERT_TRUE(source->open(batch->resume_after, {}));
  EXPECT_EQ(script.asked().back(), "aggregate startAfter 8203 split");
}

TEST(StreamSource, WaitsLoudlyAtAPositionWhereTheServerAlwaysClosesTheStream) {
  std::vector<Script::Step> steps;
  for (int i = 0; i < 3; ++i) {
    steps.emplace_back(opened("8201"));
    steps.emplace_back(more("", "8201", 0));
  }
  Script script(steps);
  const auto source = source_of(script.uri());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(source->open(at("8201"), {}));
    EXPECT_TRUE(source->read(kWait, {})->closed);
  }
  ASSERT_TRUE(source->open(at("8201"), {}));
  const auto batch = source->read(kWait, {});
  ASSERT_FALSE(batch);
  const Error& error = batch.error();
  EXPECT_EQ(error.react, React::kRetry);
  EXPECT_TRUE(error.unknown);
  EXPECT_THAT(error.what, ::testing::HasSubstr("at the same position"));
}

TEST(StreamSource, RejectsExactlyTheOneEventThatIsTooLarge) {
  Script script(
      {
          opened("8201"),                               //
          error(10334),                                 // a batch with a good event and a large one
          opened("8201"), more(event("8202"), "8202"),  // again, one by one
          error(10334),                                 // this is it
          opened("8202"), more(event("8203"), "8203"),  // by its name alone
          opened("8203"), more(event("8204"), "8204"),  // and on
      },
      8);
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  const auto good = source->read(kWait, {});
  EXPECT_THAT(ids(good), ElementsAre("8202"));
  EXPECT_TRUE(good->events->events()[0].reject_reason.empty());
  const auto large = source->read(kWait, {});
  EXPECT_THAT(ids(large), ElementsAre("8203"));
  EXPECT_FALSE(large->events->events()[0].reject_reason.empty());
  EXPECT_TRUE(large->events->events()[0].key);
  EXPECT_EQ(large->resume_after, at("8203"));
  EXPECT_THAT(ids(source->read(kWait, {})), ElementsAre("8204"));
  EXPECT_THAT(script.asked(),
              ElementsAre("aggregate startAfter 8200", "getMore 1000", "aggregate startAfter 8201",
                          "getMore 1", "getMore 1", "aggregate startAfter 8202 slim", "getMore 1",
                          "aggregate startAfter 8203", "getMore 1000"));
}

TEST(StreamSource, AsksForFewerEventsWhileTheyAreLarge) {
  const std::string large =
      R"({"_id": {"_data": "8202"}, "operationType": "insert", "fullDocument": {"x": ")" +
      std::string(1 << 20, 'x') + R"("}})";
  Script script({opened("8201"), more(large, "8202"), more(event("8203"), "8203")});
  const auto source = source_of(script.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(source->read(kWait, {}));
  EXPECT_THAT(script.asked(),
              ElementsAre("aggregate startAfter 8200 split", "getMore 1000", "getMore 3", "getMore 1000"));
}

TEST(StreamSource, StopEndsAReadThatWaitsForASilentServer) {
  Mutex mutex;
  CondVar changed;
  bool asked = false;
  bool ended = false;
  FakeServer server([&](bson::View command) -> std::optional<bson::Document> {
    if (command.find("aggregate")) return opened("8201");
    if (!command.find("getMore")) return doc(R"({"ok": 1})");
    MutexLock lock(mutex);
    asked = true;
    changed.notify_all();
    while (!ended) changed.wait(mutex);
    return std::nullopt;
  });
  const auto source = source_of(server.uri());
  ASSERT_TRUE(source->open(at("8200"), {}));
  std::stop_source stop;
  std::jthread stopper([&] {
    MutexLock lock(mutex);
    while (!asked) changed.wait(mutex);
    stop.request_stop();
  });
  const auto batch = source->read(kWait, stop.get_token());
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kCancelled);
  {
    MutexLock lock(mutex);
    ended = true;
    changed.notify_all();
  }
  source->close();
}

TEST(StreamSource, SaysThatAMemberIsThere) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  Script script({opened("8201")});
  const auto source = source_of(script.uri());
  source->on_ready([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.notify_all();
  });
  ASSERT_TRUE(source->open(at("8200"), {}));
  MutexLock lock(mutex);
  while (!ready) changed.wait(mutex);
}

TEST(StreamSourceResolve, GivesTheMarkOfAStreamOpenedThereAndChecksIt) {
  Script script({opened("8201"), more("", "8201"), opened("8209"), more("", "8209")});
  const auto source = source_of(script.uri());
  EXPECT_EQ(*source->resolve({}, {}), at("8201"));
  EXPECT_EQ(*source->resolve({StartPoint::Kind::kToken, {}, "8209"}, {}), at("8209"));
  EXPECT_THAT(script.asked(),
              ElementsAre("aggregate split", "getMore 1", "aggregate startAfter 8209 split", "getMore 1"));
}

TEST(StreamSourceResolve, CallsABadTokenAndALateTimeTheOperatorsMistake) {
  Script script({opened("8209"), error(40585), error(40576)});
  const auto source = source_of(script.uri());
  const auto token = source->resolve({StartPoint::Kind::kToken, {}, "8209"}, {});
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().react, React::kConfig);
  EXPECT_FALSE(token.error().hint.empty());
  const auto time = source->resolve({StartPoint::Kind::kTime, {1, 1}, ""}, {});
  ASSERT_FALSE(time);
  EXPECT_EQ(time.error().react, React::kConfig);
}

}  // namespace
}  // namespace tidemark::mongodb
