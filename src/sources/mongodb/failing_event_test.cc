// Events that the server can't bring through the stream: found one by one, rejected, and nothing else with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/clock.h"
#include "sources/mongodb/stream_source.h"
#include "sources/mongodb/testing/fake_server.h"
#include "sources/mongodb/testing/options.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kBegin = 0x65000000;

std::string token_of(uint32_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "82%08X000000012B", kBegin + number);
  return text;
}

// Stands behind the event of that number, and is none's token.
std::string mark_of(uint32_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "82%08X000000022B", kBegin + number);
  return text;
}

Position position_of(uint32_t number) {
  bson::Builder token;
  token.append("_data", token_of(number));
  return Position(token.view(), {kBegin + number, 1});
}

// A stream of numbered events behind a filter. Events are 1, 2, ...; the filter drops some and fails at others. Every getMore
// sends as many as it is asked for, and then says how far it has looked.
class Stream {
 public:
  enum class Fate { kPasses, kDropped, kFails };
  struct Options {
    std::vector<Fate> fates;
    int code = 241;
    int fails_at_most = 1'000'000;  // then it works
    bool fails_without_an_event = false;
  };

  explicit Stream(Options options)
      : options_(std::move(options)),
        server_([this](bson::View command) { return std::optional<bson::Document>(answer(command)); }, 9) {}

  std::string uri() const { return server_.uri(); }

 private:
  struct Open {
    uint32_t next = 1;
    bool filtered = true;
    std::optional<std::vector<std::string>> only = {};
    std::vector<std::string> except = {};
  };

  bson::Document answer(bson::View command) {
    if (command.find("aggregate")) return open(command);
    if (command.find("getMore")) return more(*command.find("batchSize")->integer());
    bson::Builder ok;
    ok.append("ok", 1.0);
    return ok.finish();
  }

  bson::Document open(bson::View command) {
    open_ = Open{.filtered = false};
    for (const bson::Element stage : command.find("pipeline")->document()) {
      if (stage.document().find("$set")) open_.filtered = true;
      if (const auto nin = stage.document().find_path("$match._id.$nin")) {
        for (const bson::Element token : nin->document())
          open_.except.emplace_back(token.document().find("_data")->string());
      }
      if (const auto in = stage.document().find_path("$match._id.$in")) {
        open_.only.emplace();
        for (const bson::Element token : in->document())
          open_.only->emplace_back(token.document().find("_data")->string());
      }
    }
    const auto token = command.find_path("pipeline.0.$changeStream.startAfter._data");
    while (open_.next <= options_.fates.size() && token_of(open_.next) <= token->string()) ++open_.next;
    // As servers do that read the filter into their oplog's: an event that it drops, or fails at, is no place to resume at.
    const uint32_t at = open_.next - 1;
    if (open_.filtered && at > 0 && token->string() == token_of(at) &&
        options_.fates[at - 1] != Fate::kPasses)
      return *bson::Document::from_json(
          R"({"ok": 0, "code": 280, "errmsg": "the resume token was not found"})");
    return reply("firstBatch", {}, std::string(token->string()));
  }

  bson::Document more(int64_t batch_size) {
    if (open_.filtered && options_.fails_without_an_event && fails()) return failure();
    std::vector<uint32_t> events;
    for (; open_.next <= options_.fates.size() && static_cast<int64_t>(events.size()) < batch_size;
         ++open_.next) {
      const std::string token = token_of(open_.next);
      if (open_.only && std::find(open_.only->begin(), open_.only->end(), token) == open_.only->end())
        continue;
      if (std::find(open_.except.begin(), open_.except.end(), token) != open_.except.end()) continue;
      const Fate fate = open_.filtered ? options_.fates[open_.next - 1] : Fate::kPasses;
      if (fate == Fate::kFails && fails()) return failure();
      if (fate != Fate::kDropped) events.push_back(open_.next);
    }
    return reply("nextBatch", events, events.empty() ? mark_of(open_.next - 1) : token_of(events.back()));
  }

  bool fails() { return options_.fails_at_most-- > 0; }

  bson::Document failure() const {
    return *bson::Document::from_json(R"({"ok": 0, "code": )" + std::to_string(options_.code) +
                                      R"(, "errmsg": "Failed to parse number 'abc' in $convert"})");
  }

  static bson::Document reply(const std::string& batch, const std::vector<uint32_t>& events,
                              const std::string& mark) {
    std::string items;
    for (const uint32_t number : events) {
      if (!items.empty()) items += ',';
      items +=
          R"({"_id": {"_data": ")" + token_of(number) +
          R"("}, "operationType": "insert", "ns": {"db": "shop", "coll": "orders"}, "documentKey": {"_id": )" +
          std::to_string(number) + "}}";
    }
    return *bson::Document::from_json(R"({"cursor": {")" + batch + R"(": [)" + items +
                                      R"(], "postBatchResumeToken": {"_data": ")" + mark +
                                      R"("}, "id": {"$numberLong": "5"}, "ns": "shop.orders"}, "ok": 1})");
  }

  Options options_;
  Open open_;
  FakeServer server_;
};

using Fate = Stream::Fate;

std::unique_ptr<StreamSource> source_of(const std::string& uri) {
  static PosixClock clock;
  SourceOptions options = options_for(uri);
  options.stream.stages =
      *bson::Document::from_json(R"([{"$set": {"fullDocument.n": {"$toInt": "$fullDocument.s"}}}])");
  return std::make_unique<StreamSource>(std::move(options), clock);
}

struct Read {
  std::vector<int64_t> delivered;
  std::vector<int64_t> rejected;
  std::string reason;
  std::optional<Error> error;
};

// As the pipeline would: an error that may pass is followed by another open at the end of what was read.
Read read_all(StreamSource& source, uint32_t last, int errors_max = 0) {
  Read read;
  Position at = position_of(0);
  bool open = false;
  for (int i = 0; i < 50 && at != position_of(last); ++i) {
    if (!open && !source.open(at, {})) break;
    open = true;
    auto batch = source.read(milliseconds(20), {});
    if (!batch) {
      read.error = batch.error();
      open = false;
      if (errors_max-- > 0) continue;
      break;
    }
    for (const Event& event : batch->events->events()) {
      const int64_t number = *event.key.find("_id")->integer();
      (event.reject_reason.empty() ? read.delivered : read.rejected).push_back(number);
      if (!event.reject_reason.empty()) read.reason = event.reject_reason;
    }
    at = batch->resume_after;
  }
  EXPECT_EQ(at, position_of(last));
  return read;
}

TEST(FailingEvent, ADocumentThatTheFilterCannotTakeIsRejectedAloneWithTheServersWords) {
  Stream stream({.fates = {Fate::kPasses, Fate::kPasses, Fate::kFails, Fate::kPasses}});
  const Read read = read_all(*source_of(stream.uri()), 4);
  EXPECT_FALSE(read.error) << read.error->describe();
  EXPECT_THAT(read.delivered, ElementsAre(1, 2, 4));
  EXPECT_THAT(read.rejected, ElementsAre(3));
  EXPECT_THAT(read.reason, HasSubstr("filter"));
  EXPECT_THAT(read.reason, HasSubstr("Failed to parse number 'abc'"));
  EXPECT_THAT(read.reason, HasSubstr("241"));
}

TEST(FailingEvent, WhateverTheCode) {
  // A division by zero in its numbers, BadValue, FailedToParse, Overflow; also right after an open.
  for (const int code : {2, 9, 15, 18446, 16608, 4848401, 5787902}) {
    SCOPED_TRACE(code);
    Stream stream({.fates = {Fate::kFails, Fate::kPasses}, .code = code});
    const Read read = read_all(*source_of(stream.uri()), 2);
    EXPECT_THAT(read.rejected, ElementsAre(1));
    EXPECT_THAT(read.delivered, ElementsAre(2));
  }
}

TEST(FailingEvent, WhatTheFilterDropsOnTheWayToItIsNotTakenForIt) {
  std::vector<Fate> fates(700, Fate::kDropped);
  fates[640] = Fate::kFails;
  fates[699] = Fate::kPasses;
  Stream stream({.fates = fates});
  const Read read = read_all(*source_of(stream.uri()), 700);
  EXPECT_THAT(read.rejected, ElementsAre(641));
  EXPECT_THAT(read.delivered, ElementsAre(700));
}

TEST(FailingEvent, SeveralInARowAreEachRejected) {
  Stream stream({.fates = {Fate::kFails, Fate::kFails, Fate::kDropped, Fate::kFails, Fate::kPasses}});
  const Read read = read_all(*source_of(stream.uri()), 5);
  EXPECT_THAT(read.rejected, ElementsAre(1, 2, 4));
  EXPECT_THAT(read.delivered, ElementsAre(5));
}

TEST(FailingEvent, AnErrorThatPassesRejectsNothing) {
  for (const int times : {1, 2, 3, 4}) {
    SCOPED_TRACE(times);
    Stream stream({.fates = {Fate::kPasses, Fate::kFails, Fate::kPasses}, .fails_at_most = times});
    const Read read = read_all(*source_of(stream.uri()), 3, 5);
    EXPECT_THAT(read.rejected, IsEmpty());
    EXPECT_THAT(read.delivered, ElementsAre(1, 2, 3));
  }
}

TEST(FailingEvent, AnErrorThatComesWithoutAnEventRejectsNothing) {
  Stream stream({.fates = {Fate::kPasses, Fate::kPasses}, .fails_without_an_event = true});
  const auto source = source_of(stream.uri());
  ASSERT_TRUE(source->open(position_of(0), {}));
  const auto batch = source->read(milliseconds(20), {});
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().react, React::kRetry);
  EXPECT_EQ(batch.error().code, 241);
}

}  // namespace
}  // namespace tidemark::mongodb
