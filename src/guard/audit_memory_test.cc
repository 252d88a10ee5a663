// A million documents, made up as they are read: what an audit of them holds at a time is its own.
#include <gtest/gtest.h>

#include "guard/testing/audit_harness.h"

namespace tidemark::guard {
namespace {

using namespace audit_world;  // NOLINT: the harness of this folder

constexpr int kDocuments = 1'000'000;

std::string numbered(int n) { return "{\"$numberInt\":\"" + std::to_string(n) + "\"}"; }
int number_of(const std::string& id) {
  return id.empty() ? -1 : std::stoi(id.substr(sizeof("{\"$numberInt\":\"") - 1));
}

bool is_lost(int n) { return n % 100'000 == 7; }
bool is_twisted(int n) { return n % 100'000 == 8; }

class ManyDocuments final : public AuditSource {
 public:
  std::string describe() const override { return "many"; }
  Status open(std::stop_token) override { return {}; }
  Result<std::vector<CollectionName>> collections(std::stop_token) override {
    return std::vector<CollectionName>{{"shop", "orders"}};
  }
  Result<AuditPage> scan(const CollectionName&, const std::string& last_id, size_t limit, const Visit& visit,
                         std::stop_token) override {
    int n = number_of(last_id) + 1;
    const int end = std::min(kDocuments, n + static_cast<int>(limit));
    for (; n < end; ++n) TIDEMARK_TRY(hand_out(n, visit));
    return AuditPage{numbered(n - 1), n == kDocuments};
  }
  Result<bson::Timestamp> lookup(const CollectionName&, std::span<const AuditId> ids, const Visit& visit,
                                 std::stop_token) override {
    for (const AuditId& id : ids) TIDEMARK_TRY(hand_out(number_of(id.text), visit));
    return bson::Timestamp{1'700'000'000, 1};
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName&, const AuditBuckets&,
                                                            std::stop_token) override {
    return std::map<std::optional<int64_t>, uint64_t>{{std::nullopt, kDocuments}};
  }
  void close() override {}

 private:
  Status hand_out(int n, const Visit& visit) {
    builder_.clear();
    return visit(builder_.append("_id", n).view());
  }
  bson::Builder builder_;
};

class ManyRows final : public AuditEnd {
 public:
  std::string describe() const override { return "many"; }
  Status open(std::stop_token) override { return {}; }
  std::string target(const CollectionName&) override { return "many"; }
  Status expected(const Event& event, AuditRow& row) override {
    maker_.of_document(*event.key.find("_id"), event.after, row);
    return {};
  }
  Result<AuditPage> scan(const CollectionName&, const AuditBuckets&, const std::string& last_id, size_t limit,
                         const Visit& visit, std::stop_token) override {
    int n = number_of(last_id) + 1;
    const int end = std::min(kDocuments, n + static_cast<int>(limit));
    for (; n < end; ++n) TIDEMARK_TRY(hand_out(n, visit));
    return AuditPage{numbered(n - 1), n == kDocuments};
  }
  Status lookup(const CollectionName&, std::span<const AuditId> ids, const Visit& visit,
                std::stop_token) override {
    for (const AuditId& id : ids) TIDEMARK_TRY(hand_out(number_of(id.text), visit));
    return {};
  }
  Result<std::map<std::optional<int64_t>, uint64_t>> counts(const CollectionName&, const AuditBuckets&,
                                                            std::stop_token) override {
    return std::map<std::optional<int64_t>, uint64_t>{{std::nullopt, kDocuments}};
  }
  void close() override {}

 private:
  Status hand_out(int n, const Visit& visit) {
    if (is_lost(n)) return {};
    builder_.clear();
    builder_.append("_id", n);
    if (is_twisted(n)) builder_.append("twisted", true);
    maker_.of_document(*builder_.view().find("_id"), builder_.view(), row_);
    return visit(row_);
  }
  AuditRowMaker maker_{AuditForm::kAsIs};
  bson::Builder builder_;
  AuditRow row_;
};

TEST(AuditMemory, AMillionDocumentsAreAuditedWithinTheLimit) {
  World world;
  world.time = {1'700'000'000, 1};
  AuditParts parts;
  parts.pipeline = "many";
  parts.source = std::make_unique<ManyDocuments>();
  parts.end = std::make_unique<ManyRows>();
  parts.position = [&](std::stop_token) -> Result<std::optional<StoredPosition>> {
    StoredPosition stored;
    stored.position = world.position();
    stored.fingerprint = "f";
    stored.deployment = "rs0";
    return stored;
  };
  parts.make_source = [&]() -> Result<std::unique_ptr<Source>> {
    return std::make_unique<FakeStream>(world);
  };
  parts.clock = &world.clock;
  AuditOptions options;
  options.memory_bytes_max = 1 << 20;
  Audit audit(std::move(parts), options);
  const auto report = audit.run({});
  ASSERT_TRUE(report) << report.error().describe();
  EXPECT_EQ(report->source_documents, static_cast<uint64_t>(kDocuments));
  EXPECT_EQ(report->missing, 10U);
  EXPECT_EQ(report->different, 10U);
  EXPECT_EQ(report->unexamined, 0U);
  EXPECT_GT(report->memory_bytes_peak, 0U);
  EXPECT_LE(report->memory_bytes_peak, options.memory_bytes_max);
}

}  // namespace
}  // namespace tidemark::guard
