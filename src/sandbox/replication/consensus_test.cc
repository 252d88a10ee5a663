#include "sandbox/replication/consensus.h"

#include <gtest/gtest.h>

#include "env/posix/clock.h"

namespace tidemark::sandbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bson::Document doc(std::string_view json) { return bson::Document::from_json(json).value(); }

// Three members without a network. Waiting is on conditions, each with a bound that only a failing test reaches.
class Set : public testing::Test {
 protected:
  Set() { open(3, size_t{16} << 20); }

  void open(int count, size_t oplog_bytes) {
    consensus.reset();
    members.clear();
    std::vector<Member*> pointers;
    for (int i = 0; i < count; i++) {
      members.push_back(std::make_unique<Member>(i, oplog_bytes, clock));
      pointers.push_back(members.back().get());
    }
    consensus = std::make_unique<Consensus>(pointers,
                                            ConsensusOptions{milliseconds(30), milliseconds(60'000)}, clock);
    consensus->start();
  }

  // Inserts {_id: id} on a member that must be primary.
  OpTime write(int index, int id) {
    Member& member = *members[index];
    OpTime time;
    {
      ExclusiveLock lock(member.mutex);
      EXPECT_TRUE(member.writable());
      std::vector<std::shared_ptr<OplogEntry>> entries;
      Collection* collection = member.catalog.find("t", "a");
      if (collection == nullptr) {
        collection = member.catalog.create("t", "a", Uuid{1}).value();
        entries.push_back(std::make_shared<OplogEntry>());
        entries.back()->kind = OpKind::kCreate;
        entries.back()->db = "t";
        entries.back()->coll = "a";
        entries.back()->uuid = Uuid{1};
      }
      entries.push_back(std::make_shared<OplogEntry>());
      OplogEntry& entry = *entries.back();
      entry.kind = OpKind::kInsert;
      entry.db = "t";
      entry.coll = "a";
      entry.uuid = Uuid{1};
      entry.key = entry.after = doc("{\"_id\":" + std::to_string(id) + "}");
      EXPECT_TRUE(collection->insert(entry.after));
      time = member.log(entries);
    }
    consensus->wrote(index, time);
    return time;
  }

  bool has(int index, int id) {
    Member& member = *members[index];
    SharedLock lock(member.mutex);
    const Collection* collection = member.catalog.find("t", "a");
    const auto key = doc("{\"_id\":" + std::to_string(id) + "}");
    return collection != nullptr && collection->find_id(*key.view().begin());
  }

  WaitOutcome everywhere(int index, OpTime time) {
    WriteConcern all;
    all.w = consensus->size();
    all.timeout = seconds(20);
    return consensus->wait_replicated(index, time, all, {});
  }

  // The next primary other than `not_this`.
  int next_primary(int not_this) {
    for (int64_t counter = -1;;) {
      const auto primary = consensus->primary();
      if (primary && *primary != not_this) return *primary;
      const int other = not_this == 0 ? 1 : 0;
      const auto view = members[other]->topology.wait_beyond(counter, seconds(20), {});
      if (view.counter <= counter) return -1;
      counter = view.counter;
    }
  }

  PosixClock clock;
  std::vector<std::unique_ptr<Member>> members;
  std::unique_ptr<Consensus> consensus;
};

const WriteConcern kMajority{true, 1, seconds(20)};

TEST_F(Set, CommitsWhatAMajorityHolds) {
  const OpTime time = write(0, 1);
  EXPECT_EQ(consensus->wait_replicated(0, time, kMajority, {}), WaitOutcome::kReplicated);
  EXPECT_GE(consensus->commit_point().ts, time.ts);
  EXPECT_EQ(everywhere(0, time), WaitOutcome::kReplicated);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(has(i, 1)) << i;
}

TEST_F(Set, CommitsNothingWhileNobodyElseHasIt) {
  consensus->set_replicating(1, false);
  consensus->set_replicating(2, false);
  const OpTime time = write(0, 1);
  EXPECT_EQ(consensus->wait_replicated(0, time, {true, 1, milliseconds(50)}, {}), WaitOutcome::kTimedOut);
  EXPECT_LT(consensus->commit_point().ts, time.ts);
  consensus->set_replicating(2, true);
  EXPECT_EQ(consensus->wait_replicated(0, time, kMajority, {}), WaitOutcome::kReplicated);
  EXPECT_FALSE(has(1, 1));
}

TEST_F(Set, ElectsTheMemberWithTheNewestLogWhenThePrimaryDies) {
  consensus->set_replicating(1, false);
  const OpTime time = write(0, 1);
  ASSERT_EQ(consensus->wait_replicated(0, time, kMajority, {}), WaitOutcome::kReplicated);
  consensus->set_replicating(1, true);
  consensus->set_partitioned(1, true);
  consensus->set_alive(0, false);
  EXPECT_FALSE(consensus->primary()) << "one of three can't elect";
  consensus->set_partitioned(1, false);
  const int primary = next_primary(0);
  ASSERT_GE(primary, 0);
  EXPECT_TRUE(has(primary, 1)) << "what was committed is never lost";
  EXPECT_GT(consensus->status(primary).term, time.term);
}

TEST_F(Set, RollsBackWhatOnlyTheOldPrimaryHad) {
  ASSERT_EQ(everywhere(0, write(0, 1)), WaitOutcome::kReplicated);
  consensus->set_partitioned(0, true);
  write(0, 2);  // nobody gets this one
  const int primary = next_primary(0);
  ASSERT_GE(primary, 0);
  const OpTime time = write(primary, 3);
  ASSERT_EQ(consensus->wait_replicated(primary, time, kMajority, {}), WaitOutcome::kReplicated);
  consensus->set_partitioned(0, false);
  ASSERT_EQ(everywhere(primary, time), WaitOutcome::kReplicated);
  EXPECT_FALSE(has(0, 2));
  EXPECT_TRUE(has(0, 1));
  EXPECT_TRUE(has(0, 3));
  EXPECT_EQ(consensus->status(0).rollbacks, 1);
  EXPECT_FALSE(consensus->status(0).primary);
}

TEST_F(Set, NeverShowsARolledBackWriteAsCommitted) {
  ASSERT_EQ(everywhere(0, write(0, 1)), WaitOutcome::kReplicated);
  consensus->set_partitioned(0, true);
  const OpTime lost = write(0, 2);
  EXPECT_LT(members[0]->oplog.commit_point().ts, lost.ts);
  const int primary = next_primary(0);
  ASSERT_GE(primary, 0);
  const OpTime time = write(primary, 3);
  ASSERT_EQ(consensus->wait_replicated(primary, time, kMajority, {}), WaitOutcome::kReplicated);
  consensus->set_partitioned(0, false);
  ASSERT_EQ(everywhere(primary, time), WaitOutcome::kReplicated);
  std::vector<EntryPtr> committed;
  members[0]->oplog.read({}, true, 1000, committed);
  for (const auto& entry : committed) EXPECT_NE(entry->time, lost);
}

TEST_F(Set, CopiesEverythingToAMemberThatWasLeftBehind) {
  consensus->set_alive(2, false);
  ASSERT_EQ(consensus->wait_replicated(0, write(0, 1), kMajority, {}), WaitOutcome::kReplicated);
  const OpTime time = write(0, 2);
  members[0]->oplog.truncate_before(time.ts);
  consensus->set_alive(2, true);
  ASSERT_EQ(everywhere(0, time), WaitOutcome::kReplicated);
  EXPECT_TRUE(has(2, 1));
  EXPECT_TRUE(has(2, 2));
  EXPECT_GE(consensus->status(2).initial_syncs, 1);
}

TEST_F(Set, HandsOverWithoutLosingAWriteWhenThePrimaryStepsDown) {
  const OpTime time = write(0, 1);
  ASSERT_TRUE(consensus->step_down(0, seconds(60), seconds(20), false, {}));
  const auto primary = consensus->primary();
  ASSERT_TRUE(primary) << "the election follows at once";
  EXPECT_NE(*primary, 0);
  EXPECT_TRUE(has(*primary, 1));
  EXPECT_GT(members[*primary]->oplog.newest().term, time.term);
  EXPECT_EQ(consensus->step_down(0, seconds(60), seconds(1), false, {}).error().code, kNotWritablePrimary);
}

TEST_F(Set, DoesntStepDownWhenNobodyCanTakeOver) {
  consensus->set_replicating(1, false);
  consensus->set_replicating(2, false);
  write(0, 1);
  EXPECT_EQ(consensus->step_down(0, seconds(60), milliseconds(20), false, {}).error().code, 262);
  write(0, 2);  // still writable
  EXPECT_TRUE(members[0]->topology.get().primary);
}

TEST_F(Set, StepsDownOnceAMemberMayTakeOverAgain) {
  write(0, 1);
  consensus->freeze(1, milliseconds(100));
  consensus->freeze(2, milliseconds(100));
  ASSERT_TRUE(consensus->step_down(0, seconds(60), seconds(20), false, {}));
  EXPECT_NE(consensus->primary().value_or(0), 0);
}

// A client takes "not primary" for old news unless the member's topology is newer than what it knows.
TEST_F(Set, TellsThatItStepsDownBeforeItRefusesWrites) {
  consensus->set_replicating(1, false);
  consensus->set_replicating(2, false);
  write(0, 1);
  const int64_t before = members[0]->topology.get().counter;
  std::jthread asker([this] { EXPECT_TRUE(consensus->step_down(0, seconds(60), seconds(20), false, {})); });
  const auto view = members[0]->topology.wait_beyond(before, seconds(20), {});
  EXPECT_FALSE(view.primary);
  EXPECT_EQ(view.known_primary, -1);
  consensus->set_replicating(1, true);
}

TEST_F(Set, TellsAWaiterThatThePrimaryWasLost) {
  consensus->set_replicating(1, false);
  consensus->set_replicating(2, false);
  const OpTime time = write(0, 1);
  std::jthread killer([this] { consensus->set_alive(0, false); });
  EXPECT_EQ(consensus->wait_replicated(0, time, {true, 1, milliseconds(0)}, {}), WaitOutcome::kNotPrimary);
}

TEST_F(Set, ReplacesAPausedPrimaryAndTellsItWhenItWakes) {
  ASSERT_EQ(everywhere(0, write(0, 1)), WaitOutcome::kReplicated);
  consensus->set_paused(0, true);
  const int primary = next_primary(0);
  ASSERT_GE(primary, 0);
  EXPECT_TRUE(consensus->status(0).primary) << "it doesn't know yet";
  consensus->set_paused(0, false);
  EXPECT_FALSE(consensus->status(0).primary);
  SharedLock lock(members[0]->mutex);
  EXPECT_FALSE(members[0]->writable());
}

// Drivers remember the newest election and would never write to it again.
TEST_F(Set, APausedPrimaryStepsDownForATermWhosePrimaryIsGoneToo) {
  consensus->set_paused(0, true);
  const int next = next_primary(0);
  ASSERT_GT(next, 0);
  consensus->set_alive(next, false);
  consensus->set_paused(0, false);
  const int64_t term = consensus->status(next == 1 ? 2 : 1).term;
  ASSERT_GT(next_primary(next), -1);
  const int last = consensus->primary().value();
  EXPECT_GT(consensus->status(last).term, term);
}

TEST_F(Set, RemembersRetryableStatementsOnEveryMember) {
  Member& member = *members[0];
  OpTime time;
  {
    ExclusiveLock lock(member.mutex);
    auto entry = std::make_shared<OplogEntry>();
    entry->lsid = doc(R"({"id":1})");
    entry->txn_number = 4;
    entry->statement_id = 2;
    time = member.log(std::move(entry));
  }
  consensus->wrote(0, time);
  ASSERT_EQ(everywhere(0, time), WaitOutcome::kReplicated);
  for (const auto& each : members) {
    SharedLock lock(each->mutex);
    const SessionRecord* session = each->sessions.find(doc(R"({"id":1})"));
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->txn_number, 4);
    EXPECT_TRUE(session->statements.contains(2));
  }
}

TEST_F(Set, CommitsAloneWhenItIsASetOfOne) {
  open(1, size_t{1} << 20);
  EXPECT_EQ(consensus->wait_replicated(0, write(0, 1), kMajority, {}), WaitOutcome::kReplicated);
}

TEST_F(Set, WritesNoOpsWhileNobodyWrites) {
  consensus.reset();
  std::vector<Member*> pointers;
  for (auto& member : members) pointers.push_back(member.get());
  consensus =
      std::make_unique<Consensus>(pointers, ConsensusOptions{milliseconds(30), milliseconds(10)}, clock);
  // A set that starts anew on logs that already agree.
  consensus->start();
  const auto newest = members[0]->oplog.newest().ts;
  EXPECT_TRUE(members[0]->oplog.wait_committed(newest, seconds(20), {}));
}

}  // namespace
}  // namespace tidemark::sandbox
