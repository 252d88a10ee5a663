#include "core/testing/pipeline_core_harness.h"

namespace tidemark {
namespace {

TEST(PipelineCore, RefusesToStartWithoutAStoredPosition) {
  Harness h;
  h.give(Started{});
  h.take<IdentifySource>();
  h.give(Identified{SourceHealth{}});
  h.take<AcquirePosition>();
  h.give(PositionAcquired{std::optional<StoredPosition>()});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  const auto finish = h.take<Finish>();
  ASSERT_TRUE(finish.error);
  EXPECT_EQ(finish.error->react, React::kConfig);
  EXPECT_THAT(finish.error->hint, testing::HasSubstr("position init"));
  EXPECT_FALSE(h.has<OpenSource>());
}

TEST(PipelineCore, RefusesAPositionOfAnotherConfiguration) {
  Harness h;
  h.give(Started{});
  h.take<IdentifySource>();
  h.give(Identified{SourceHealth{}});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  h.take<AcquirePosition>();
  StoredPosition stored;
  stored.fingerprint = "another";
  h.give(PositionAcquired{std::optional<StoredPosition>(stored)});
  EXPECT_EQ(h.take<Finish>().error->react, React::kConfig);
}

TEST(PipelineCore, RefusesAPositionOfAnotherDeployment) {
  Harness h;
  h.give(Started{});
  h.take<IdentifySource>();
  SourceHealth health;
  health.deployment = "rs1";
  h.give(Identified{health});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  h.take<AcquirePosition>();
  StoredPosition stored;
  stored.fingerprint = "fp";
  stored.deployment = "rs0";
  h.give(PositionAcquired{std::optional<StoredPosition>(stored)});
  const auto finish = h.take<Finish>();
  EXPECT_THAT(finish.error->what, testing::HasSubstr("rs1"));
}

// A stream opened there would be silent until the deployment's clock gets there, and skip what it writes meanwhile.
TEST(PipelineCore, RefusesAPositionAheadOfTheDeployment) {
  for (const uint32_t ahead_s : {60u, 61u}) {
    Harness h;
    h.give(Started{});
    h.take<IdentifySource>();
    SourceHealth health;
    health.deployment = "rs0";
    health.latest = {0x65010203 - ahead_s - 5, 1};
    health.clock = {0x65010203 - ahead_s, 1};
    h.give(Identified{health});
    h.give(SinkOpened{h.take<OpenSink>().lane, {}});
    h.take<AcquirePosition>();
    StoredPosition stored;
    stored.position = at("8265010203000000072B0229296E04");
    stored.fingerprint = "fp";
    stored.deployment = "rs0";
    h.give(PositionAcquired{std::optional<StoredPosition>(stored)});
    ASSERT_EQ(h.has<Finish>(), ahead_s > 60);
    if (!h.has<Finish>()) continue;
    const auto finish = h.take<Finish>();
    EXPECT_EQ(finish.error->react, React::kConfig);
    EXPECT_THAT(finish.error->what, testing::HasSubstr("ahead"));
  }
}

TEST(PipelineCore, RefusesAnotherDeploymentOfTheSameNameByItsCollections) {
  Harness h;
  h.give(Started{});
  h.take<IdentifySource>();
  SourceHealth health;
  health.deployment = "rs0 key=8 collections=bb";
  h.give(Identified{health});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  h.take<AcquirePosition>();
  StoredPosition stored;
  stored.fingerprint = "fp";
  stored.deployment = "rs0/65f0 key=7 collections=aa";
  h.give(PositionAcquired{std::optional<StoredPosition>(stored)});
  const auto finish = h.take<Finish>();
  EXPECT_EQ(finish.error->react, React::kConfig);
  EXPECT_THAT(finish.error->what, testing::HasSubstr("another one of that name"));
}

TEST(PipelineCore, SavesTheFirstHighWaterMarkBeforeAnyEventIsDelivered) {
  Harness h;
  h.start("hwm");
  h.read(2, "p1");
  EXPECT_FALSE(h.has<Write>());
  const auto save = h.take<Save>();
  EXPECT_EQ(data_of(save.position.get()), "hwm");
  h.give(SaveDone{});
  EXPECT_TRUE(h.has<Write>());
}

TEST(PipelineCore, SavesThePositionOnlyAfterTheWriteIsDurable) {
  Harness h;
  h.start();
  h.read(2, "p1");
  EXPECT_FALSE(h.has<Save>());
  auto write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("e0", "e1"));
  h.write_ok(std::move(write));
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p1");
}

TEST(PipelineCore, WritesAFailedBatchAgainAfterTheSinkWasOpenedAgain) {
  Harness h;
  h.start();
  h.read(2, "p1");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kRetry, "sink away"})});
  EXPECT_FALSE(h.has<Write>());
  EXPECT_FALSE(h.has<Save>());
  EXPECT_EQ(h.core.status().state, PipelineState::kWaitingForSink);
  h.now += milliseconds(999);
  h.give(Tick{});
  EXPECT_FALSE(h.has<OpenSink>());
  h.now += milliseconds(1);
  h.give(Tick{});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  EXPECT_THAT(ids(h.take<Write>().job), testing::ElementsAre("e0", "e1"));
}

TEST(PipelineCore, TakesNothingFromAQueueBeforeTheSinkAnswers) {
  PipelineLimits limits;
  limits.sink_first = true;
  limits.lanes = 2;
  Harness h(limits);
  h.give(Started{});
  h.take<IdentifySource>();
  SourceHealth health;
  health.deployment = "rs0";
  h.give(Identified{health});
  h.acquire("p0");
  const int first = h.take<OpenSink>().lane;
  const int second = h.take<OpenSink>().lane;
  h.give(SinkOpened{first, {}});
  h.give(SinkOpened{second, fail(React::kRetry, "sink away")});
  EXPECT_FALSE(h.has<OpenSource>());
  h.now += seconds(1);
  h.give(Tick{});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  h.take<OpenSource>();
  h.give(SourceOpened{at("p0")});

  // Nor again, once both have failed.
  h.read(1, "p1");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kRetry, "sink away"})});
  h.read_fails(React::kRetry);
  h.now += seconds(1);
  h.give(Tick{});
  EXPECT_FALSE(h.has<OpenSource>());
  // A sink that opens may still take nothing: what is held has to go through first.
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  EXPECT_FALSE(h.has<OpenSource>());
  write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("e0")) << "it was kept while both were away";
  h.give(WriteDone{write.lane, std::move(write.job), {}});
  h.take<OpenSource>();
}

TEST(PipelineCore, TakesFromAQueueAgainOnceTheSinkHasAnsweredThoughItRejects) {
  PipelineLimits limits;
  limits.sink_first = true;
  limits.on_reject = OnReject::kDeadLetter;
  Harness h(limits);
  h.start();
  h.read(2, "p1");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "no"}, 0, 0)});
  h.read_fails(React::kRetry);
  h.now += seconds(1);
  h.give(Tick{});
  h.take<OpenSource>();
}

TEST(PipelineCore, WritesOnlyWhatWasNotDurableAgain) {
  Harness h;
  h.start();
  h.read(3, "p1");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kRetry, "sink away"}, 2)});
  EXPECT_FALSE(h.has<Save>());
  h.now += seconds(1);
  h.give(Tick{});
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
  auto again = h.take<Write>();
  EXPECT_THAT(ids(again.job), testing::ElementsAre("e2"));
  h.write_ok(std::move(again));
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p1");
}

TEST(PipelineCore, LetsTheNextWriteGrowWhileTheSinkIsBusy) {
  Harness h;
  h.start();
  h.read(1, "p1", "a");
  auto first = h.take<Write>();
  h.read(2, "p2", "b");
  h.read(2, "p3", "c");
  EXPECT_FALSE(h.has<Write>());
  h.write_ok(std::move(first));
  EXPECT_THAT(ids(h.take<Write>().job), testing::ElementsAre("b0", "b1", "c0", "c1"));
}

TEST(PipelineCore, KeepsAWriteWithinItsLimit) {
  PipelineLimits limits;
  limits.batch_events_max = 2;
  Harness h(limits);
  h.start();
  h.read(3, "p1");
  auto write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("e0", "e1"));
  h.write_ok(std::move(write));
  EXPECT_FALSE(h.has<Save>()) << "the batch isn't whole yet";
  write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("e2"));
  h.write_ok(std::move(write));
  EXPECT_TRUE(h.has<Save>());
}

TEST(PipelineCore, StopsReadingWhenTooMuchIsInFlight) {
  PipelineLimits limits;
  limits.in_flight_batches_max = 2;
  Harness h(limits);
  h.start();
  h.read(1, "p1", "a");
  h.read(1, "p2", "b");
  EXPECT_FALSE(h.has<ReadSource>());
  h.write_ok(h.take<Write>());
  EXPECT_TRUE(h.has<ReadSource>());
}

TEST(PipelineCore, StopsReadingWhenThePositionCannotBeSaved) {
  PipelineLimits limits;
  limits.unsaved_events_max = 2;
  Harness h(limits);
  h.start();
  h.read(2, "p1");
  h.write_ok(h.take<Write>());
  h.take<ReadSource>();
  auto batch = std::make_shared<EventBatch>();
  h.give(ReadDone{SourceBatch{batch, at("p1"), false}});
  EXPECT_FALSE(h.has<ReadSource>());
  h.take<Save>();
  h.give(SaveDone{});
  EXPECT_TRUE(h.has<ReadSource>());
}

TEST(PipelineCore, SavesAQuietStreamsMarkOnSchedule) {
  Harness h;
  h.start();
  h.read(0, "p1");
  h.read(0, "p2");
  EXPECT_FALSE(h.has<Save>());
  ASSERT_TRUE(h.core.next_tick());
  h.now = *h.core.next_tick();
  EXPECT_EQ(h.now, Mono{} + seconds(10));
  h.give(Tick{});
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p2");
}

TEST(PipelineCore, ReopensWhereItHasReadToAfterTheBackOff) {
  Harness h;
  h.start();
  h.read(1, "p1");
  h.read_fails(React::kRetry);
  EXPECT_EQ(h.core.status().state, PipelineState::kWaitingForSource);
  EXPECT_FALSE(h.has<OpenSource>());
  h.now += seconds(1);
  h.give(Tick{});
  EXPECT_EQ(data_of(h.take<OpenSource>().from), "p1");
}

TEST(PipelineCore, DoesNotResetTheBackOffOnAMereOpen) {
  Harness h;
  h.start();
  for (const auto wait :
       {seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(30), seconds(30)}) {
    h.read_fails(React::kRetry);
    ASSERT_TRUE(h.core.next_tick());
    EXPECT_EQ(*h.core.next_tick() - h.now, wait);
    h.now += wait;
    h.give(Tick{});
    h.take<OpenSource>();
    h.give(SourceOpened{at("p0")});
  }
}

TEST(PipelineCore, ResetsTheBackOffOnADeliveredEvent) {
  Harness h;
  h.start();
  h.read_fails(React::kRetry);
  h.now += seconds(1);
  h.give(Tick{});
  h.take<OpenSource>();
  h.give(SourceOpened{at("p0")});
  h.read(1, "p1");
  h.write_ok(h.take<Write>());
  h.read_fails(React::kRetry);
  EXPECT_EQ(*h.core.next_tick() - h.now, seconds(1));
}

TEST(PipelineCore, ResetsTheBackOffOnAMarkThatMoved) {
  Harness h;
  h.start();
  h.read_fails(React::kRetry);
  h.now += seconds(1);
  h.give(Tick{});
  h.take<OpenSource>();
  h.give(SourceOpened{at("p0")});
  h.read(0, "p1");
  h.read_fails(React::kRetry);
  h.now += seconds(1);
  h.give(Tick{});
  EXPECT_TRUE(h.has<OpenSource>());
}

TEST(PipelineCore, EndsTheWaitWhenANewPrimaryIsAnnounced) {
  Harness h;
  h.start();
  h.read_fails(React::kRetry);
  EXPECT_FALSE(h.has<OpenSource>());
  h.give(SourceReady{});
  EXPECT_TRUE(h.has<OpenSource>());
}

TEST(PipelineCore, DoesNotForgetAnAnnouncementThatOvertakesTheFailure) {
  Harness h;
  h.start();
  h.give(SourceReady{});
  h.read_fails(React::kRetry);
  h.give(Tick{});
  EXPECT_TRUE(h.has<OpenSource>());
}

TEST(PipelineCore, ReopensBehindAnInvalidateAtOnce) {
  Harness h;
  h.start();
  h.read(2, "invalidate", "e", true);
  EXPECT_EQ(data_of(h.take<OpenSource>().from), "invalidate");
}

TEST(PipelineCore, WaitsBeforeReopeningACursorThatClosedWithoutMoving) {
  Harness h;
  h.start();
  h.read(0, "p0", "e", true);
  EXPECT_FALSE(h.has<OpenSource>());
  EXPECT_TRUE(h.core.next_tick());
}

TEST(PipelineCore, EndsWhenThePositionIsLost) {
  Harness h;
  h.start();
  h.read_fails(React::kPositionLost);
  const auto finish = h.take<Finish>();
  EXPECT_EQ(finish.error->react, React::kPositionLost);
}

TEST(PipelineCore, ItsStatusNamesTheErrorThatEndedIt) {
  Harness h;
  h.start();
  h.read_fails(React::kRetry);
  const std::string waited_out = h.core.status().last_error;
  h.now += seconds(1);
  h.give(Tick{});
  h.give(SourceOpened{fail(React::kPositionLost, "the history is gone")});
  h.take<Finish>();
  EXPECT_EQ(h.core.status().state, PipelineState::kFinished);
  EXPECT_NE(h.core.status().last_error, waited_out);
  EXPECT_THAT(h.core.status().last_error, testing::HasSubstr("the history is gone"));
}

TEST(PipelineCore, AStopLeavesNoErrorBehind) {
  Harness h;
  h.start();
  h.read_fails(React::kRetry);
  h.give(StopRequested{});
  h.take<Finish>();
  EXPECT_EQ(h.core.status().last_error, "");
}

TEST(PipelineCore, SavesWhatIsDurableBeforeItEnds) {
  Harness h;
  h.start();
  h.read(1, "p1");
  auto write = h.take<Write>();
  h.read_fails(React::kPositionLost);
  EXPECT_FALSE(h.has<Finish>());
  h.write_ok(std::move(write));
  EXPECT_FALSE(h.has<Finish>());
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p1");
  h.give(SaveDone{});
  EXPECT_TRUE(h.has<Finish>());
}

TEST(PipelineCore, WritesNothingMoreOnceFenced) {
  Harness h;
  h.start();
  h.read(1, "p1", "a");
  h.write_ok(h.take<Write>());
  h.read(1, "p2", "b");
  auto write = h.take<Write>();
  h.take<Save>();
  h.give(SaveDone{fail(React::kFenced, "another instance")});
  h.write_ok(std::move(write));
  EXPECT_FALSE(h.has<Save>());
  EXPECT_EQ(h.take<Finish>().error->react, React::kFenced);
}

TEST(PipelineCore, TriesAFailedSaveAgain) {
  Harness h;
  h.start();
  h.read(1, "p1");
  h.write_ok(h.take<Write>());
  h.take<Save>();
  h.give(SaveDone{fail(React::kRetry, "disk full")});
  EXPECT_FALSE(h.has<Save>());
  h.now += seconds(1);
  h.give(Tick{});
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p1");
}

TEST(PipelineCore, EndsAtADeadlineWhenALaneDoesNotAnswer) {
  Harness h;
  h.start();
  h.read(1, "p1");
  h.take<Write>();
  h.give(StopRequested{});
  EXPECT_FALSE(h.has<Finish>());
  h.now = *h.core.next_tick();
  h.give(Tick{});
  EXPECT_FALSE(h.take<Finish>().error);
}

TEST(PipelineCore, SchedulesNothingOnceAStopWasRequested) {
  Harness h;
  h.start();
  h.read_fails(React::kRetry);
  h.give(StopRequested{});
  EXPECT_TRUE(h.has<Finish>());
  EXPECT_FALSE(h.has<OpenSource>());
}

TEST(PipelineCore, NeverFiresARetryThatWasPendingWhenTheStopCame) {
  Harness h;
  h.start();
  h.read(1, "p1");
  Write write = h.take<Write>();
  h.read_fails(React::kRetry);
  h.give(StopRequested{});
  h.now += seconds(5);  // past the back-off, within the drain
  h.give(Tick{});
  EXPECT_FALSE(h.has<OpenSource>());
  EXPECT_FALSE(h.has<Finish>()) << "the write is still out";
  h.write_ok(std::move(write));
  EXPECT_FALSE(h.has<OpenSource>());
}

TEST(PipelineCore, SaysWhenTheNextTryIsAndWhichOneItIs) {
  Harness h;
  h.start();
  EXPECT_EQ(h.core.status().retry_at, std::nullopt);
  h.read_fails(React::kRetry);
  EXPECT_EQ(h.core.status().retry_at, h.now + seconds(1));
  EXPECT_EQ(h.core.status().retry_attempt, 1);
  h.now += seconds(1);
  h.give(Tick{});
  EXPECT_EQ(h.core.status().retry_at, std::nullopt);
}

TEST(PipelineCore, KeepsItsPatienceWithADeploymentThatAnnouncesPrimariesWithoutEnd) {
  Harness h;
  h.start();
  for (int failure = 1; failure <= 3; ++failure) {
    h.read_fails(React::kRetry);
    h.give(SourceReady{});
    h.take<OpenSource>();
    h.give(SourceOpened{at("p0")});
  }
  h.read_fails(React::kRetry);
  h.give(SourceReady{});
  EXPECT_FALSE(h.has<OpenSource>());
  EXPECT_EQ(*h.core.next_tick() - h.now, seconds(8));
}

}  // namespace
}  // namespace tidemark
