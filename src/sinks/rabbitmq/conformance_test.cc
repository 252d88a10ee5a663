// The RabbitMQ sink through the suite that every sink passes.
#include "conformance/sink_contract.h"
#include "sinks/rabbitmq/testing/support.h"

namespace tidemark::testing {
namespace {

struct Harness {
  std::optional<std::string> unavailable() { return RabbitServer::unavailable(); }

  // Made at the first use, so that a machine without a broker can still ask whether there is one.
  void prepare() {
    if (proxy) return;
    queue = RabbitServer::shared().unique("sink");
    // A queue that the sink creates is given a moment, which is too long for so many of them.
    RabbitServer::shared().declare_queue(queue, {{"x-queue-type", "classic"}});
    proxy = std::make_unique<LossyProxy>(RabbitServer::shared().port());
  }
  std::shared_ptr<Sink> make() {
    prepare();
    const std::string uri = "amqp://guest:guest@127.0.0.1:" + std::to_string(proxy->port());
    return rabbitmq_sink_component().plain(rabbitmq_settings(uri, queue), {"orders", &clock, &files}).value();
  }
  // Reading takes the messages away, so they are remembered.
  std::vector<std::string> ids() {
    for (const RabbitMessage& message : RabbitServer::shared().drain(queue))
      seen.push_back(message.message_id);
    return seen;
  }
  bool fail_operation(int n) {
    prepare();
    proxy->lose_request(n);
    return true;
  }
  bool fault_was_hit() { return proxy->lost(); }
  // Nothing of the sink is on this side; that a broker keeps what it confirmed through a crash is tested in sink_test.cc.
  void crash() { proxy->lose_nothing(); }

  PosixFileSystem files;
  PosixClock clock;
  std::string queue;
  std::unique_ptr<LossyProxy> proxy;
  std::vector<std::string> seen;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Rabbitmq, SinkContract, Harness);

}  // namespace
}  // namespace tidemark::testing
