// What commands ask of a source, and what it says of a position that is lost or an open that is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/clock.h"
#include "sources/mongodb/stream_source.h"
#include "sources/mongodb/testing/fake_server.h"
#include "sources/mongodb/testing/options.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint32_t kNow = 1'700'000'000;  // 2023-11-14T22:13:20Z

bson::Document doc(const std::string& json) {
  auto parsed = bson::Document::from_json(json);
  EXPECT_TRUE(parsed) << json;
  return *parsed;
}

bson::Document refused(int code) {
  return doc(R"({"ok": 0, "code": )" + std::to_string(code) + R"(, "errmsg": "scripted"})");
}

std::string token_at(uint32_t seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "82%08X000000012B", seconds);
  return text;
}

Position position_at(uint32_t seconds) {
  bson::Builder token;
  token.append("_data", token_at(seconds));
  return Position(token.view(), {seconds, 1});
}

bson::Document cursor(const std::string& batch) {
  return doc(R"({"cursor": {")" + batch + R"(": [], "postBatchResumeToken": {"_data": ")" + token_at(kNow) +
             R"("}, "id": {"$numberLong": "5"}, "ns": "shop.orders"}, "ok": 1})");
}

// A deployment at kNow whose oplog begins at `oldest` (0: it may not be read), and what it refuses.
struct World {
  uint32_t oldest = kNow - 3600;
  int aggregate = 0;  // code
  int filtered = 0;   // code of an aggregate with the operator's stages
  int get_more = 0;
  int majority_read = 0;
  std::string type = "collection";
  bool capped = false;
  bool there = true;
  bool mongos = false;
  std::string running = {};  // operations
};

class Deployed {
 public:
  explicit Deployed(World world)
      : world_(std::move(world)),
        server_([this](bson::View command) { return std::optional<bson::Document>(answer(command)); },
                {.wire_version = 9, .mongos = world_.mongos, .hello = hello()}) {}
  std::string uri() const { return server_.uri(); }

 private:
  static bson::Document hello() {
    return doc(R"({"operationTime": {"$timestamp": {"t": )" + std::to_string(kNow) + R"(, "i": 1}}})");
  }

  bson::Document answer(bson::View command) {
    if (command.find("aggregate")) {
      bool filtered = false;
      for (const bson::Element stage : command.find("pipeline")->document())
        filtered = filtered || stage.document().find("$match").has_value();
      if (filtered && world_.filtered != 0) return refused(world_.filtered);
      return world_.aggregate != 0 ? refused(world_.aggregate) : cursor("firstBatch");
    }
    if (command.find("getMore")) return world_.get_more != 0 ? refused(world_.get_more) : cursor("nextBatch");
    if (command.find("listCollections")) {
      if (!world_.there) return cursor("firstBatch");
      return doc(R"({"cursor": {"firstBatch": [{"name": "orders", "type": ")" + world_.type +
                 R"(", "options": {"capped": )" + (world_.capped ? "true" : "false") +
                 R"(}}], "id": {"$numberLong": "0"}, "ns": "x"}, "ok": 1})");
    }
    if (const auto find = command.find("find")) {
      if (find->string() != "oplog.rs")
        return world_.majority_read != 0 ? refused(world_.majority_read) : cursor("firstBatch");
      if (world_.oldest == 0) return refused(13);
      return doc(R"({"cursor": {"firstBatch": [{"ts": {"$timestamp": {"t": )" +
                 std::to_string(world_.oldest) +
                 R"(, "i": 1}}}], "id": {"$numberLong": "0"}, "ns": "local.oplog.rs"}, "ok": 1})");
    }
    if (command.find("currentOp")) return doc(R"({"inprog": [)" + world_.running + R"(], "ok": 1})");
    if (command.find("replSetGetConfig"))
      return doc(
          R"({"config": {"settings": {"replicaSetId": {"$oid": "6553f1000000000000000001"}}}, "ok": 1})");
    return doc(R"({"version": "4.4.0", "ok": 1})");
  }

  const World world_;
  FakeServer server_;
};

std::unique_ptr<StreamSource> source_of(const std::string& uri, const std::string& stages = "[]") {
  static PosixClock clock;
  SourceOptions options = options_for(uri);
  options.stream.stages = doc(stages);
  return std::make_unique<StreamSource>(std::move(options), clock);
}

Error refusal(const Result<Position>& result) {
  EXPECT_FALSE(result);
  return result ? Error{} : result.error();
}

// --- where a position may begin

TEST(StartPoint, ATimeThatIsYetToComeIsRefusedNamingBoth) {
  Deployed deployed({});
  const Error error =
      refusal(source_of(deployed.uri())->resolve({StartPoint::Kind::kTime, {kNow + 3600, 1}, ""}, {}));
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_THAT(error.what, HasSubstr("2023-11-14T23:13:20"));
  EXPECT_THAT(error.what, HasSubstr("2023-11-14T22:13:20"));
  EXPECT_THAT(error.hint, HasSubstr("now"));
}

TEST(StartPoint, ATokenOfTheFutureIsRefused) {
  Deployed deployed({});
  const Error error =
      refusal(source_of(deployed.uri())->resolve({StartPoint::Kind::kToken, {}, token_at(kNow + 1)}, {}));
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_THAT(error.what, HasSubstr("ahead"));
}

TEST(StartPoint, TheDeploymentsOwnSecondIsNoFuture) {
  Deployed deployed({});
  EXPECT_TRUE(source_of(deployed.uri())->resolve({StartPoint::Kind::kTime, {kNow, 1}, ""}, {}));
  EXPECT_TRUE(source_of(deployed.uri())->resolve({StartPoint::Kind::kToken, {}, token_at(kNow)}, {}));
}

TEST(StartPoint, EarliestBehindAMongosIsRefusedWithItsReason) {
  Deployed deployed({.mongos = true});
  const auto source = source_of(deployed.uri());
  const Error error = refusal(source->resolve({StartPoint::Kind::kEarliest, {}, ""}, {}));
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_THAT(error.what, HasSubstr("mongos"));
  EXPECT_TRUE(source->resolve({}, {})) << "now works";
}

TEST(StartPoint, IsGoodAlsoBeforeAnEventThatTheFilterCannotTake) {
  Deployed deployed({.get_more = 241});
  EXPECT_TRUE(source_of(deployed.uri(), R"([{"$match": {"a": 1}}])")->resolve({}, {}));
}

// --- a position that is lost

TEST(LostPosition, WhoseTimeTheOplogStillCoversIsReadAgainFromThatTime) {
  for (const int code : {280, 40585}) {
    Deployed deployed({.aggregate = code});
    const Error error = refusal(source_of(deployed.uri())->open(position_at(kNow - 60), {}));
    EXPECT_EQ(error.react, React::kPositionLost);
    EXPECT_THAT(error.what, HasSubstr("not in this deployment's oplog, although its time is"));
    EXPECT_THAT(error.hint, HasSubstr("--from time:2023-11-14T22:12:20"));
    EXPECT_LT(error.hint.find("--from time:"), error.hint.find("--from now|earliest"))
        << "the one that loses nothing first";
  }
}

TEST(LostPosition, ThatTheOplogHasLeftBehindIsCalledThat) {
  Deployed deployed({.aggregate = 286});
  const Error error = refusal(source_of(deployed.uri())->open(position_at(kNow - 7200), {}));
  EXPECT_EQ(error.react, React::kPositionLost);
  EXPECT_THAT(error.what, HasSubstr("the oplog begins at 2023-11-14T21:13:20"));
  EXPECT_THAT(error.hint, Not(HasSubstr("--from time:2023")));
}

TEST(LostPosition, OfAnOplogThatMayNotBeReadSaysSo) {
  Deployed deployed({.oldest = 0, .aggregate = 280});
  const Error error = refusal(source_of(deployed.uri())->open(position_at(kNow - 60), {}));
  EXPECT_EQ(error.react, React::kPositionLost);
  EXPECT_THAT(error.what, HasSubstr("isn't known"));
  EXPECT_THAT(error.hint, HasSubstr("--from time:2023-11-14T22:12:20"));
}

// --- an open that is refused

TEST(RefusedOpen, ByAnErrorThatNobodyKnowsWaits) {
  Deployed deployed({.aggregate = 987654});
  const Error error = refusal(source_of(deployed.uri())->open(position_at(kNow), {}));
  EXPECT_EQ(error.react, React::kRetry);
  EXPECT_THAT(error.describe(), HasSubstr("987654"));
}

TEST(RefusedOpen, BecauseOfTheFilterIsTheOperatorsWhateverTheCode) {
  for (const int code : {16410, 9, 15, 40400}) {
    SCOPED_TRACE(code);
    Deployed deployed({.filtered = code});
    const Error error =
        refusal(source_of(deployed.uri(), R"([{"$match": {"a": 1}}])")->open(position_at(kNow), {}));
    EXPECT_EQ(error.react, React::kConfig) << error.describe();
    EXPECT_THAT(error.hint, HasSubstr("filter"));
  }
}

TEST(RefusedOpen, OfAViewOrATimeSeriesNamesTheKind) {
  for (const char* kind : {"view", "timeseries"}) {
    for (const int code : {166, 40573, 987654}) {
      Deployed deployed({.aggregate = code, .type = kind});
      const Error error = refusal(source_of(deployed.uri())->open(position_at(kNow), {}));
      EXPECT_EQ(error.react, React::kConfig) << code;
      EXPECT_THAT(error.what, HasSubstr(std::string("shop.orders is a ") + kind)) << code;
    }
  }
}

// --- what goes on

TEST(Health, SaysThatTheServerIsScanningForThisStream) {
  const auto operation = [](const std::string& app, const std::string& ns, int seconds) {
    return R"({"op": "getmore", "appName": ")" + app + R"(", "ns": ")" + ns + R"(", "secs_running": )" +
           std::to_string(seconds) +
           R"(, "cursor": {"originatingCommand": {"aggregate": "orders", "pipeline": [{"$changeStream": {}}]}}})";
  };
  Deployed busy({.running = operation("test", "shop.orders", 42) + "," +
                            operation("other", "shop.orders", 99) + "," +
                            operation("test", "shop.items", 99)});
  EXPECT_EQ(source_of(busy.uri())->health({})->scanning_s, 42);
  Deployed waiting({.running = operation("test", "shop.orders", 1)});
  EXPECT_FALSE(source_of(waiting.uri())->health({})->scanning_s) << "for an event that is to come";
}

// --- the rehearsal

TEST(Rehearsal, FindsNothingWrongWhereNothingIs) {
  Deployed deployed({});
  const auto notes = source_of(deployed.uri())->rehearse({});
  ASSERT_TRUE(notes) << notes.error().describe();
  EXPECT_TRUE(notes->empty()) << notes->front();
}

TEST(Rehearsal, RefusesAFilterWithATypo) {
  Deployed deployed({.filtered = 168});
  const auto notes = source_of(deployed.uri(), R"([{"$match": {"a": {"$gth": 1}}}])")->rehearse({});
  ASSERT_FALSE(notes);
  EXPECT_EQ(notes.error().react, React::kConfig);
  EXPECT_THAT(notes.error().what, HasSubstr("scripted"));
}

TEST(Rehearsal, RefusesAUserWhoMayNotWatch) {
  Deployed deployed({.aggregate = 13});
  EXPECT_EQ(source_of(deployed.uri())->rehearse({}).error().react, React::kDenied);
}

TEST(Rehearsal, SaysWhatWillNotWork) {
  const auto notes_of = [](World world) {
    Deployed deployed(std::move(world));
    auto notes = source_of(deployed.uri())->rehearse({});
    EXPECT_TRUE(notes) << notes.error().describe();
    return notes.value_or(std::vector<std::string>());
  };
  EXPECT_THAT(notes_of({.oldest = 0}), Contains(HasSubstr("clusterMonitor")));
  EXPECT_THAT(notes_of({.majority_read = 148}), Contains(HasSubstr("enableMajorityReadConcern")));
  EXPECT_THAT(notes_of({.capped = true}), Contains(HasSubstr("capped")));
  EXPECT_THAT(notes_of({.there = false}), Contains(HasSubstr("isn't there yet")));
  EXPECT_THAT(notes_of({.mongos = true}), Contains(HasSubstr("mongos")));
}

}  // namespace
}  // namespace tidemark::mongodb
