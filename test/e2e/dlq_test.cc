// Dead letters as an operator handles them: what no retry can deliver is set aside, looked at, delivered again once the
// cause is gone, or discarded.
#include <csignal>
#include <fstream>

#include <nlohmann/json.hpp>

#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using testing::Finished;
using ::testing::HasSubstr;

// `b` is a number, so that nothing can be put inside it.
constexpr const char* kRenamesIntoANumber = R"(
[[pipeline.transform]]
type   = "project"
rename = { "a" = "b.c" }
)";

class DeadLetters : public EndToEnd {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(SinkKind::kSqlite, Mode::kCurrent);
    setup_.frame = "on_reject = \"dead_letter\"\n";
    letters_ = "[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"" + letters_file() + "\"\n";
    setup_.after = letters_ + kRenamesIntoANumber;
    write_config();
  }

  // Document 1 is rejected, document 2 is not.
  void reject_one() {
    init_position();
    insert(R"({"_id": 1, "a": 1, "b": 2})");
    insert(R"({"_id": 2, "b": 2})");
    const auto relay = start_relay(config_);
    ASSERT_TRUE(testing::eventually([&] { return destination_->documents().size() == 1; }))
        << relay->error_output();
    relay->signal(SIGTERM);
    EXPECT_TRUE(relay->wait().has_value());
  }
  Finished dlq(std::vector<std::string> args) {
    args.insert(args.begin(), "dlq");
    return tidemark(args);
  }
  nlohmann::json listed() {
    const Finished finished = dlq({"list", config_, "--json"});
    EXPECT_THAT(finished, ExitsWith(0)) << describe(finished);
    return nlohmann::json::parse(finished.output, nullptr, false);
  }

  std::string letters_file() const { return folder_.path() + "/letters.db"; }

  std::string letters_;
};

TEST_F(DeadLetters, AreListedWithTheReasonAndTheEvent) {
  reject_one();
  const nlohmann::json letters = listed();
  ASSERT_EQ(letters.size(), 1u) << letters;
  EXPECT_EQ(letters[0]["pipeline"], "orders");
  EXPECT_THAT(letters[0]["reason"].get<std::string>(), HasSubstr("can't become"));
  EXPECT_EQ(letters[0]["event"]["fullDocument"]["a"]["$numberInt"], "1");
  const Finished shown = dlq({"show", config_, "orders", letters[0]["id"].get<std::string>()});
  EXPECT_THAT(shown, ExitsWith(0));
  EXPECT_THAT(shown.output, HasSubstr("can't become"));
  EXPECT_THAT(dlq({"list", config_}).output, HasSubstr("1 dead letter"));
}

// The stream fails there, again and again, with an error that names no document.
TEST_F(DeadLetters, TakeTheOneDocumentThatTheSourcesFilterCannotTake) {
  setup_.after = letters_;
  setup_.source = R"(filter = '[{"$set": {"fullDocument.n": {"$toInt": "$fullDocument.s"}}}]')";
  write_config();
  init_position();
  for (const char* document :
       {R"({"_id": 1, "s": "1"})", R"({"_id": 2, "s": "abc"})", R"({"_id": 3, "s": "3"})"})
    insert(document);
  const auto relay = start_relay(config_);
  EXPECT_TRUE(testing::eventually([&] { return destination_->documents().size() == 2; }))
      << relay->error_output();
  const nlohmann::json letters = listed();
  ASSERT_EQ(letters.size(), 1u) << letters;
  EXPECT_THAT(letters[0]["reason"].get<std::string>(), HasSubstr("filter"));
  EXPECT_EQ(letters[0]["event"]["documentKey"]["_id"]["$numberInt"], "2");
}

// A collection may hold it; no answer of the server can hold its event, split or not.
TEST_F(DeadLetters, TakeTheOneEventThatCannotBeSplit) {
  setup_.after = letters_;
  write_config();
  init_position();
  bson::Builder document;
  document.append("_id", int32_t{1}).append("s", std::string((16 << 20) - 300, 'x'));
  ASSERT_TRUE(client_->insert(setup_.database, setup_.collection, document.view()));
  insert(R"({"_id": 2})");
  const auto relay = start_relay(config_);
  EXPECT_TRUE(testing::eventually([&] { return destination_->documents().size() == 1; }))
      << relay->error_output();
  const nlohmann::json letters = listed();
  ASSERT_EQ(letters.size(), 1u) << letters;
  EXPECT_THAT(letters[0]["reason"].get<std::string>(), HasSubstr("larger than 16 MB"));
}

TEST_F(DeadLetters, GoToTheSinkWhenRetriedAndStayWhenTheyAreRejectedAgain) {
  reject_one();
  const std::string id = listed().at(0)["id"].get<std::string>();
  EXPECT_THAT(dlq({"retry", config_, "orders", id}), ExitsWith(65));
  EXPECT_EQ(listed().size(), 1u);

  setup_.after = letters_;
  write_config();
  const Finished retried = dlq({"retry", config_, "orders", "--all"});
  EXPECT_THAT(retried, ExitsWith(0)) << describe(retried);
  EXPECT_EQ(listed().size(), 0u);
  EXPECT_EQ(destination_->documents().size(), 2u);
  EXPECT_THAT(dlq({"retry", config_, "orders", id}), ExitsWith(65)) << "it isn't there any more";
}

TEST_F(DeadLetters, AreDiscardedOnlyWhenTheOperatorInsists) {
  reject_one();
  const std::string id = listed().at(0)["id"].get<std::string>();
  EXPECT_THAT(dlq({"discard", config_, "orders", id}), ExitsWith(64));
  EXPECT_EQ(listed().size(), 1u);
  EXPECT_THAT(dlq({"discard", config_, "orders", id, "--yes"}), ExitsWith(0));
  EXPECT_EQ(listed().size(), 0u);
}

TEST_F(DeadLetters, NeedAPipelineThatKeepsThem) {
  setup_.frame.clear();
  setup_.after.clear();
  write_config();
  EXPECT_THAT(dlq({"retry", config_, "orders", "x"}), ExitsWith(78));
  EXPECT_THAT(dlq({"retry", config_, "ordres", "x"}), ExitsWith(64));
  EXPECT_THAT(dlq({"list", config_}), ExitsWith(0));
}

TEST_F(DeadLetters, HoldNothingThatATransformFurtherDownHides) {
  setup_.after = letters_ + kRenamesIntoANumber + R"(
[[pipeline.transform]]
type   = "project"
rename = { "mail" = "contact" }
[[pipeline.transform]]
type   = "redact"
paths  = ["contact", "items.card"]
action = "mask"
)";
  write_config();
  init_position();
  insert(R"({"_id": 1, "a": 1, "b": 2, "mail": "ann@x", "items": [{"card": "4711-1"}]})");
  const auto relay = start_relay(config_);
  ASSERT_TRUE(testing::eventually([&] { return listed().size() == 1; })) << relay->error_output();
  relay->signal(SIGTERM);
  EXPECT_TRUE(relay->wait().has_value());
  const nlohmann::json letter = listed().at(0);
  EXPECT_EQ(letter["event"]["fullDocument"]["mail"], "***") << letter;
  EXPECT_EQ(letter["event"]["fullDocument"]["items"][0]["card"], "***") << letter;
  for (const std::string& file : {letters_file(), letters_file() + "-wal"}) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(bytes.find("ann@x"), std::string::npos) << file;
    EXPECT_EQ(bytes.find("4711-1"), std::string::npos) << file;
  }
}

// A sink that can't take U+0000, behind a filter on the old name of a field and a rename of it.
class RetriedLetters : public DeadLetters {
 protected:
  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(SinkKind::kPostgres, Mode::kCurrent);
    if (IsSkipped() || HasFatalFailure()) return;
    setup_.frame = "on_reject = \"dead_letter\"\n";
    letters_ = "[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"" + letters_file() + "\"\n";
    setup_.after = letters_ + R"(
[[pipeline.transform]]
type = "filter"
where = '{"fullDocument.total": {"$gte": 100}}'
[[pipeline.transform]]
type   = "project"
rename = { "total" = "amount" }
)";
    write_config();
    init_position();
    insert(R"({"_id": 2, "total": 500, "s": "x\u0000y"})");
    insert(R"({"_id": 3, "total": 500, "s": "ok"})");
    const auto relay = start_relay(config_);
    ASSERT_TRUE(testing::eventually([&] {
      return destination_->documents().size() == 1 && listed().size() == 1;
    })) << relay->error_output();
    relay->signal(SIGTERM);
    EXPECT_TRUE(relay->wait().has_value());
  }
  void set_at_source(const std::string& fields) {
    const Status done =
        client().update(setup_.database, setup_.collection, R"({"_id": 2})", R"({"$set": )" + fields + "}");
    ASSERT_TRUE(done) << done.error().describe();
  }
  std::string row_of(const std::string& id) {
    for (const auto& [key, document] : destination_->documents())
      if (key.find(id) != std::string::npos) return document;
    return "none";
  }
};

TEST_F(RetriedLetters, GoThroughTheTransformsOnceAsTheSourceHasThemNow) {
  const Finished too_early = dlq({"retry", config_, "orders", "--all"});
  EXPECT_THAT(too_early, ExitsWith(65)) << describe(too_early);
  EXPECT_EQ(listed().size(), 1u) << "the document is as it was";

  set_at_source(R"({"s": "mended"})");
  const Finished retried = dlq({"retry", config_, "orders", "--all"});
  EXPECT_THAT(retried, ExitsWith(0)) << describe(retried);
  EXPECT_THAT(retried.output, HasSubstr("delivered again"));
  EXPECT_THAT(row_of("2"), HasSubstr("mended"));
  EXPECT_THAT(row_of("2"), HasSubstr("amount"));
  EXPECT_EQ(listed().size(), 0u);
}

TEST_F(RetriedLetters, NeverBringBackADocumentThatIsGone) {
  ASSERT_TRUE(client().remove(setup_.database, setup_.collection, R"({"_id": 2})"));
  const Finished retried = dlq({"retry", config_, "orders", "--all"});
  EXPECT_THAT(retried, ExitsWith(0)) << describe(retried);
  EXPECT_THAT(retried.output, HasSubstr("no longer at the source"));
  EXPECT_EQ(row_of("2"), "none");
  EXPECT_EQ(destination_->documents().size(), 1u);
  EXPECT_EQ(listed().size(), 0u);
}

TEST_F(RetriedLetters, ThatAFilterLeavesOutNowAreNotCalledDelivered) {
  set_at_source(R"({"s": "mended", "total": 5})");
  const Finished retried = dlq({"retry", config_, "orders", "--all"});
  EXPECT_THAT(retried, ExitsWith(0)) << describe(retried);
  EXPECT_THAT(retried.output, HasSubstr("left out by transform 1 (filter)"));
  EXPECT_EQ(row_of("2"), "none");
}

class CheckEvent : public DeadLetters {
 protected:
  Finished check(const std::string& event) {
    const std::string path = folder_.path() + "/event.json";
    std::ofstream(path) << event;
    return tidemark({"check", config_, "--event", path});
  }
};

TEST_F(CheckEvent, ShowsWhatTheTransformsMakeOfADocument) {
  const Finished kept = check(R"({"_id": 1, "a": 1, "b": {}})");
  EXPECT_THAT(kept, ExitsWith(0)) << describe(kept);
  EXPECT_THAT(kept.output, HasSubstr(R"("b":{"c":1})"));
  const Finished rejected = check(R"({"_id": 1, "a": 1, "b": 2})");
  EXPECT_THAT(rejected, ExitsWith(65));
  EXPECT_THAT(rejected.output, HasSubstr("rejected by transform 1 (project)"));
}

TEST_F(CheckEvent, TakesCloudEventsAndRefusesWhatIsNone) {
  const Finished kept = check(R"({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"})");
  EXPECT_THAT(kept, ExitsWith(0)) << describe(kept);
  EXPECT_THAT(kept.output, HasSubstr(R"("type":"t")"));
  const Finished refused = check(R"({"specversion": "1.0", "id": "1", "type": "t"})");
  EXPECT_THAT(refused, ExitsWith(78));
  EXPECT_THAT(refused.error_output, HasSubstr("source"));
  EXPECT_THAT(check("{"), ExitsWith(78));
}

}  // namespace
}  // namespace tidemark::e2e
