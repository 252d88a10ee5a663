// A queue that drops what comes back too often, and a processor that is killed again and again while its sink is away.
#include <csignal>

#include <fmt/format.h>

#include "e2e/planes.h"

namespace tidemark::e2e {
namespace {

class DeliveryLimits : public Planes {
 protected:
  std::string processing_toml(const std::string& sink_uri) const {
    return fmt::format(R"(
[[pipeline]]
name = "process"
retry_initial = "20ms"
retry_max = "500ms"
[pipeline.source]
type = "rabbitmq"
uri = "{}"
queue = "{}"
[pipeline.sink]
type = "mongodb"
uri = "{}"
database = "{}"
collection = "events"
mode = "insert"
unique_key = ["source", "id"]
)",
                       broker_->uri(), queue_, sink_uri, database_);
  }
};

TEST_F(DeliveryLimits, CostNothingWhileTheSinkIsAwayHoweverOftenTheProcessIsKilled) {
  constexpr int kEvents = 500, kKills = 25;
  broker_->declare_queue(queue_, {{"x-queue-type", "quorum"}, {"x-delivery-limit", "20"}});
  std::vector<std::string> bodies;
  for (int i = 0; i < kEvents; ++i) bodies.push_back(event_json(std::to_string(i)));
  broker_->publish("", queue_, bodies);
  const std::string nowhere = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=400";
  for (int i = 0; i < kKills; ++i) {
    auto process = start("process", processing_toml(nowhere));
    ASSERT_TRUE(testing::eventually([&] {
      return process->error_output().find("waiting for the sink") != std::string::npos;
    })) << process->error_output();
    process->signal(SIGKILL);
    EXPECT_TRUE(process->wait().has_value());
  }
  auto process = start("process", processing_toml(set_->uri()));
  EXPECT_TRUE(testing::eventually([&] {
    const auto count = client_->count(database_, "events");
    return count && *count == kEvents;
  })) << client_->count(database_, "events").value_or(-1)
      << " of " << kEvents << " stored; " << process->error_output();
  process->signal(SIGTERM);
  EXPECT_TRUE(process->wait().has_value());
}

}  // namespace
}  // namespace tidemark::e2e
