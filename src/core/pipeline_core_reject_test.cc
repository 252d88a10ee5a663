// What a rejected event changes for its neighbours, for the end and for the position. Found by the simulator (test/sim).
#include "core/testing/pipeline_core_harness.h"

namespace tidemark {
namespace {

// A batch of two events, the second of which a transform could not hand on.
ReadDone read_with_a_reject() {
  auto batch = std::make_shared<EventBatch>();
  for (const char* id : {"good", "bad"}) {
    Event event;
    event.id = batch->store(std::string(id));
    event.op = Op::kInsert;
    batch->events().push_back(event);
  }
  batch->events()[1].reject_reason = "the transform threw";
  return {SourceBatch{batch, at("p1"), false}};
}

TEST(PipelineCore, ReadsNothingMoreOnceARejectedEventHasBegunTheEnd) {
  Harness h;
  h.start();
  h.take<ReadSource>();
  h.give(read_with_a_reject());
  EXPECT_EQ(h.core.status().state, PipelineState::kFinished);
  EXPECT_FALSE(h.has<ReadSource>());
  EXPECT_EQ(h.take<Finish>().error->react, React::kReject);
}

TEST(PipelineCore, SavesTheEndOfABatchWhoseRejectedTailWasDurableFirst) {
  PipelineLimits limits;
  limits.transactional = true;
  limits.on_reject = OnReject::kDeadLetter;
  Harness h(limits);
  h.transactional = true;
  h.start();
  h.take<ReadSource>();
  h.give(read_with_a_reject());
  auto write = h.take<Write>();
  h.take<PutDeadLetter>();
  h.give(DeadLetterDone{LetterFate::kKept});
  EXPECT_EQ(data_of(write.job.resume_after), "good");
  h.write_ok(std::move(write));
  h.now += seconds(10);
  h.give(Tick{});
  EXPECT_EQ(data_of(h.take<Write>().job.resume_after), "p1");
}

TEST(PipelineCore, CommitsNoOlderMarkAfterATransactionWhoseEveryEventWasRejected) {
  PipelineLimits limits;
  limits.transactional = true;
  limits.on_reject = OnReject::kDeadLetter;
  limits.batch_events_max = 1;
  Harness h(limits);
  h.transactional = true;
  h.start();
  h.read(1, "p1", "a");
  h.read(0, "p2");
  h.read(2, "p3", "b");
  h.write_ok(h.take<Write>());  // the mark p2 waits from now on
  auto write = h.take<Write>();
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "bad"}, 0, 0)});
  h.take<PutDeadLetter>();
  h.give(DeadLetterDone{LetterFate::kKept});
  write = h.take<Write>();
  EXPECT_TRUE(write.job.events.empty());
  EXPECT_EQ(data_of(write.job.resume_after), "b0");
  h.write_ok(std::move(write));
  write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("b1"));
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "bad"}, 0, 0)});
  h.now += seconds(20);
  h.give(Tick{});
  EXPECT_FALSE(h.has<Write>()) << "p2 lies before b0";
}

TEST(PipelineCore, CountsWhatWasDurableBeforeARejectedEventWhileItDrains) {
  PipelineLimits limits;
  limits.on_reject = OnReject::kDeadLetter;
  limits.batch_events_max = 2;
  Harness h(limits);
  h.start();
  h.read(1, "p1", "a");
  auto first = h.take<Write>();
  h.read(1, "p2", "b");
  h.read(1, "p3", "c");
  h.write_ok(std::move(first));
  h.take<Save>();
  h.give(SaveDone{});
  auto write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("b0", "c0"));
  h.give(StopRequested{});
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "bad"}, 1, 1)});
  EXPECT_EQ(data_of(h.take<Save>().position.get()), "p2");
  h.give(SaveDone{});
  EXPECT_TRUE(h.has<Finish>());
}

// Events with a collection and an _id, one of which a sink refuses.
ReadDone read_documents() {
  auto batch = std::make_shared<EventBatch>();
  for (const char* id : {"one", "two"}) {
    bson::Builder key;
    key.append("_id", id);
    Event event;
    event.id = batch->store(std::string(id));
    event.op = Op::kInsert;
    event.op_name = "insert";
    event.ns = {"shop", "orders"};
    event.key = batch->store(key.view());
    batch->events().push_back(event);
  }
  return {SourceBatch{batch, at("p1"), false}};
}

TEST(PipelineCore, NamesTheDocumentOfARejectWhereverItIsTold) {
  for (const OnReject on_reject : {OnReject::kStop, OnReject::kDeadLetter}) {
    PipelineLimits limits;
    limits.on_reject = on_reject;
    Harness h(limits);
    h.start();
    h.take<ReadSource>();
    h.give(read_documents());
    auto write = h.take<Write>();
    h.give(WriteDone{write.lane, std::move(write.job),
                     write_failed({React::kReject, "a trigger says no"}, 0, 1)});
    const std::string name = R"(insert of shop.orders, _id "two")";
    if (on_reject == OnReject::kStop)
      EXPECT_EQ(h.take<Finish>().error->what,
                "event two (" + name + ") can't be delivered: a trigger says no");
    else
      EXPECT_EQ(h.take<PutDeadLetter>().reason, name + ": a trigger says no");
  }
}

// With nothing else under way no later input would move it: no read is out while too much is unsaved, and no save is due before
// the batch is whole.
TEST(PipelineCore, LetsADropFollowALanesOnlyEventOnceItsLetterIsDurable) {
  PipelineLimits limits;
  limits.lanes = 2;
  limits.on_reject = OnReject::kDeadLetter;
  limits.unsaved_events_max = 1;
  Harness h(limits);
  h.start();
  h.take<ReadSource>();
  auto batch = std::make_shared<EventBatch>();
  for (const char* id : {"bad", "drop"}) {
    Event event;
    event.id = batch->store(std::string(id));
    event.op = std::string_view(id) == "drop" ? Op::kDrop : Op::kInsert;
    batch->events().push_back(event);
  }
  h.give(ReadDone{SourceBatch{batch, at("p1"), false}});
  h.take<ReadSource>();
  auto write = h.take<Write>();
  EXPECT_THAT(ids(write.job), testing::ElementsAre("bad"));
  h.give(WriteDone{write.lane, std::move(write.job), write_failed(Error{React::kReject, "bad"}, 0, 0)});
  h.take<PutDeadLetter>();
  EXPECT_FALSE(h.has<Write>()) << "nothing passes an event that is durable nowhere";
  h.give(DeadLetterDone{LetterFate::kKept});
  EXPECT_THAT(ids(h.take<Write>().job), testing::ElementsAre("drop"));
}

}  // namespace
}  // namespace tidemark
