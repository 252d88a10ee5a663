// What a refused password, grant or certificate does: React::kDenied.
#include "core/testing/pipeline_core_harness.h"

namespace tidemark {
namespace {

const Error kRefused{React::kDenied, "Authentication failed", "check user and password", 18};

PipelineLimits patient(std::chrono::milliseconds patience) {
  PipelineLimits limits;
  limits.auth_patience = patience;
  limits.retry = {seconds(1), seconds(4)};
  return limits;
}

// Lets the time pass that the core waits for.
void wait_out(Harness& h) {
  h.now = std::max(h.now, h.core.next_tick().value_or(h.now));
  h.give(Tick{});
}

void refuse_write(Harness& h) {
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(kRefused)});
}

void open_again(Harness& h) {
  wait_out(h);
  h.give(SinkOpened{h.take<OpenSink>().lane, {}});
}

void write_once(Harness& h) {
  h.start();
  h.read(1, "p1");
  h.write_ok(h.take<Write>());
  h.give(SaveDone{});
  h.take<Save>();
}

TEST(PipelineCore, EndsAtTheThirdRefusalOfAPasswordThatHasNeverWorked) {
  Harness h(patient(seconds(600)));
  h.give(Started{});
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(h.has<Finish>());
    h.take<IdentifySource>();
    h.give(Identified{fail(kRefused)});
    if (!h.has<Finish>()) wait_out(h);
  }
  const auto finish = h.take<Finish>();
  ASSERT_TRUE(finish.error);
  EXPECT_EQ(finish.error->react, React::kDenied);
  EXPECT_LE(h.now, Mono{} + seconds(3));
}

TEST(PipelineCore, StartsWithAServerThatRefusesItsPasswordAtTheFirstTryAlone) {
  Harness h(patient(seconds(600)));
  h.give(Started{});
  h.take<IdentifySource>();
  h.give(Identified{fail(kRefused)});
  EXPECT_EQ(h.core.status().state, PipelineState::kWaitingForSource);
  wait_out(h);
  h.take<IdentifySource>();
  h.give(Identified{SourceHealth{}});
  EXPECT_FALSE(h.has<Finish>());
}

TEST(PipelineCore, WaitsForAPasswordThatWorkedBeforeAndSaysSo) {
  Harness h(patient(seconds(60)));
  write_once(h);
  h.read(1, "p2", "f");
  // Open and write are refused in turns for less than the patience: more often than what never worked may be.
  for (int i = 0; i < 6; ++i) {
    refuse_write(h);
    EXPECT_EQ(h.core.status().state, PipelineState::kWaitingForSink);
    EXPECT_THAT(h.core.status().last_error, testing::HasSubstr("Authentication failed"));
    EXPECT_THAT(h.core.status().last_error, testing::HasSubstr("auth_patience"));
    open_again(h);
  }
  auto write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("f0"));
  h.write_ok(std::move(write));
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p2");
}

TEST(PipelineCore, EndsWhenThePatienceIsOverAndNotMuchLater) {
  Harness h(patient(seconds(10)));
  write_once(h);
  h.read(1, "p2", "f");
  const Mono begin = h.now;
  while (true) {
    refuse_write(h);
    if (h.has<Finish>()) break;
    ASSERT_LT(h.now, begin + seconds(60));
    open_again(h);
  }
  EXPECT_EQ(h.now, begin + seconds(10));
  const auto finish = h.take<Finish>();
  EXPECT_EQ(finish.error->react, React::kDenied);
  EXPECT_THAT(finish.error->what, testing::HasSubstr("auth_patience is over"));
}

TEST(PipelineCore, AnOpenThatSucceedsDoesNotBeginThePatienceAnew) {
  // REVOKE INSERT: the sink opens each time, and each write is refused.
  Harness h(patient(seconds(5)));
  write_once(h);
  h.read(1, "p2", "f");
  for (int i = 0; i < 20 && !h.has<Finish>(); ++i) {
    refuse_write(h);
    if (!h.has<Finish>()) open_again(h);
  }
  EXPECT_TRUE(h.has<Finish>());
}

TEST(PipelineCore, AWriteThatSucceedsEndsTheCountOfRefusals) {
  Harness h(patient(seconds(5)));
  write_once(h);
  for (int round = 0; round < 5; ++round) {
    h.read(1, "q" + std::to_string(round), "r" + std::to_string(round));
    refuse_write(h);
    open_again(h);
    refuse_write(h);
    open_again(h);
    ASSERT_FALSE(h.has<Finish>()) << round;
    h.write_ok(h.take<Write>());
    h.give(SaveDone{});
    h.take<Save>();
    h.now += seconds(3);
  }
}

TEST(PipelineCore, NoPatienceMeansTheFirstRefusal) {
  Harness h(patient(seconds(0)));
  write_once(h);
  h.read(1, "p2", "f");
  refuse_write(h);
  EXPECT_TRUE(h.has<Finish>());
}

TEST(PipelineCore, WhatOneLaneMayDoAllMay) {
  PipelineLimits limits = patient(seconds(60));
  limits.lanes = 2;
  Harness h(limits);
  h.start();
  h.read(1, "p1");
  h.write_ok(h.take<Write>());
  h.give(SaveDone{});
  h.take<Save>();
  // Two events: the second is the other lane's first, and is refused for longer than a first one may be.
  h.read(2, "p2", "f");
  auto first = h.take<Write>();
  auto second = h.take<Write>();
  h.write_ok(std::move(first));
  h.give(WriteDone{second.lane, std::move(second.job), write_failed(kRefused)});
  for (int i = 0; i < 4; ++i) {
    open_again(h);
    ASSERT_FALSE(h.has<Finish>()) << i;
    refuse_write(h);
  }
  EXPECT_FALSE(h.has<Finish>());
}

TEST(PipelineCore, WaitsForAPositionStoreAndAStreamThatWereTakenBefore) {
  Harness h(patient(seconds(60)));
  write_once(h);
  for (int i = 0; i < 5; ++i) {
    h.take<ReadSource>();
    h.give(ReadDone{fail(kRefused)});
    ASSERT_FALSE(h.has<Finish>());
    wait_out(h);
    h.take<OpenSource>();
    h.give(SourceOpened{at("p1")});
  }
  h.read(1, "p2", "f");
  h.write_ok(h.take<Write>());
  for (int i = 0; i < 5; ++i) {
    h.take<Save>();
    h.give(SaveDone{fail(kRefused)});
    ASSERT_FALSE(h.has<Finish>());
    wait_out(h);
  }
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p2");
}

TEST(PipelineCore, AStoreThatTookTheLeaseIsWaitedForAtItsFirstSave) {
  Harness h(patient(seconds(60)));
  h.start();
  h.read(1, "p1", "f");
  h.write_ok(h.take<Write>());
  for (int i = 0; i < 5; ++i) {
    h.take<Save>();
    h.give(SaveDone{fail(kRefused)});
    ASSERT_FALSE(h.has<Finish>());
    wait_out(h);
  }
}

TEST(PipelineCore, ATransactionalSinkThatOpenedBeforeIsWaitedFor) {
  PipelineLimits limits = patient(seconds(60));
  limits.transactional = true;
  Harness h(limits);
  h.transactional = true;
  h.start();
  h.read(1, "p1");
  h.write_ok(h.take<Write>());
  h.read(1, "p2", "f");
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kRetry, "connection lost"})});
  for (int i = 0; i < 5; ++i) {
    wait_out(h);
    h.take<AcquirePosition>();
    h.give(PositionAcquired{fail(kRefused)});
    ASSERT_FALSE(h.has<Finish>());
  }
}

}  // namespace
}  // namespace tidemark
