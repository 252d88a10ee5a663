// What the server's connections and sessions share. Owned by the Server, which outlives them all; members say their
// thread. Only this folder's .cc files include it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "base/mutex.h"
#include "http/certificate.h"
#include "http/counters.h"
#include "http/hub.h"
#include "http/options.h"
#include "http/pool.h"
#include "http/router.h"

namespace tidemark::http {

class Session;

// The WebSocket sessions that are open. Any thread.
class Sessions {
 public:
  uint64_t add(std::weak_ptr<Session> session) EXCLUDES(mutex_);
  void remove(uint64_t id) EXCLUDES(mutex_);
  std::vector<std::shared_ptr<Session>> all() const EXCLUDES(mutex_);
  bool empty() const EXCLUDES(mutex_);
  // False when `timeout` passed before the last one was removed.
  bool wait_empty(std::chrono::milliseconds timeout) EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  CondVar emptied_;
  uint64_t last_id_ GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::weak_ptr<Session>> sessions_ GUARDED_BY(mutex_);
};

// Requests whose head has come and whose answer hasn't gone. Any thread.
class InFlight {
 public:
  void begin() EXCLUDES(mutex_);
  void end() EXCLUDES(mutex_);
  size_t count() const EXCLUDES(mutex_);
  // False when `timeout` passed first.
  bool wait_none(std::chrono::milliseconds timeout) EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  CondVar none_;
  size_t count_ GUARDED_BY(mutex_) = 0;
};

struct Core {
  Core(ServerOptions server_options, Backend& server_backend,
       std::vector<std::shared_ptr<Inlet>> server_inlets, std::vector<std::shared_ptr<Feed>> server_feeds,
       Clock& server_clock, std::string instance)
      : options(std::move(server_options)),
        clock(server_clock),
        inlets(std::move(server_inlets)),
        feeds(std::move(server_feeds)),
        router(options, server_backend, inlets, counters, clock, instance),
        hub(server_backend, clock),
        pool(2) {}

  const ServerOptions options;
  Clock& clock;
  const std::vector<std::shared_ptr<Inlet>> inlets;
  const std::vector<std::shared_ptr<Feed>> feeds;
  Counters counters;
  const Router router;
  Hub hub;
  Sessions sessions;
  InFlight in_flight;
  std::atomic<bool> stopping{false};
  ServerCertificate certificate{options, counters.certificate_until_ms};  // the accepting strand's
  // Its destructor drops the connections that are left, which use all of the above.
  boost::asio::io_context io;
  // Its destructor waits for the calls that run, which post their results to the above.
  Pool pool;
};

}  // namespace tidemark::http
