#include "core/testing/pipeline_core_harness.h"

namespace tidemark {
namespace {

TEST(PipelineCore, KeepsTheOrderOfAKeyWithinItsLane) {
  PipelineLimits limits;
  limits.lanes = 2;
  Harness h(limits);
  h.start();
  h.read(4, "p1");
  auto first = h.take<Write>();
  auto second = h.take<Write>();
  EXPECT_THAT(ids(first.job), testing::ElementsAre("e0", "e2"));
  EXPECT_THAT(ids(second.job), testing::ElementsAre("e1", "e3"));
  h.write_ok(std::move(second));
  EXPECT_FALSE(h.has<Save>());
  h.write_ok(std::move(first));
  EXPECT_TRUE(h.has<Save>());
}

TEST(PipelineCore, LetsNothingPassADropInAnyLane) {
  PipelineLimits limits;
  limits.lanes = 2;
  Harness h(limits);
  h.start();
  h.take<ReadSource>();
  auto batch = std::make_shared<EventBatch>();
  for (int i = 0; i < 3; ++i) {
    Event event;
    event.id = batch->store("e" + std::to_string(i));
    event.op = i == 1 ? Op::kDrop : Op::kInsert;
    event.key_hash = 1;
    batch->events().push_back(event);
  }
  h.give(ReadDone{SourceBatch{batch, at("p1"), false}});
  auto write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("e0"));
  EXPECT_FALSE(h.has<Write>());
  h.write_ok(std::move(write));
  write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("e1"));
  EXPECT_FALSE(h.has<Write>());
  h.write_ok(std::move(write));
  EXPECT_THAT(ids(h.take<Write>().job), testing::ElementsAre("e2"));
}

TEST(PipelineCore, StopsAtARejectedEventByDefault) {
  Harness h;
  h.start();
  h.read(3, "p1");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "bad"}, 1, 1)});
  const auto finish = h.take<Finish>();
  EXPECT_EQ(finish.error->react, React::kReject);
  EXPECT_THAT(finish.error->what, testing::HasSubstr("e1"));
  EXPECT_FALSE(h.has<Save>());
}

TEST(PipelineCore, CountsARejectedEventAsDeliveredOnceItsDeadLetterIsDurable) {
  PipelineLimits limits;
  limits.on_reject = OnReject::kDeadLetter;
  Harness h(limits);
  h.start();
  h.read(3, "p1");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "bad"}, 0, 1)});
  EXPECT_FALSE(h.has<Write>()) << "the rest waits for the letter";
  EXPECT_EQ(h.take<PutDeadLetter>().event.id, "e1");
  h.give(DeadLetterDone{});
  auto rest = h.take<Write>();
  EXPECT_THAT(ids(rest.job), testing::ElementsAre("e0", "e2"));
  h.write_ok(std::move(rest));
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p1");
  EXPECT_EQ(h.core.status().events_rejected, 1u);
}

TEST(PipelineCore, CommitsThePositionWithTheRowsOfATransaction) {
  TransactionalHarness h;
  h.start();
  h.read(2, "p1");
  auto write = h.take<Write>();
  EXPECT_EQ(data_of(write.job.resume_after), "p1");
  h.write_ok(std::move(write));
  EXPECT_FALSE(h.has<Save>());
  EXPECT_EQ(data_of(h.core.status().committed), "p1");
}

TEST(PipelineCore, CommitsTheEventsOwnTokenInTheMiddleOfABatch) {
  PipelineLimits limits = transactional_limits();
  limits.batch_events_max = 2;
  Harness h(limits);
  h.transactional = true;
  h.start();
  h.read(3, "p1");
  auto write = h.take<Write>();
  EXPECT_EQ(data_of(write.job.resume_after), "e1");
  h.write_ok(std::move(write));
  EXPECT_EQ(data_of(h.take<Write>().job.resume_after), "p1");
}

TEST(PipelineCore, CommitsAQuietStreamsMarkInATransactionOfItsOwn) {
  TransactionalHarness h;
  h.start();
  h.read(0, "p1");
  EXPECT_FALSE(h.has<Write>());
  h.now += seconds(10);
  h.give(Tick{});
  auto write = h.take<Write>();
  EXPECT_TRUE(write.job.events.empty());
  EXPECT_EQ(data_of(write.job.resume_after), "p1");
}

TEST(PipelineCore, DoesNotCommitATransactionPastAnEventThatIsNowhereDurable) {
  PipelineLimits limits = transactional_limits();
  limits.on_reject = OnReject::kDeadLetter;
  Harness h(limits);
  h.transactional = true;
  h.start();
  h.take<ReadSource>();
  auto batch = std::make_shared<EventBatch>();
  for (int i = 0; i < 2; ++i) {
    Event event;
    event.id = batch->store("e" + std::to_string(i));
    event.op = Op::kInsert;
    if (i == 0) event.reject_reason = "too large";
    batch->events().push_back(event);
  }
  h.give(ReadDone{SourceBatch{batch, at("p1"), false}});
  EXPECT_FALSE(h.has<Write>());
  h.take<PutDeadLetter>();
  h.give(DeadLetterDone{});
  EXPECT_THAT(ids(h.take<Write>().job), testing::ElementsAre("e1"));
}

// Of events that the source made up: their ids are no place in the stream, and a crash must have them made up again.
TEST(PipelineCore, CommitsThePositionBeforeABatchWhoseEventsAreNoPlacesInTheStream) {
  PipelineLimits limits = transactional_limits();
  limits.batch_events_max = 2;
  Harness h(limits);
  h.transactional = true;
  h.start();
  h.take<ReadSource>();
  auto batch = std::make_shared<EventBatch>();
  for (int i = 0; i < 3; ++i) {
    Event event;
    event.id = batch->store("e" + std::to_string(i));
    event.op = Op::kInsert;
    batch->events().push_back(event);
  }
  h.give(ReadDone{SourceBatch{batch, at("behind"), false, at("before")}});
  auto first = h.take<Write>();
  EXPECT_THAT(ids(first.job), testing::ElementsAre("e0", "e1"));
  EXPECT_EQ(data_of(first.job.resume_after), "before");
  h.write_ok(std::move(first));
  auto second = h.take<Write>();
  EXPECT_THAT(ids(second.job), testing::ElementsAre("e2"));
  EXPECT_EQ(data_of(second.job.resume_after), "behind");
}

}  // namespace
}  // namespace tidemark
