#include "guard/checkpoint.h"

#include <gtest/gtest.h>

#include "env/posix/file_system.h"
#include "guard/testing/audit_harness.h"
#include "support/faulty_file_system.h"
#include "support/temp_folder.h"

namespace tidemark::guard {
namespace {

using audit_world::SteppingClock;
using ::tidemark::testing::FaultyFileSystem;
using ::tidemark::testing::TempFolder;

Checkpoint sample() {
  Checkpoint checkpoint;
  checkpoint.fingerprint = "f";
  checkpoint.report.started_at_ms = -5;
  checkpoint.report.seconds = 1.5;
  checkpoint.report.missing = 7;
  checkpoint.report.differences = {{{"shop", "orders"}, "{\"$numberInt\":\"1\"}", DifferenceKind::kExtra}};
  checkpoint.report.deltas = {{{"shop", "orders"}, std::nullopt, 1, 2, 0, 1, 0}};
  checkpoint.report.differences_complete = false;
  checkpoint.done = {{"shop", "customers"}};
  checkpoint.current = CollectionName{"shop", "orders"};
  checkpoint.source.last_id = "x";
  checkpoint.source.filtered = 3;
  checkpoint.source.rejected_in = {{std::nullopt, 2}, {1000, 1}};
  checkpoint.source.rejects = {{{"shop", "orders"}, "\"n\"", "why"}};
  checkpoint.report.unaudited = {{{"shop", "odd"}, "why"}};
  checkpoint.report.stale = 4;
  checkpoint.source.sums.add({.id = "a", .key = "k", .doc = "b", .time_ms = -1}, {"t", 1000});
  checkpoint.destination.done = true;
  checkpoint.destination.sums.add({.id = "a", .key = "k", .doc = "c"}, {"t", 1000});
  return checkpoint;
}

TEST(AuditCheckpoint, GivesBackWhatItWasMadeFrom) {
  const Checkpoint before = sample();
  const auto after = Checkpoint::decode(before.encode());
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(after->encode(), before.encode());
  EXPECT_EQ(after->report.started_at_ms, -5);
  EXPECT_EQ(after->report.seconds, 1.5);
  EXPECT_EQ(after->report.differences, before.report.differences);
  EXPECT_FALSE(after->report.differences_complete);
  EXPECT_EQ(after->done, before.done);
  EXPECT_EQ(after->current, before.current);
  EXPECT_EQ(after->source.sums.by_bucket, before.source.sums.by_bucket);
  EXPECT_EQ(after->source.sums.by_leaf, before.source.sums.by_leaf);
  EXPECT_TRUE(after->destination.done);
  EXPECT_EQ(after->source.rejected_in, before.source.rejected_in);
  ASSERT_EQ(after->report.unaudited.size(), 1U);
  EXPECT_EQ(after->report.stale, 4U);
}

// The sums of version 1 were of a destination's own text.
TEST(AuditCheckpoint, OfAnotherVersionIsSaidToBeThat) {
  std::string bytes = sample().encode();
  bytes[7] = 1;
  const auto old = Checkpoint::decode(bytes);
  ASSERT_FALSE(old);
  EXPECT_NE(old.error().what.find("another version"), std::string::npos) << old.error().what;
}

TEST(AuditCheckpoint, CallsEveryFlippedByteAndEveryCutCorrupt) {
  Checkpoint checkpoint;
  checkpoint.fingerprint = "f";
  const std::string bytes = checkpoint.encode();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(Checkpoint::decode(damaged)) << i;
    EXPECT_FALSE(Checkpoint::decode(std::string_view(bytes).substr(0, i))) << i;
  }
}

TEST(AuditCheckpointStore, IsOfOneFingerprintAndForADay) {
  TempFolder folder;
  PosixFileSystem files;
  SteppingClock clock;
  CheckpointStore store(folder.file("c"), &files, clock, 5000);
  EXPECT_FALSE(store.load("f")->has_value());
  Checkpoint checkpoint = sample();
  ASSERT_TRUE(store.save(checkpoint));
  EXPECT_TRUE(store.load("f")->has_value());
  EXPECT_FALSE(store.load("g")->has_value());
  clock.advance(std::chrono::hours(25));
  EXPECT_FALSE(store.load("f")->has_value());
  ASSERT_TRUE(store.forget());
  EXPECT_FALSE(*files.exists(folder.file("c")));
}

TEST(AuditCheckpointStore, BeginsAnewWhereTheFileIsDamaged) {
  TempFolder folder;
  PosixFileSystem files;
  SteppingClock clock;
  CheckpointStore store(folder.write("c", "TIDEAUD"), &files, clock, 5000);
  const auto found = store.load("f");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->has_value());
}

TEST(AuditCheckpointStore, SavesOnlySoOften) {
  SteppingClock clock;
  TempFolder folder;
  PosixFileSystem base;
  FaultyFileSystem files(base, 1);
  CheckpointStore store(folder.file("c"), &files, clock, 5000);
  Checkpoint checkpoint = sample();
  ASSERT_TRUE(store.offer(checkpoint));
  clock.advance(std::chrono::milliseconds(4999));
  ASSERT_TRUE(store.offer(checkpoint));
  EXPECT_EQ(files.operations(), 0U);
  clock.advance(std::chrono::milliseconds(1));
  ASSERT_TRUE(store.offer(checkpoint));
  EXPECT_EQ(files.operations(), 1U);
}

TEST(AuditCheckpointStore, SaysSoWhenItCannotSave) {
  SteppingClock clock;
  TempFolder folder;
  PosixFileSystem base;
  FaultyFileSystem files(base, 1);
  files.fail_from(0);
  CheckpointStore store(folder.file("c"), &files, clock, 0);
  Checkpoint checkpoint = sample();
  EXPECT_FALSE(store.offer(checkpoint));
}

}  // namespace
}  // namespace tidemark::guard
