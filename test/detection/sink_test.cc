// Destinations that don't hold what they were given, though every write succeeded.
#include "detection/faults.h"
#include "detection/fixture.h"

namespace tidemark::detection {
namespace {

class SinkDetection : public Detection {
 protected:
  // A relay whose sink lies.
  void start_lying(Twist twist) {
    start_relay([&](PipelineParts& parts) {
      parts.transactional = std::make_unique<LyingSink>(std::move(parts.transactional), std::move(twist));
    });
    start_guard(See::kOutsideAlone);
  }
  // Everything was carried, as far as anybody but an audit can tell.
  void carried() {
    await_caught_up();
    healthy_tick();
    expect_silence();
    audit();
  }
  const guard::AuditView& result() {
    view_ = watch_->view();
    return view_.audits.at(0);
  }

  guard::GuardView view_;
};

// The ids of events in a twist: `_id` is an int there.
int id_of(const Event& event) { return static_cast<int>(event.key.find("_id")->integer().value_or(-1)); }

TEST_F(SinkDetection, ASinkThatAcceptsAndDoesNotCommit) {
  start_lying([](std::vector<Event>& events, auto&) { events.clear(); });
  write_orders(0, 20);
  carried();
  EXPECT_EQ(result().missing, 20u);
  expect_flagged(RuleId::kAuditMissing);
}

TEST_F(SinkDetection, ASinkThatDropsOneRow) {
  start_lying([](std::vector<Event>& events, auto&) {
    std::erase_if(events, [](const Event& event) { return id_of(event) == 13; });
  });
  write_orders(0, 200);
  carried();
  EXPECT_EQ(result().missing, 1u);
  EXPECT_EQ(result().first_ids,
            std::vector<std::string>{"missing " + setup_.database + R"(.orders {"$numberInt":"13"})"});
  expect_flagged(RuleId::kAuditMissing);
}

TEST_F(SinkDetection, ASinkThatDuplicates) {
  start_lying([](std::vector<Event>& events, auto& made) {
    for (size_t n = 0, count = events.size(); n < count; ++n) {
      Event copy = events[n];
      made.push_back(testing::json("{\"_id\": " + std::to_string(id_of(copy) + 1000) + "}"));
      copy.key = made.back().view();
      events.push_back(copy);
    }
  });
  write_orders(0, 20);
  carried();
  EXPECT_EQ(result().extra, 20u);
  expect_flagged(RuleId::kAuditExtra);
}

TEST_F(SinkDetection, ADeleteThatIsNotApplied) {
  start_lying([](std::vector<Event>& events, auto&) {
    std::erase_if(events, [](const Event& event) { return event.op == Op::kDelete; });
  });
  write_orders(0, 20);
  ASSERT_TRUE(client_->remove(setup_.database, setup_.collection, R"({"_id": 5})"));
  carried();
  EXPECT_EQ(result().extra, 1u);
  expect_flagged(RuleId::kAuditExtra);
}

TEST_F(SinkDetection, AnUpdateThatIsNotApplied) {
  start_lying([](std::vector<Event>& events, auto&) {
    std::erase_if(events, [](const Event& event) { return event.op == Op::kUpdate; });
  });
  write_orders(0, 20);
  ASSERT_TRUE(
      client_->update(setup_.database, setup_.collection, R"({"_id": 5})", R"({"$set": {"item": "new"}})"));
  carried();
  EXPECT_EQ(result().different, 1u);
  expect_flagged(RuleId::kAuditDifferent);
}

TEST_F(SinkDetection, ATypeThatChangedOnTheWay) {
  start_lying([](std::vector<Event>&, auto&) {});
  write_orders(0, 20);
  await_rows(20);
  carried();
  EXPECT_TRUE(result().clean());
  sql(R"(UPDATE orders SET doc = replace(doc, '"amount":{"$numberInt":"3"}', '"amount":{"$numberLong":"3"}')
         WHERE id = '{"$numberInt":"3"}')");
  audit();
  EXPECT_EQ(result().different, 1u);
  expect_flagged(RuleId::kAuditDifferent);
}

TEST_F(SinkDetection, ATargetThatWasTruncatedByHand) {
  start_lying([](std::vector<Event>&, auto&) {});
  write_orders(0, 50);
  await_rows(50);
  carried();
  sql("DELETE FROM orders");
  audit();
  EXPECT_EQ(result().missing, 50u);
  expect_flagged(RuleId::kAuditMissing);
}

TEST_F(SinkDetection, OneIdOnTwoShards) {
  twist_audit_ = [](guard::AuditParts& parts) {
    parts.source = std::make_unique<ShardedSource>(std::move(parts.source),
                                                   testing::json(R"({"_id": 3, "of": "another shard"})"));
  };
  start_lying([](std::vector<Event>&, auto&) {});
  write_orders(0, 20);
  await_rows(20);
  carried();
  audit();
  EXPECT_EQ(result().doubled, 1u);
  expect_flagged(RuleId::kAuditDoubled);
}

TEST_F(SinkDetection, ARowThatReadsBackToNoDocument) {
  start_lying([](std::vector<Event>&, auto&) {});
  write_orders(0, 20);
  await_rows(20);
  carried();
  sql(R"(UPDATE orders SET doc = substr(doc, 1, 20) WHERE id = '{"$numberInt":"3"}')");
  audit();
  expect_flagged(RuleId::kAuditUnreadable);
}

TEST_F(SinkDetection, AnAuditThatCanNotReadTheDestination) {
  start_lying([](std::vector<Event>&, auto&) {});
  write_orders(0, 5);
  carried();
  stop_relay();
  sql("ALTER TABLE orders RENAME COLUMN doc TO other");
  watch_->run_audits_once({});
  expect_flagged(RuleId::kAuditFailing, {RuleId::kPositionStuck});
}

// --- with lanes: the position is saved apart from the rows

class LaneDetection : public Detection {
 protected:
  void SetUp() override {
    Detection::SetUp();
    setup_.frame = "lanes = 2\ndrain_timeout = \"100ms\"\n";
  }
};

TEST_F(LaneDetection, ALaneThatIsStuck) {
  start_relay(
      [](PipelineParts& parts) { parts.lanes[1] = std::make_unique<StuckSink>(std::move(parts.lanes[1])); });
  start_guard(See::kOutsideAlone);
  healthy_tick();
  write_orders(0, 100);
  ASSERT_TRUE(testing::eventually([&] { return relay_->status().in_flight_events > 0; }));
  expect_flagged(RuleId::kPositionStuck);
}

TEST_F(LaneDetection, ADestinationThatRefusesEveryWrite) {
  start_relay([](PipelineParts& parts) {
    for (auto& lane : parts.lanes) lane = std::make_unique<RefusingSink>(std::move(lane));
  });
  start_guard();
  healthy_tick();
  write_orders(0, 100);
  ASSERT_TRUE(testing::eventually([&] { return relay_->status().sink_retries > 0; }));
  expect_flagged(RuleId::kSinkFailing, {RuleId::kPositionStuck});
}

TEST_F(LaneDetection, AStoreThatCanNotSaveThePosition) {
  start_relay([](PipelineParts& parts) {
    parts.positions = std::make_unique<FullStore>(std::move(parts.positions));
  });
  start_guard();
  // The position that the stream was opened at is owed before the first event.
  ASSERT_TRUE(testing::eventually([&] { return relay_->status().save_failures > 0; }));
  tick();
  expect_flagged(RuleId::kSavesFailing, {RuleId::kPositionStuck});
}

// --- events that can't be delivered

TEST_F(SinkDetection, ATransformThatThrowsOnOneType) {
  setup_.frame = "on_reject = \"dead_letter\"\n";
  setup_.after = "[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"" + path("letters.db") + "\"\n";
  start_relay([](PipelineParts& parts) {
    class Throwing final : public Transform {
     public:
      Result<Verdict> apply(Event& event, EventBatch&) const override {
        const auto amount = event.after.find("amount");
        if (amount && amount->is_string()) return fail(React::kReject, "amount is no number");
        return Verdict::kKeep;
      }
    };
    parts.transforms.push_back(std::make_unique<Throwing>());
  });
  start_guard(See::kOutsideAlone);
  write_orders(0, 20);
  healthy_tick();
  insert(R"({"_id": 99, "amount": "seven"})");
  await_caught_up();
  expect_flagged(RuleId::kDeadLettersGrowing);
}

// `rename` refuses to put a field into a value that has none.
class RefusalDetection : public Detection {
 protected:
  void SetUp() override {
    Detection::SetUp();
    setup_.frame = "on_reject = \"dead_letter\"\n";
    setup_.after =
        "[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"" + path("letters.db") +
        "\"\n[[pipeline.transform]]\ntype = \"project\"\nrename = { \"amount\" = \"sub.amount\" }\n";
    start_relay();
    start_guard(See::kOutsideAlone);
    write_orders(0, 20);
    healthy_tick();
    expect_silence();
  }
};

TEST_F(RefusalDetection, ADocumentThatTheDestinationRefuses) {
  insert(R"({"_id": 99, "amount": 7, "sub": "a text"})");
  await_caught_up();
  audit();
  expect_flagged(RuleId::kAuditRejected, {RuleId::kDeadLettersGrowing});
}

TEST_F(RefusalDetection, ARowThatIsStaleBehindAReject) {
  ASSERT_TRUE(
      client_->update(setup_.database, setup_.collection, R"({"_id": 3})", R"({"$set": {"sub": "a text"}})"));
  await_caught_up();
  audit();
  expect_flagged(RuleId::kStaleBehindRejects, {RuleId::kAuditRejected, RuleId::kDeadLettersGrowing});
}

TEST_F(SinkDetection, APipelineThatEndedByItself) {
  start_relay([](PipelineParts& parts) {
    class Refusing final : public Transform {
     public:
      Result<Verdict> apply(Event&, EventBatch&) const override {
        return fail(React::kReject, "this is no order");
      }
    };
    parts.transforms.push_back(std::make_unique<Refusing>());
  });
  start_guard();
  healthy_tick();
  write_orders(0, 1);
  ASSERT_TRUE(testing::eventually([&] { return relay_->finished(); }));
  ASSERT_TRUE(testing::eventually([&] { return monitor_->views().at(0).ended; }));
  expect_flagged(RuleId::kPipelineEnded);
}

}  // namespace
}  // namespace tidemark::detection
