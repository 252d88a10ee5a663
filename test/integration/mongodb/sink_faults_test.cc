// Random work under faults: whatever the servers do meanwhile, the destination ends up as the events say, and a transactional
// sink's documents never run ahead of its position.
#include <map>

#include "env/random.h"
#include "integration/mongodb/fixture.h"

namespace tidemark::testing {
namespace {

constexpr uint32_t kEvents = 240;
constexpr int kKeys = 25;

// The events 1 to kEvents of shop.orders, and what its documents are after them.
struct Workload {
  explicit Workload(uint64_t seed) {
    SeededRandom random(seed);
    for (uint32_t n = 1; n <= kEvents; ++n) {
      const int id = static_cast<int>(random.below(kKeys));
      const std::string key = R"({"_id": )" + std::to_string(id) + "}";
      const uint64_t kind = random.below(100);
      if (kind == 0) {
        raws.push_back(change_event(n, "drop", "{}"));
        expected.clear();
      } else if (kind < 25) {
        raws.push_back(change_event(n, "delete", key));
        expected.erase(id);
      } else {
        const std::string document = R"({"_id":)" + std::to_string(id) + R"(,"v":)" + std::to_string(n) +
                                     R"(,"s":"item )" + std::to_string(random.below(1000)) + "\"}";
        const char* op = expected.contains(id) ? (kind < 60 ? "update" : "replace") : "insert";
        raws.push_back(change_event(n, op, key, R"({"fullDocument": )" + document + "}"));
        expected[id] = document;
      }
    }
  }
  // Events [first, first + count), numbered from 1.
  std::shared_ptr<EventBatch> batch(uint32_t first, uint32_t count) const {
    auto batch = std::make_shared<EventBatch>();
    for (uint32_t n = first; n < first + count; ++n) add_event(*batch, raws[n - 1]);
    return batch;
  }
  std::vector<std::string> documents() const {
    std::vector<std::string> all;
    for (const auto& [id, document] : expected) all.push_back(document);
    return all;
  }

  std::vector<bson::Document> raws;
  std::map<int, std::string> expected;
};

class MongodbSinkUnderFaults : public WithDeployment {
 protected:
  // One in four batches meets a fault.
  void maybe_fault(SeededRandom& random) {
    const std::string commands =
        R"(["insert", "update", "delete", "create", "commitTransaction", "findAndModify"])";
    switch (random.below(16)) {
      case 0:
        at.step_down();
        break;
      case 1:
        at.fail_commands(commands, 10107, 2);
        break;
      case 2:
        at.fail_commands(commands, 112, 1);
        break;
      case 3:
        (void)at.mongo().run(
            "admin",
            R"({"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": {"failCommands": )" +
                commands + R"(, "closeConnection": true}})");
        break;
      default:
        break;
    }
  }
  void end_faults() {
    (void)at.mongo().run("admin", R"({"configureFailPoint": "failCommand", "mode": "off"})");
  }

  std::vector<std::string> without_guard() {
    std::vector<std::string> all;
    const auto found = at.mongo().find(at.database(), "orders");
    if (!found) ADD_FAILURE() << found.error().describe();
    for (const bson::Document& document : *found) {
      bson::Builder plain;
      for (const bson::Element field : document.view())
        if (field.key() != "_tidemark") plain.append(field.key(), field);
      all.push_back(bson::to_json(plain.view(), bson::JsonMode::kRelaxed));
    }
    return all;
  }
};

TEST_F(MongodbSinkUnderFaults, EndsUpAsTheEventsSay) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    (void)at.mongo().drop(at.database(), "orders");
    (void)at.mongo().drop(at.database(), "tidemark_tables");
    SeededRandom random(seed);
    const Workload work(seed);
    auto sink = mongodb_sink_component().plain(at.sink_settings("current"), at.context()).value();
    bool open = false;
    uint32_t done = 0;
    int tries = 0;
    while (done < kEvents) {
      ASSERT_LT(++tries, 600) << "the work never ends";
      if (!open) {
        const Status status = sink->open({});
        open = status.has_value();
        ASSERT_TRUE(open || status.error().react == React::kRetry) << status.error().describe();
        continue;
      }
      // A restart goes back to where the position was.
      if (random.below(8) == 0) done -= std::min<uint32_t>(done, static_cast<uint32_t>(random.below(40)));
      const uint32_t count = std::min<uint32_t>(1 + static_cast<uint32_t>(random.below(20)), kEvents - done);
      maybe_fault(random);
      const auto batch = work.batch(done + 1, count);
      const auto written = sink->write(batch->events(), {});
      if (written) {
        done += count;
        continue;
      }
      ASSERT_EQ(written.error().error.react, React::kRetry) << written.error().error.describe();
      done += static_cast<uint32_t>(written.error().durable_prefix);
      open = false;
    }
    end_faults();
    EXPECT_EQ(without_guard(), work.documents());
  }
}

TEST_F(MongodbSinkUnderFaults, TransactionsEndUpAsTheEventsSayAndResumeWhereTheyCommitted) {
  for (uint64_t seed = 11; seed <= 14; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    (void)at.mongo().drop(at.database(), "orders");
    (void)at.mongo().drop(at.database(), "tidemark_tables");
    (void)at.mongo().drop(at.database(), "tidemark_positions");
    SeededRandom random(seed);
    const Workload work(seed);
    auto settings = at.sink_settings("current");
    // A lease that could not be given back ends soon.
    settings.set("lease_ttl", int64_t{1'000});
    ComponentContext context = at.context();
    context.clock = &at.wall;
    auto sink = mongodb_sink_component().transactional(settings, context).value();
    bool open = false;
    uint32_t done = 0;
    int tries = 0;
    while (done < kEvents) {
      ASSERT_LT(++tries, 600) << "the work never ends";
      if (!open) {
        // Sometimes as another process after a crash.
        if (random.below(4) == 0) sink = mongodb_sink_component().transactional(settings, context).value();
        const auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
        open = loaded.has_value();
        if (!open) {
          ASSERT_EQ(loaded.error().react, React::kRetry) << loaded.error().describe();
          continue;
        }
        const uint32_t before = done;
        done = 0;
        while (*loaded && position_at(done) != (*loaded)->position) ASSERT_LE(++done, kEvents);
        ASSERT_GE(done, before) << "a commit that was acknowledged is gone";
        continue;
      }
      const uint32_t count = std::min<uint32_t>(1 + static_cast<uint32_t>(random.below(20)), kEvents - done);
      maybe_fault(random);
      const auto batch = work.batch(done + 1, count);
      const auto written = sink->write(batch->events(), position_at(done + count), {});
      if (written) {
        done += count;
        continue;
      }
      ASSERT_EQ(written.error().error.react, React::kRetry) << written.error().error.describe();
      open = false;
    }
    end_faults();
    EXPECT_EQ(without_guard(), work.documents());
  }
}

TEST_F(MongodbSinkUnderFaults, InsertsStandExactlyOnceAfterReplaysAndStepDowns) {
  auto settings = at.sink_settings("insert");
  settings.set("unique_key", std::vector<std::string>{"n"});
  for (uint64_t seed = 21; seed <= 23; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    (void)at.mongo().drop(at.database(), "orders");
    (void)at.mongo().drop(at.database(), "tidemark_tables");
    SeededRandom random(seed);
    auto sink = mongodb_sink_component().plain(settings, at.context()).value();
    bool open = false;
    uint32_t done = 0;
    int tries = 0;
    while (done < kEvents) {
      ASSERT_LT(++tries, 600) << "the work never ends";
      if (!open) {
        open = sink->open({}).has_value();
        continue;
      }
      if (random.below(8) == 0) done -= std::min<uint32_t>(done, static_cast<uint32_t>(random.below(40)));
      const uint32_t count = std::min<uint32_t>(1 + static_cast<uint32_t>(random.below(20)), kEvents - done);
      maybe_fault(random);
      EventBatch batch;
      for (uint32_t n = done + 1; n <= done + count; ++n) {
        // A key of its own with each delivery, as if nothing but the unique key told the repetition.
        const std::string number = std::to_string(n);
        add_event(batch, change_event(n, "insert",
                                      R"({"_id": ")" + number + " try " + std::to_string(tries) + R"("})",
                                      R"({"fullDocument": {"n": )" + number + "}}"));
      }
      const auto written = sink->write(batch.events(), {});
      if (written) {
        done += count;
        continue;
      }
      ASSERT_EQ(written.error().error.react, React::kRetry) << written.error().error.describe();
      done += static_cast<uint32_t>(written.error().durable_prefix);
      open = false;
    }
    end_faults();
    EXPECT_EQ(at.mongo().count(at.database(), "orders"), kEvents);
    for (const uint32_t n : {1u, kEvents / 2, kEvents})
      EXPECT_EQ(at.mongo().count(at.database(), "orders", R"({"n": )" + std::to_string(n) + "}"), 1);
  }
}

}  // namespace
}  // namespace tidemark::testing
