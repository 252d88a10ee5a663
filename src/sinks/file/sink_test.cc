#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "bson/json.h"
#include "bson/json_reader.h"
#include "conformance/sink_contract.h"
#include "env/posix/file_system.h"
#include "sinks/file/component.h"
#include "support/faulty_file_system.h"
#include "support/manual_clock.h"
#include "support/temp_folder.h"

namespace tidemark::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// `rotate` small enough makes every batch of the contract's suites begin a new file.
template <int64_t kRotateBytes, uint64_t kSeed>
struct FileHarness {
  std::optional<std::string> unavailable() { return std::nullopt; }
  std::shared_ptr<Sink> make() { return make_with("extjson"); }
  std::shared_ptr<Sink> make_with(const std::string& format, int lanes = 1) {
    auto sink = try_make(format, lanes);
    EXPECT_TRUE(sink.has_value()) << sink.error().describe();
    return std::move(*sink);
  }
  Result<std::unique_ptr<Sink>> try_make(const std::string& format, int lanes) {
    config::Settings settings;
    settings.set("path", path());
    settings.set("format", format);
    settings.set("rotate_bytes", kRotateBytes);
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &clock;
    context.files = &files;
    context.lane_count = lanes;
    return file_sink_component().plain(settings, context);
  }

  // The rotated files in their order, then the present one.
  std::vector<std::string> lines() {
    std::vector<std::string> names = *disk.list(folder.path());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) {
      if (name.starts_with("orders.jsonl.0")) text += *disk.read_file(folder.file(name), 1 << 30);
    }
    if (*disk.exists(path())) text += *disk.read_file(path(), 1 << 30);
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      if (end == std::string::npos) {
        ADD_FAILURE() << "a torn line: " << text.substr(at);
        break;
      }
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }
  std::vector<std::string> ids() {
    std::vector<std::string> ids;
    for (const std::string& line : lines()) {
      const auto event = nlohmann::json::parse(line, nullptr, false);
      if (event.is_discarded()) {
        ADD_FAILURE() << "not JSON: " << line;
        continue;
      }
      ids.push_back(event["_id"]["_data"]);
    }
    return ids;
  }
  bool fail_operation(int n) {
    files.fail_operation(static_cast<uint64_t>(n));
    return true;
  }
  bool fault_was_hit() { return files.fault_was_hit(); }
  void crash() { files.crash(); }
  std::string path() const { return folder.file("orders.jsonl"); }

  TempFolder folder;
  ManualClock clock;
  PosixFileSystem disk;
  FaultyFileSystem files{disk, kSeed};
};

using OneFile = FileHarness<256 << 20, 1>;
using OneFileOtherSeed = FileHarness<256 << 20, 77>;
using ManyFiles = FileHarness<800, 1>;
using ManyFilesOtherSeed = FileHarness<800, 78>;

INSTANTIATE_TYPED_TEST_SUITE_P(File, SinkContract, OneFile);
INSTANTIATE_TYPED_TEST_SUITE_P(OtherSeed, SinkContract, OneFileOtherSeed);
INSTANTIATE_TYPED_TEST_SUITE_P(Rotated, SinkContract, ManyFiles);
INSTANTIATE_TYPED_TEST_SUITE_P(RotatedOtherSeed, SinkContract, ManyFilesOtherSeed);

TEST(FileSink, ExtJsonIsTheWholeEventAndNothingElse) {
  OneFile harness;
  auto sink = harness.make();
  EventBatch batch;
  const Event& event =
      add_event(batch, change_event(1, "insert", R"({"_id": {"$oid": "65f000000000000000000001"}})",
                                    R"({"fullDocument": {"_id": {"$oid": "65f000000000000000000001"},
                              "price": {"$numberDecimal": "1.10"}, "n": {"$numberLong": "5"}, "text": "a\nb"}})"));
  ASSERT_TRUE(sink->write(batch.events(), {}).has_value());
  const auto lines = harness.lines();
  ASSERT_EQ(lines.size(), 1u);
  auto back = bson::Document::from_json(lines[0]);
  ASSERT_TRUE(back.has_value()) << back.error().what;
  EXPECT_TRUE(back->view() == event.raw) << lines[0];
}

TEST(FileSink, CarriesADocumentWholeWhateverItsBytes) {
  const bson::Document event = change_event_of(1, "insert", odd_binary());
  EventBatch batch;
  add_event(batch, event);
  OneFile harness;
  ASSERT_TRUE(harness.make()->write(batch.events(), {}));
  const auto lines = harness.lines();
  ASSERT_EQ(lines.size(), 1u);
  const auto back = bson::read_json(lines[0]);
  ASSERT_TRUE(back) << lines[0];
  EXPECT_EQ(back->view(), event.view()) << lines[0];

  OneFile debezium;
  ASSERT_TRUE(debezium.make_with("debezium")->write(batch.events(), {}));
  const auto envelope = nlohmann::json::parse(debezium.lines().at(0));
  const auto document = bson::read_json(envelope["after"].get<std::string>());
  ASSERT_TRUE(document) << envelope;
  EXPECT_EQ(document->view(), odd_binary().view()) << envelope;
}

TEST(FileSink, DebeziumIsItsEnvelope) {
  OneFile harness;
  auto sink = harness.make_with("debezium");
  EventBatch batch;
  add_event(batch, change_event(1, "insert", R"({"_id": 7})", R"({"fullDocument": {"_id": 7, "a": "x"}})"));
  add_event(batch, change_event(2, "update", R"({"_id": 7})",
                                R"({"fullDocument": {"_id": 7, "a": "y"},
                                    "fullDocumentBeforeChange": {"_id": 7, "a": "x"},
                                    "updateDescription": {"updatedFields": {"a": "y"}, "removedFields": ["b"],
                                      "truncatedArrays": [{"field": "c", "newSize": 2}]}})"));
  add_event(batch, change_event(3, "delete", R"({"_id": 7})"));
  add_event(batch, change_event(4, "drop", "{}"));
  ASSERT_TRUE(sink->write(batch.events(), {}).has_value());
  std::vector<nlohmann::json> values;
  for (const std::string& line : harness.lines()) values.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(values.size(), 4u);

  EXPECT_EQ(values[0]["op"], "c");
  EXPECT_EQ(values[0]["before"], nullptr);
  EXPECT_EQ(nlohmann::json::parse(values[0]["after"].get<std::string>())["a"], "x");
  EXPECT_EQ(values[0]["updateDescription"], nullptr);
  EXPECT_EQ(values[0]["ts_ms"], ManualClock::kStartMs);
  const auto& source = values[0]["source"];
  EXPECT_EQ(source["connector"], "mongodb");
  EXPECT_EQ(source["name"], "orders");
  EXPECT_EQ(source["db"], "shop");
  EXPECT_EQ(source["collection"], "orders");
  EXPECT_EQ(source["ts_ms"], 1'700'000'000'000);
  EXPECT_EQ(source["ord"], 2);
  EXPECT_EQ(source["resume_token"], token_hex(1));
  EXPECT_TRUE(source["version"].is_string());

  EXPECT_EQ(values[1]["op"], "u");
  EXPECT_EQ(nlohmann::json::parse(values[1]["before"].get<std::string>())["a"], "x");
  EXPECT_EQ(values[1]["updateDescription"]["updatedFields"], R"({"a":"y"})");
  EXPECT_THAT(values[1]["updateDescription"]["removedFields"], ElementsAre("b"));
  EXPECT_EQ(values[1]["updateDescription"]["truncatedArrays"][0]["field"], "c");
  EXPECT_EQ(values[1]["updateDescription"]["truncatedArrays"][0]["size"], 2);

  EXPECT_EQ(values[2]["op"], "d");
  EXPECT_EQ(values[2]["after"], nullptr);
  EXPECT_EQ(nlohmann::json::parse(values[2]["key"].get<std::string>())["_id"]["$numberInt"], "7");

  EXPECT_EQ(values[3]["op"], "drop");
  EXPECT_THAT(values[3]["event"].get<std::string>(), HasSubstr("\"drop\""));
}

TEST(FileSink, CloudEventsAreStructured) {
  OneFile harness;
  auto sink = harness.make_with("cloudevents");
  EventBatch batch;
  add_event(batch, change_event(1, "insert", R"({"_id": "k 1"})", R"({"fullDocument": {"_id": "k 1"}})"));
  add_event(batch, change_event(2, "dropDatabase", "{}"));
  ASSERT_TRUE(sink->write(batch.events(), {}).has_value());
  const auto lines = harness.lines();
  ASSERT_EQ(lines.size(), 2u);
  const auto event = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(event["specversion"], "1.0");
  EXPECT_EQ(event["id"], token_hex(1));
  EXPECT_EQ(event["source"], "/tidemark/orders/shop/orders");
  EXPECT_EQ(event["type"], "tidemark.change.insert");
  EXPECT_EQ(event["subject"], "\"k 1\"");
  EXPECT_EQ(event["time"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(event["datacontenttype"], "application/json");
  EXPECT_EQ(event["data"]["operationType"], "insert");
  EXPECT_FALSE(nlohmann::json::parse(lines[1]).contains("subject"));
}

TEST(FileSink, RotatesBySizeAndCountsOnAfterARestart) {
  ManyFiles harness;
  {
    auto sink = harness.make();
    for (uint32_t n = 0; n < 3; ++n)
      ASSERT_TRUE(sink->write(inserts(1 + 2 * n, 2)->events(), {}).has_value());
  }
  EXPECT_THAT(*harness.disk.list(harness.folder.path()),
              UnorderedElementsAre("orders.jsonl", "orders.jsonl.lock", "orders.jsonl.000001",
                                   "orders.jsonl.000002"));
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(7, 2)->events(), {}).has_value());
  EXPECT_TRUE(*harness.disk.exists(harness.path() + ".000003"));
  std::vector<std::string> expected;
  for (uint32_t n = 1; n <= 8; ++n) expected.push_back(token_hex(n));
  EXPECT_EQ(harness.ids(), expected);
}

TEST(FileSink, EveryFormatOpensItsOwnFileAgain) {
  for (const char* format : {"extjson", "debezium", "cloudevents"}) {
    OneFile harness;
    ASSERT_TRUE(harness.make_with(format)->write(inserts(1, 2)->events(), {}).has_value());
    ASSERT_TRUE(harness.make_with(format)->write(inserts(3, 1)->events(), {}).has_value()) << format;
    EXPECT_EQ(harness.lines().size(), 3u) << format;
  }
}

TEST(FileSink, EveryTornTailIsCutAtTheLastWholeLine) {
  OneFile first;
  {
    auto sink = first.make();
    ASSERT_TRUE(sink->write(inserts(1, 3)->events(), {}).has_value());
  }
  const std::string whole = *first.disk.read_file(first.path(), 1 << 20);
  const size_t third = whole.rfind('\n', whole.size() - 2) + 1;
  const size_t second = whole.rfind('\n', third - 2) + 1;
  const auto near = [](size_t size, size_t border) { return size + 3 > border && size < border + 3; };
  for (size_t size = 0; size <= whole.size(); ++size) {
    // Around each border every byte, elsewhere a sample: each needs several syncs.
    const bool border = size < 3 || near(size, second) || near(size, third) || near(size, whole.size());
    if (!border && size % 29 != 0) continue;
    SCOPED_TRACE("cut at byte " + std::to_string(size));
    OneFile harness;
    ASSERT_TRUE(harness.disk.replace_file(harness.path(), whole.substr(0, size)).has_value());
    auto sink = harness.make();
    ASSERT_TRUE(sink->open({}).has_value());
    const size_t expected = size == whole.size() ? size : size >= third ? third : size >= second ? second : 0;
    EXPECT_EQ(*harness.disk.file_size(harness.path()), expected);
  }
}

TEST(FileSink, ALastLineThatIsNotJsonIsCutToo) {
  OneFile harness;
  {
    auto sink = harness.make();
    ASSERT_TRUE(sink->write(inserts(1, 2)->events(), {}).has_value());
  }
  const std::string whole = *harness.disk.read_file(harness.path(), 1 << 20);
  ASSERT_TRUE(harness.disk.replace_file(harness.path(), whole + std::string(300, '\0') + "}\n{\"half\": \n")
                  .has_value());
  auto sink = harness.make();
  ASSERT_TRUE(sink->open({}).has_value());
  EXPECT_EQ(*harness.disk.read_file(harness.path(), 1 << 20), whole);
}

TEST(FileSink, AFileOfSomethingElseIsLeftAlone) {
  for (const std::string& content :
       {std::string("SQLite format 3"), std::string("{\n  \"pretty\": 1\n}"), std::string("a\nb\n"),
        std::string("\n"), std::string("{\"a\": 1}"), std::string("{\"a\": 1}\n{\"b\": 2}\n")}) {
    OneFile harness;
    ASSERT_TRUE(harness.disk.replace_file(harness.path(), content).has_value());
    auto status = harness.make()->open({});
    ASSERT_FALSE(status.has_value()) << content;
    EXPECT_EQ(status.error().react, React::kConfig);
    EXPECT_THAT(status.error().what, HasSubstr("is not a file of JSON lines"));
    EXPECT_EQ(*harness.disk.read_file(harness.path(), 1 << 20), content);
  }
}

// The server puts some fields before `_id`, and such an event can be the first of a file.
TEST(FileSink, AFileThatBeginsWithAnyEventIsItsOwn) {
  for (const std::string before :
       {R"("txnNumber":{"$numberLong":"7"},"lsid":{})", R"("lsid":{},"txnNumber":{"$numberLong":"7"})",
        R"("to":{"db":"shop","coll":"orders"})", R"("operationDescription":{"v":{"$numberInt":"2"}})"}) {
    const std::string whole = "{" + before + R"(,"_id":{"_data":"82"}})" + "\n";
    for (const size_t size : {size_t{5}, whole.size() - 1, whole.size()}) {
      OneFile harness;
      ASSERT_TRUE(harness.disk.replace_file(harness.path(), whole.substr(0, size)).has_value());
      ASSERT_TRUE(harness.make()->open({}).has_value()) << whole << "cut at byte " << size;
      EXPECT_EQ(*harness.disk.file_size(harness.path()), size == whole.size() ? size : 0);
    }
  }
}

TEST(FileSink, AFailedWriteLeavesNoTraceOnceTheDiskHasRoom) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 2)->events(), {}).has_value());
  harness.files.fail_from(0);
  auto failed = sink->write(inserts(3, 2)->events(), {});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().error.react, React::kRetry);
  EXPECT_EQ(failed.error().durable_prefix, 0u);
  EXPECT_FALSE(sink->open({}).has_value());
  harness.files.heal();
  ASSERT_TRUE(sink->open({}).has_value());
  ASSERT_TRUE(sink->write(inserts(3, 2)->events(), {}).has_value());
  EXPECT_THAT(harness.ids(), ElementsAre(token_hex(1), token_hex(2), token_hex(3), token_hex(4)));
}

TEST(FileSink, WholeLinesThatWereNeverSyncedAreTakenBack) {
  // Operation 0 is the append, 1 the sync.
  for (const bool lasting : {false, true}) {
    SCOPED_TRACE(lasting ? "the disk stays broken for a while" : "one sync fails");
    OneFile harness;
    auto sink = harness.make();
    ASSERT_TRUE(sink->write(inserts(1, 2)->events(), {}).has_value());
    if (lasting)
      harness.files.fail_from(1);
    else
      harness.files.fail_operation(1);
    auto failed = sink->write(inserts(3, 2)->events(), {});
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().durable_prefix, 0u);
    harness.files.heal();
    ASSERT_TRUE(sink->write(inserts(3, 2)->events(), {}).has_value());
    EXPECT_THAT(harness.ids(), ElementsAre(token_hex(1), token_hex(2), token_hex(3), token_hex(4)));
  }
}

// logrotate, an `rm`, a file put in its place: each write must be found under the name afterwards.
TEST(FileSink, WhatIsWrittenAfterTheFileWasMovedAwayStandsInANewOne) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 5)->events(), {}).has_value());
  const std::string away = harness.folder.file("yesterday");
  ASSERT_TRUE(harness.disk.rename(harness.path(), away));
  ASSERT_TRUE(sink->write(inserts(6, 2)->events(), {}).has_value());
  ASSERT_TRUE(sink->write(inserts(8, 1)->events(), {}).has_value());
  EXPECT_THAT(harness.ids(), ElementsAre(token_hex(6), token_hex(7), token_hex(8)));
  EXPECT_THAT(*harness.disk.read_file(away, 1 << 20), HasSubstr(token_hex(5)));
}

TEST(FileSink, WhatIsWrittenAfterTheFileWasRemovedStandsInANewOne) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 5)->events(), {}).has_value());
  ASSERT_TRUE(harness.disk.remove(harness.path()));
  ASSERT_TRUE(sink->write(inserts(6, 40)->events(), {}).has_value());
  EXPECT_EQ(harness.ids().size(), 40u);
}

TEST(FileSink, WhatIsWrittenAfterAnotherFileTookTheNameStandsInThat) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 5)->events(), {}).has_value());
  const std::string line = harness.lines()[0] + "\n";
  ASSERT_TRUE(harness.disk.replace_file(harness.path(), line));
  ASSERT_TRUE(sink->write(inserts(6, 1)->events(), {}).has_value());
  EXPECT_THAT(harness.ids(), ElementsAre(token_hex(1), token_hex(6)));
}

TEST(FileSink, AFileOfSomebodyElseUnderItsNameIsLeftAlone) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 5)->events(), {}).has_value());
  ASSERT_TRUE(harness.disk.replace_file(harness.path(), "name,price\n"));
  const auto refused = sink->write(inserts(6, 1)->events(), {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().durable_prefix, 0u);
  EXPECT_EQ(*harness.disk.read_file(harness.path(), 1 << 20), "name,price\n");
  // It was there when the process began, so its return is waited for.
  EXPECT_EQ(refused.error().error.react, React::kRetry) << refused.error().error.describe();
  ASSERT_TRUE(harness.disk.remove(harness.path()));
  ASSERT_TRUE(sink->write(inserts(6, 1)->events(), {}).has_value());
  EXPECT_THAT(harness.ids(), ElementsAre(token_hex(6)));
}

TEST(FileSink, AWriteBehindWhichTheFileWasCutShortIsDoneAgain) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 5)->events(), {}).has_value());
  ASSERT_TRUE((*harness.disk.open_append(harness.path()))->truncate(0));  // logrotate's copytruncate
  ASSERT_TRUE(sink->write(inserts(6, 2)->events(), {}).has_value());
  EXPECT_THAT(harness.ids(), ::testing::IsSupersetOf({token_hex(6), token_hex(7)}));
}

TEST(FileSink, AFailedWriteCutsNothingOffAFileThatTookTheNameSince) {
  OneFile harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 1)->events(), {}).has_value());
  const std::string line = harness.lines()[0] + "\n";
  harness.files.fail_from(0);
  ASSERT_FALSE(sink->write(inserts(2, 1)->events(), {}).has_value());
  harness.files.heal();
  ASSERT_TRUE(harness.disk.replace_file(harness.path(), line + line + line));
  ASSERT_TRUE(sink->write(inserts(2, 1)->events(), {}).has_value());
  EXPECT_EQ(harness.lines().size(), 4u);
}

TEST(FileSink, ARotationMovesNoFileOfSomebodyElse) {
  ManyFiles harness;
  auto sink = harness.make();
  ASSERT_TRUE(sink->write(inserts(1, 2)->events(), {}).has_value());
  ASSERT_TRUE(harness.disk.remove(harness.path()));
  ASSERT_TRUE(sink->write(inserts(3, 2)->events(), {}).has_value());
  EXPECT_FALSE(*harness.disk.exists(harness.path() + ".000001"));
  EXPECT_THAT(harness.ids(), ElementsAre(token_hex(3), token_hex(4)));
}

TEST(FileSink, ASecondWriterIsRefused) {
  OneFile harness;
  auto first = harness.make();
  ASSERT_TRUE(first->open({}).has_value());
  auto refused = harness.make()->open({});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().react, React::kFenced);
  first->close();
  EXPECT_TRUE(harness.make()->open({}).has_value());
}

TEST(FileSink, HasOneLane) {
  OneFile harness;
  auto refused = harness.try_make("extjson", 4);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().react, React::kConfig);
  EXPECT_THAT(refused.error().hint, HasSubstr("lanes = 1"));
}

}  // namespace
}  // namespace tidemark::testing
