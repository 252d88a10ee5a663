// A libmongoc stream that stops waiting for a reply when a flag goes up. libmongoc has no way to end a
// command that waits for its server; this wraps the stream that libmongoc itself makes (plain or TLS) and
// looks at the flag while the socket has nothing to read. Used by driver.cc alone; runs on the thread of the
// command.
#pragma once

#include <atomic>
#include <cstdint>

struct _mongoc_client_t;

namespace tidemark::mongodb {

// What the connections of one libmongoc client look at. It outlives them.
struct InterruptSlot {
  _mongoc_client_t* client = nullptr;
  std::atomic<bool> interrupted{false};  // any thread may raise it: the wait for a reply ends
  std::atomic<uint32_t> busy_with{0};    // the member whose reply is waited for; 0 for none
  // How long a reply is waited for instead of the socket's own timeout; 0: that one. Set between two commands.
  std::atomic<int32_t> reply_timeout_ms{0};
  std::atomic<bool> timed_out{false};  // the last wait ended by its timeout, and not by an interruption
};

// Every connection that the slot's client makes from now on obeys the slot. A command that is interrupted
// fails as one that timed out.
void make_interruptible(InterruptSlot* slot);

}  // namespace tidemark::mongodb
