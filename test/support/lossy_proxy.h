// Passes bytes between the clients of a server and the server, and loses some when told to: what a network does at the
// worst moment. Knows nothing of a protocol; a test says by which bytes an answer is known. Any number of connections, and
// a thread of its own; every function may be called by any thread.
#pragma once

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tidemark::testing {

class LossyProxy {
 public:
  // Listens on a free port of the loopback, for the server on `server_port` of it.
  explicit LossyProxy(int server_port);
  ~LossyProxy();
  LossyProxy(const LossyProxy&) = delete;
  LossyProxy& operator=(const LossyProxy&) = delete;

  int port() const { return port_; }

  // `n` times more a client sends something and it arrives; the time after that it is lost, with its connection.
  void lose_request(int n = 0) EXCLUDES(mutex_);
  // Of the answers to what clients send from now on, the first `count` that hold `said`, and were asked for by something
  // that held `asked`, are lost, with their connections. An empty text is in everything.
  void lose_answers(int count, std::string asked, std::string said) EXCLUDES(mutex_);
  // From now on nothing arrives of what clients send, and their connections stay.
  void swallow_requests() EXCLUDES(mutex_);
  // What is still to be lost arrives after all.
  void lose_nothing() EXCLUDES(mutex_);

  // True once everything that was to be lost is lost.
  bool lost() const EXCLUDES(mutex_);
  // How often something was swallowed.
  int swallowed() const EXCLUDES(mutex_);

 private:
  struct Connection {
    int client;
    int server;
    bool asked = false;  // the latest thing that the client sent held the text of lose_answers()
  };
  enum class Fate { kPasses, kIsSwallowed, kIsLost };

  void run(const std::stop_token& stop);
  void accept_into(std::vector<Connection>& connections) const;
  // False when the connection is over.
  bool pass(Connection& connection, bool request);
  Fate judge(Connection& connection, bool request, std::string_view bytes) EXCLUDES(mutex_);

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;

  mutable Mutex mutex_;
  int requests_ GUARDED_BY(mutex_) = 0;  // the so-manyth from now is lost; 0: none
  int answers_ GUARDED_BY(mutex_) = 0;   // so many are still to be lost
  std::string asked_ GUARDED_BY(mutex_);
  std::string said_ GUARDED_BY(mutex_);
  bool swallowing_ GUARDED_BY(mutex_) = false;
  int swallowed_ GUARDED_BY(mutex_) = 0;

  std::jthread thread_;
};

}  // namespace tidemark::testing
