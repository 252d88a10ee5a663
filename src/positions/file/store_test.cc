#include <gmock/gmock.h>

#include "conformance/position_store_contract.h"
#include "env/posix/file_system.h"
#include "positions/file/component.h"
#include "support/faulty_file_system.h"
#include "support/manual_clock.h"
#include "support/temp_folder.h"

namespace tidemark::testing {
namespace {

struct FileHarness {
  std::optional<std::string> unavailable() { return std::nullopt; }
  std::shared_ptr<PositionStore> make() {
    config::Settings settings;
    settings.set("path", path());
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &clock;
    context.files = &files;
    return *file_position_component().make(settings, context);
  }
  void break_lease() { ASSERT_TRUE(disk.remove(path() + ".lock").has_value()); }
  bool corrupt() {
    std::string bytes = *disk.read_file(path(), 1 << 20);
    bytes[bytes.size() / 2] ^= 1;
    return disk.replace_file(path(), bytes).has_value();
  }
  bool fail_next_save() {
    // Whether a failing replace has happened is the seed's choice; this seed's first fault leaves the old
    // file.
    files.fail_operation(3);
    return true;
  }
  std::string path() const { return folder.file("orders.position"); }

  TempFolder folder;
  ManualClock clock;
  PosixFileSystem disk;
  FaultyFileSystem files{disk, 3};
};

INSTANTIATE_TYPED_TEST_SUITE_P(File, PositionStoreContract, FileHarness);

DurablePosition durable(uint32_t n) {
  Watermark watermark(1);
  watermark.admit(position_at(n), 0, 0);
  return *watermark.advance();
}

const PositionContext kContext{"orders", "f1f1f1f1", "set-1/65f0"};

TEST(FilePosition, AFaultAtAnyOperationLeavesTheOldPositionOrTheNewOne) {
  bool hit = true;
  for (int n = 0; hit; ++n) {
    ASSERT_LT(n, 100);
    SCOPED_TRACE("fault at operation " + std::to_string(n));
    FileHarness harness;
    ASSERT_TRUE((*harness.make()).acquire(kContext, {}).has_value());
    {
      auto store = harness.make();
      ASSERT_TRUE(store->acquire(kContext, {}).has_value());
      ASSERT_TRUE(store->save(durable(4), {}).has_value());
    }
    harness.files.fail_operation(static_cast<uint64_t>(n));
    bool saved = false;
    if (auto store = harness.make(); store->acquire(kContext, {}))
      saved = store->save(durable(5), {}).has_value();
    hit = harness.files.fault_was_hit();
    harness.files.heal();

    auto loaded = harness.make()->acquire(kContext, {});
    ASSERT_TRUE(loaded.has_value()) << loaded.error().describe();
    ASSERT_TRUE(loaded->has_value()) << "a failed save made the position go away";
    const Position& position = (*loaded)->position;
    EXPECT_TRUE(position == position_at(5) || (!saved && position == position_at(4)));
  }
}

TEST(FilePosition, EveryDamagedByteIsNoticed) {
  FileHarness harness;
  {
    auto store = harness.make();
    ASSERT_TRUE(store->acquire(kContext, {}).has_value());
    ASSERT_TRUE(store->save(durable(4), {}).has_value());
  }
  const std::string good = *harness.disk.read_file(harness.path(), 1 << 20);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 0x40;
    ASSERT_TRUE(harness.disk.replace_file(harness.path(), bad).has_value());
    auto loaded = harness.make()->peek("orders", {});
    ASSERT_FALSE(loaded.has_value()) << "byte " << i;
    EXPECT_EQ(loaded.error().react, React::kCorrupt);
  }
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() - 1), std::string((1 << 20) + 1, 'x')}) {
    ASSERT_TRUE(harness.disk.replace_file(harness.path(), bad).has_value());
    auto loaded = harness.make()->peek("orders", {});
    ASSERT_FALSE(loaded.has_value()) << bad.size() << " bytes";
    EXPECT_EQ(loaded.error().react, React::kCorrupt);
  }
}

TEST(FilePosition, ADamagedOneCanBeErasedByTheOperatorAndNothingElse) {
  FileHarness harness;
  ASSERT_TRUE(harness.disk.replace_file(harness.path(), "garbage").has_value());
  {
    auto store = harness.make();
    auto loaded = store->acquire(kContext, {});
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().react, React::kCorrupt);
    EXPECT_THAT(loaded.error().what, ::testing::HasSubstr(harness.path()));
    EXPECT_THAT(loaded.error().hint, ::testing::HasSubstr("tidemark position reset FILE orders"));
    EXPECT_FALSE(store->save(durable(1), {}).has_value());
    ASSERT_TRUE(store->erase({}).has_value());
    EXPECT_TRUE(store->save(durable(1), {}).has_value());
  }
  auto loaded = harness.make()->acquire(kContext, {});
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->position, position_at(1));
}

TEST(FilePosition, APositionFileThatVanishedUnderItsOwnerStopsIt) {
  FileHarness harness;
  auto store = harness.make();
  ASSERT_TRUE(store->acquire(kContext, {}).has_value());
  ASSERT_TRUE(harness.disk.remove(harness.path()).has_value());
  auto saved = store->save(durable(1), {});
  ASSERT_FALSE(saved.has_value());
  EXPECT_EQ(saved.error().react, React::kFenced);
}

TEST(FilePosition, AMissingFolderIsTheOperatorsToMend) {
  FileHarness harness;
  config::Settings settings;
  settings.set("path", harness.folder.file("no/such/orders.position"));
  ComponentContext context;
  context.pipeline = "orders";
  context.clock = &harness.clock;
  context.files = &harness.files;
  auto store = *file_position_component().make(settings, context);
  auto loaded = store->acquire(kContext, {});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().react, React::kDenied);
  EXPECT_FALSE(store->peek("orders", {}).value_or(std::nullopt).has_value());
}

TEST(FilePosition, SaysWhenItWasSaved) {
  FileHarness harness;
  auto store = harness.make();
  ASSERT_TRUE(store->acquire(kContext, {}).has_value());
  harness.clock.advance(std::chrono::seconds(5));
  ASSERT_TRUE(store->save(durable(1), {}).has_value());
  EXPECT_EQ((*store->peek("orders", {}))->saved_at_ms, ManualClock::kStartMs + 5000);
}

}  // namespace
}  // namespace tidemark::testing
