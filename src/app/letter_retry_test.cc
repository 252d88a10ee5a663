// A retried letter against a source and a sink that are maps: what is written is the source's, never the letter's.
#include "app/letter_retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"
#include "support/change_events.h"

namespace tidemark::app {
namespace {

using testing::change_event_of;
using testing::doc;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::token_hex;

struct World {
  std::optional<bson::Document> at_source;
  std::vector<std::string> written;  // "replace {...}", in order
};

class Documents final : public AuditSource {
 public:
  explicit Documents(World& world) : world_(world) {}
  std::string describe() const override { return "documents"; }
  Status open(std::stop_token) override { return {}; }
  Result<std::vector<CollectionName>> collections(std::stop_token) override {
    return std::vector<CollectionName>{{"shop", "orders"}};
  }
  Result<AuditPage> scan(const CollectionName&, const std::string&, size_t, const Visit&,
                         std::stop_token) override {
    return AuditPage{{}, true};
  }
  Result<bson::Timestamp> lookup(const CollectionName&, std::span<const AuditId>, const Visit& visit,
                                 std::stop_token) override {
    if (world_.at_source) TIDEMARK_TRY(visit(*world_.at_source));
    return bson::Timestamp{1'800'000'000, 1};
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName&, const AuditBuckets&,
                                                            std::stop_token) override {
    return std::map<std::optional<int64_t>, uint64_t>();
  }
  void close() override {}

 private:
  World& world_;
};

class Rows final : public Sink {
 public:
  explicit Rows(World& world) : world_(world) {}
  Status open(std::stop_token) override { return {}; }
  WriteResult write(std::span<const Event> events, std::stop_token) override {
    for (const Event& event : events) {
      world_.written.push_back(std::string(event.op_name));
      if (event.after) world_.written.back() += " " + bson::to_json(event.after, bson::JsonMode::kRelaxed);
    }
    return {};
  }
  void close() override {}

 private:
  World& world_;
};

class LetterRetried : public ::testing::Test {
 protected:
  LetterRetried() {
    pipeline_.name = "orders";
    pipeline_.source.type = "documents";
    pipeline_.sink.type = "rows";
    SourceComponent documents;
    documents.spec = {.kind = "source", .type = "documents"};
    documents.audit = [this](const config::Settings&,
                             const ComponentContext&) -> Result<std::unique_ptr<AuditSource>> {
      return std::make_unique<Documents>(world_);
    };
    app_.components.sources.add(std::move(documents));
    SinkComponent rows;
    rows.spec = {.kind = "sink", .type = "rows"};
    rows.plain = [this](const config::Settings&, const ComponentContext&) -> Result<std::unique_ptr<Sink>> {
      return std::make_unique<Rows>(world_);
    };
    rows.needs_full_documents = [](const config::Settings&) { return true; };
    app_.components.sinks.add(std::move(rows));
  }

  Result<std::string> retry(std::string_view document) {
    const bson::Document event = change_event_of(1, "update", doc(document));
    const auto bytes = event.view().bytes();
    DeadLetter letter;
    letter.id = token_hex(1);
    letter.pipeline = "orders";
    letter.bytes.assign(bytes.begin(), bytes.end());
    return retry_letter(app_, pipeline_, letter, {});
  }

  World world_;
  SignalWaiter signals_{std::initializer_list<int>{}};
  App app_{signals_};
  config::PipelineConfig pipeline_;
};

TEST_F(LetterRetried, WritesTheDocumentThatTheSourceHasNow) {
  world_.at_source = doc(R"({"_id":1,"s":"now"})");
  const auto said = retry(R"({"_id":1,"s":"then"})");
  ASSERT_TRUE(said) << said.error().describe();
  EXPECT_THAT(*said, HasSubstr("as the source has it now"));
  ASSERT_EQ(world_.written.size(), 1u);
  EXPECT_THAT(world_.written[0], HasSubstr("now"));
}

TEST_F(LetterRetried, NeverBringsBackADocumentThatIsGone) {
  const auto said = retry(R"({"_id":1,"s":"then"})");
  ASSERT_TRUE(said) << said.error().describe();
  EXPECT_THAT(*said, HasSubstr("no longer at the source"));
  EXPECT_THAT(world_.written, ElementsAre("delete"));
}

}  // namespace
}  // namespace tidemark::app
