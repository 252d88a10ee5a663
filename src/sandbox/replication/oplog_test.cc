#include "sandbox/replication/oplog.h"

#include <thread>

#include <gtest/gtest.h>

namespace tidemark::sandbox {
namespace {

EntryPtr entry(uint32_t seconds, int64_t term = 1, size_t padding = 0) {
  auto out = std::make_shared<OplogEntry>();
  out->time = {{seconds, 1}, term};
  out->coll = std::string(padding, 'x');
  return out;
}

OpTime at(uint32_t seconds, int64_t term = 1) { return {{seconds, 1}, term}; }

TEST(Oplog, ShowsOnlyCommittedEntriesToChangeStreams) {
  Oplog oplog(1 << 20);
  for (uint32_t i = 1; i <= 3; i++) oplog.append(entry(i));
  std::vector<EntryPtr> out;
  EXPECT_EQ(oplog.read({}, true, 10, out), 0u);
  oplog.set_commit_point(at(2));
  EXPECT_EQ(oplog.read({}, true, 10, out), 2u);
  EXPECT_EQ(oplog.read({1, 1}, true, 10, out), 1u);
  EXPECT_EQ(oplog.read({1, 1}, false, 10, out), 2u);
}

TEST(Oplog, NeverTurnsItsCommitPointBack) {
  Oplog oplog(1 << 20);
  oplog.set_commit_point(at(5));
  oplog.set_commit_point(at(3));
  EXPECT_EQ(oplog.commit_point(), at(5));
}

TEST(Oplog, DropsTheOldestEntriesBeyondItsBoundAndSaysSo) {
  Oplog oplog(1000);
  for (uint32_t i = 1; i <= 10; i++) oplog.append(entry(i, 1, 200));
  EXPECT_LE(oplog.bytes(), 1000u);
  EXPECT_EQ(oplog.newest(), at(10));
  EXPECT_GT(oplog.oldest().ts.seconds, 1u);
  EXPECT_EQ(oplog.resumable_after().seconds + 1, oplog.oldest().ts.seconds);
}

TEST(Oplog, KeepsOneEntryHoweverLarge) {
  Oplog oplog(100);
  oplog.append(entry(1, 1, 5000));
  EXPECT_EQ(oplog.size(), 1u);
}

TEST(Oplog, ContinuesOnlyALogThatItHolds) {
  Oplog oplog(1 << 20);
  for (uint32_t i = 1; i <= 3; i++) oplog.append(entry(i));
  std::vector<EntryPtr> out;
  EXPECT_TRUE(oplog.read_continuing(at(2), 10, out));
  EXPECT_EQ(out.size(), 1u);
  EXPECT_FALSE(oplog.read_continuing(at(2, 7), 10, out)) << "the same time in another term is another entry";
  EXPECT_FALSE(oplog.read_continuing(at(9), 10, out));
  out.clear();
  EXPECT_TRUE(oplog.read_continuing({}, 10, out));
  EXPECT_EQ(out.size(), 3u);
  oplog.truncate_before({2, 1});
  EXPECT_FALSE(oplog.read_continuing({}, 10, out)) << "what was dropped can't be copied";
  EXPECT_FALSE(oplog.read_continuing(at(1), 10, out));
}

TEST(Oplog, FindsTheNewestCommonEntry) {
  Oplog oplog(1 << 20);
  for (uint32_t i = 1; i <= 3; i++) oplog.append(entry(i));
  const std::vector<OpTime> theirs = {at(4, 2), at(3, 2), at(2), at(1)};
  EXPECT_EQ(oplog.common_point(theirs), at(2));
  EXPECT_EQ(oplog.common_point(std::vector<OpTime>{at(9)}), OpTime{});
}

TEST(Oplog, WakesAReaderWhenAnEntryIsCommitted) {
  Oplog oplog(1 << 20);
  oplog.append(entry(1));
  std::jthread committer([&oplog] { oplog.set_commit_point(at(1)); });
  EXPECT_TRUE(oplog.wait_committed({}, std::chrono::seconds(20), {}));
}

TEST(Oplog, DoesntMissAWakeUpBetweenTheLookAndTheWait) {
  Oplog oplog(1 << 20);
  const uint64_t seen = oplog.wakeups();
  oplog.wake();
  // Would wait for an hour if the wake-up were lost.
  EXPECT_FALSE(oplog.wait_committed({}, std::chrono::hours(1), {}, seen));
  EXPECT_FALSE(oplog.wait_appended({}, std::chrono::hours(1), {}, seen));
}

TEST(Oplog, ReturnsAtOnceWhenAskedToStop) {
  Oplog oplog(1 << 20);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(oplog.wait_committed({}, std::chrono::hours(1), stop.get_token()));
}

TEST(Oplog, ForgetsWhatIsRolledBack) {
  Oplog oplog(1 << 20);
  for (uint32_t i = 1; i <= 3; i++) oplog.append(entry(i));
  oplog.truncate_after(at(1));
  EXPECT_EQ(oplog.newest(), at(1));
  oplog.append(entry(2, 2));
  EXPECT_EQ(oplog.newest(), at(2, 2));
}

}  // namespace
}  // namespace tidemark::sandbox
