// The HTTP server: the page, the API, the doors of `http` sources, the live feeds over WebSocket.
//
// Owned by the command that runs the pipelines, and used by one thread of it. Runs two threads for its sockets and two
// for calls that block; the Backend, the inlets and the feeds are called from all of these. Stopped in two steps, since
// what is in flight at a pipeline must be answered for: stop_accepting(), then close().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/feed.h"
#include "core/inlet.h"
#include "env/clock.h"
#include "http/backend.h"
#include "http/options.h"

namespace tidemark::http {

// What is open at present.
struct ServerGauges {
  int64_t connections = 0;  // WebSocket clients included
  int64_t websockets = 0;
  int64_t websocket_bytes_queued = 0;
  int64_t body_bytes = 0;
  uint64_t feed_missed = 0;
  size_t requests_in_flight = 0;
};

class Server {
 public:
  // Listens and serves on return. `backend` and `clock` outlive the server. kConfig when the address can't be had, or
  // the certificate not be used.
  static Result<std::unique_ptr<Server>> listen(ServerOptions options, Backend& backend,
                                                std::vector<std::shared_ptr<Inlet>> inlets,
                                                std::vector<std::shared_ptr<Feed>> feeds, Clock& clock);
  virtual ~Server() = default;  // closes

  virtual uint16_t port() const = 0;
  // "http://127.0.0.1:8321"
  virtual std::string url() const = 0;

  // Closes the listener and has the inlets refuse. Requests on kept connections are answered 503; those in flight are
  // finished. WebSocket clients stay, to see the end.
  virtual void stop_accepting() = 0;
  // No request is in flight.
  virtual bool drained() const = 0;
  // False when `timeout` passed first.
  virtual bool wait_drained(std::chrono::milliseconds timeout) = 0;
  // Takes leave of the WebSocket clients, ends every connection and all threads. Neither the Backend nor a feed is called
  // afterwards. May be called again.
  virtual void close() = 0;

  virtual ServerGauges gauges() const = 0;
};

}  // namespace tidemark::http
