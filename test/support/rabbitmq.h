// A private RabbitMQ for tests (broker/launch.h): its own data, log and home in a temporary folder, its own free ports on the
// loopback interface, gone with the object and with the test program. Several run at once. It runs as whoever runs the
// test, root too.
//
// One thread. A broker that can't be started throws: there is nothing a test could do. A start takes two to three
// seconds, so tests of one program share a broker and take names of their own from unique().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/process.h"

namespace tidemark::testing {

// A message as it lies in a queue.
struct RabbitMessage {
  std::string body;
  std::string exchange;
  std::string routing_key;
  std::string content_type;
  std::string message_id;
  int delivery_mode = 0;
  bool redelivered = false;
  std::map<std::string, std::string> headers;  // numbers in decimal
};

class RabbitServer {
 public:
  struct Options {
    std::map<std::string, std::string> settings;  // further lines of rabbitmq.conf
  };

  // Why no broker can run here (it isn't installed); empty when one can.
  static std::optional<std::string> unavailable();
  // One broker for the whole test program, started at the first call. REQUIRES !unavailable().
  static RabbitServer& shared();

  RabbitServer() : RabbitServer(Options{}) {}
  explicit RabbitServer(Options options);
  ~RabbitServer();
  RabbitServer(const RabbitServer&) = delete;
  RabbitServer& operator=(const RabbitServer&) = delete;

  int port() const { return port_; }
  // "amqp://guest:guest@127.0.0.1:port/%2f".
  std::string uri(const std::string& user = "guest", const std::string& password = "guest",
                  const std::string& vhost = "%2f") const;
  // A name that no other call gives: for queues and exchanges.
  std::string unique(const std::string& prefix);

  // Starts the broker again after stop() or kill(), with the same port and data, and waits until it answers.
  void start();
  // A clean shutdown: clients get connection.close 320 CONNECTION_FORCED.
  void stop();
  // kill -9. Clients see their connections reset. Waits first until the broker has on disk the queues declared here and
  // the names of all quorum queues, which takes up to two seconds after a declaration: killed before, it forgets them.
  void kill();
  void restart() { stop(), start(); }
  // SIGSTOP and SIGCONT: connections stay open, and nothing answers.
  void pause();
  void resume();
  bool running() { return process_ != nullptr && process_->running(); }
  // Takes effect at the next start().
  void set(const std::string& name, const std::string& value) { options_.settings[name] = value; }
  const std::string& folder() const { return folder_; }

  // A witness of its own: these go through librabbitmq alone, each with a connection of its own, and throw on an
  // error. `arguments` with digits only are sent as numbers.
  void declare_queue(const std::string& queue, const std::map<std::string, std::string>& arguments = {});
  void declare_exchange(const std::string& exchange, const std::string& type = "direct");
  void bind(const std::string& queue, const std::string& exchange, const std::string& routing_key);
  void delete_queue(const std::string& queue);
  void delete_exchange(const std::string& exchange);
  // Publishes persistent messages, confirmed on return.
  void publish(const std::string& exchange, const std::string& routing_key,
               const std::vector<std::string>& bodies, const std::map<std::string, std::string>& headers = {},
               const std::string& content_type = "application/cloudevents+json");
  // Messages ready in the queue.
  uint32_t depth(const std::string& queue);
  // Takes (and acknowledges) everything that is ready, at most `limit`.
  std::vector<RabbitMessage> drain(const std::string& queue, size_t limit = 1'000'000);

 private:
  bool answers() const;
  bool queues_are_on_disk() const;
  std::string last_words() const;

  Options options_;
  std::string folder_;
  int port_ = 0;  // the next one is the distribution's
  int names_ = 0;
  std::set<std::string> declared_;
  std::unique_ptr<Process> process_;
};

}  // namespace tidemark::testing
