// A queue that drops what comes back too often, and a processor that is killed again and again while its sink is away.
#include <csignal>

#include <fmt/format.h>

#include "e2e/planes.h"
#include "support/lossy_proxy.h"

namespace tidemark::e2e {
namespace {

class DeliveryLimits : public Planes {
 protected:
  static constexpr int kLimit = 20;
  static constexpr int kEvents = 500;

  // A foreign queue: somebody gave it a limit, and no other queue for what exceeds it.
  void fill_limited_queue() {
    broker_->declare_queue(queue_,
                           {{"x-queue-type", "quorum"}, {"x-delivery-limit", std::to_string(kLimit)}});
    std::vector<std::string> bodies;
    for (int i = 0; i < kEvents; ++i) bodies.push_back(event_json(std::to_string(i)));
    broker_->publish("", queue_, bodies);
  }
  std::unique_ptr<testing::Process> processor(const std::string& sink_uri) {
    return start("process", queue_pipeline_toml("process", broker_->uri(), queue_, sink_uri, database_));
  }
  static bool says(testing::Process& process, const std::string& words) {
    return testing::eventually([&] { return process.error_output().find(words) != std::string::npos; });
  }
  void expect_all_stored() {
    auto process = processor(set_->uri());
    EXPECT_TRUE(testing::eventually([&] { return stored_count() == kEvents; }))
        << stored_count() << " of " << kEvents << " stored; " << process->error_output();
    process->signal(SIGTERM);
    EXPECT_TRUE(process->wait().has_value());
  }
};

// Its sink takes connections and never answers, so that a process that took messages at once would have them by the time it
// is killed.
TEST_F(DeliveryLimits, CostNothingWhileTheSinkIsAwayHoweverOftenTheProcessIsKilled) {
  fill_limited_queue();
  testing::LossyProxy mute(broker_->port());  // whatever listens: nothing gets there
  mute.swallow_requests();
  const std::string nowhere =
      fmt::format("mongodb://127.0.0.1:{}/?serverSelectionTimeoutMS=300&connectTimeoutMS=300", mute.port());
  for (int kills = 0; kills < kLimit + 5; ++kills) {
    auto process = processor(nowhere);
    ASSERT_TRUE(says(*process, "waiting for the sink")) << process->error_output();
    EXPECT_EQ(broker_->depth(queue_), uint32_t{kEvents}) << "something was taken before the sink answered";
    process->signal(SIGKILL);
    EXPECT_TRUE(process->wait().has_value());
  }
  expect_all_stored();
}

}  // namespace
}  // namespace tidemark::e2e
