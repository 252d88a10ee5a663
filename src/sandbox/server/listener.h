// One member's port and the connections on it: a thread that accepts, a thread per connection, a bound on their number.
// close() is what a crash looks like from outside: the port refuses, every connection is cut, nobody is waited for.
//
// open() and close() may be called from any thread, connections' own included; the destructor waits for all threads
// and must not run on one of them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::sandbox {

// One client's connection, used by its own thread.
class Socket {
 public:
  virtual ~Socket() = default;
  // False when the connection ended first.
  virtual bool read(std::span<uint8_t> into) = 0;
  virtual bool write(std::span<const uint8_t> first, std::span<const uint8_t> second) = 0;
  virtual std::string peer() const = 0;
};

// Keeps a port ours while nobody listens on it, so that a killed member comes back where it was.
class PortReservation {
 public:
  virtual ~PortReservation() = default;
  virtual uint16_t port() const = 0;
  static Result<std::unique_ptr<PortReservation>> reserve(const std::string& address, uint16_t port);
};

class Listener {
 public:
  using Serve = std::function<void(Socket&, std::stop_token)>;

  static Result<std::unique_ptr<Listener>> open(const std::string& address, uint16_t port,
                                                size_t connections_max, Serve serve);
  virtual ~Listener() = default;
  virtual void close() = 0;
  // True once close() was called and every thread is past its last step.
  virtual bool finished() const = 0;
};

}  // namespace tidemark::sandbox
