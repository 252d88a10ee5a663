#include "sources/mongodb/interruptible_stream.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <mongoc/mongoc.h>

// Exported by libmongoc 1.x and used by every client by default; only its private header declares it.
extern "C" mongoc_stream_t* mongoc_client_default_stream_initiator(const mongoc_uri_t* uri,
                                                                   const mongoc_host_list_t* host,
                                                                   void* user_data, bson_error_t* error);

namespace tidemark::mongodb {
namespace {

// How long a raised flag can stay unseen. A reply wakes the wait at once.
constexpr int32_t kSliceMs = 20;
// Any number libmongoc does not use for a type of its own.
constexpr int kStreamType = 100;

struct Interruptible {
  mongoc_stream_t stream;  // first: libmongoc hands us back a pointer to it
  mongoc_stream_t* inner;
  mongoc_socket_t* socket;
  InterruptSlot* slot;
  // A request was written and nothing of its reply is read yet: the only wait that may be long, and the only
  // one where no layer above the socket can hold bytes that a poll would not see.
  bool awaits_reply;
};

Interruptible* self(mongoc_stream_t* stream) { return reinterpret_cast<Interruptible*>(stream); }

mongoc_socket_t* socket_of(mongoc_stream_t* stream) {
  mongoc_stream_t* base = mongoc_stream_get_base_stream(stream);
  while (base != stream) {
    stream = base;
    base = mongoc_stream_get_base_stream(stream);
  }
  return mongoc_stream_socket_get_socket(reinterpret_cast<mongoc_stream_socket_t*>(stream));
}

// False with errno set when the flag went up or nothing came in time.
bool wait_readable(Interruptible* it, int32_t timeout_ms) {
  if (const int32_t own = it->slot->reply_timeout_ms.load(std::memory_order_relaxed); own > 0)
    timeout_ms = own;
  for (int32_t waited = 0;; waited += kSliceMs) {
    if (it->slot->interrupted.load(std::memory_order_relaxed)) {
      errno = ECONNABORTED;
      return false;
    }
    mongoc_socket_poll_t poll{};
    poll.socket = it->socket;
    poll.events = POLLIN;
    const ssize_t ready = mongoc_socket_poll(&poll, 1, kSliceMs);
    if (ready > 0) return true;  // also for errors: the read that follows reports them
    if (ready < 0 && errno != EINTR) return true;
    if (timeout_ms > 0 && waited >= timeout_ms) {
      it->slot->timed_out.store(true, std::memory_order_relaxed);
      errno = ETIMEDOUT;
      return false;
    }
  }
}

void destroy(mongoc_stream_t* stream) {
  mongoc_stream_destroy(self(stream)->inner);
  delete self(stream);
}

void failed(mongoc_stream_t* stream) {
  mongoc_stream_failed(self(stream)->inner);
  delete self(stream);
}

int close(mongoc_stream_t* stream) { return mongoc_stream_close(self(stream)->inner); }

int flush(mongoc_stream_t* stream) { return mongoc_stream_flush(self(stream)->inner); }

ssize_t writev(mongoc_stream_t* stream, mongoc_iovec_t* iov, size_t count, int32_t timeout_ms) {
  self(stream)->awaits_reply = true;
  return mongoc_stream_writev(self(stream)->inner, iov, count, timeout_ms);
}

ssize_t readv(mongoc_stream_t* stream, mongoc_iovec_t* iov, size_t count, size_t bytes_min,
              int32_t timeout_ms) {
  Interruptible* it = self(stream);
  if (it->awaits_reply && !wait_readable(it, timeout_ms)) return -1;
  it->awaits_reply = false;
  return mongoc_stream_readv(it->inner, iov, count, bytes_min, timeout_ms);
}

int setsockopt(mongoc_stream_t* stream, int level, int name, void* value, mongoc_socklen_t size) {
  return mongoc_stream_setsockopt(self(stream)->inner, level, name, value, size);
}

mongoc_stream_t* base_stream(mongoc_stream_t* stream) { return self(stream)->inner; }

bool check_closed(mongoc_stream_t* stream) { return mongoc_stream_check_closed(self(stream)->inner); }

ssize_t poll(mongoc_stream_poll_t* streams, size_t count, int32_t timeout_ms) {
  std::vector<mongoc_stream_poll_t> inner(streams, streams + count);
  for (mongoc_stream_poll_t& one : inner) one.stream = self(one.stream)->inner;
  const ssize_t ready = mongoc_stream_poll(inner.data(), count, timeout_ms);
  for (size_t i = 0; i < count; ++i) streams[i].revents = inner[i].revents;
  return ready;
}

// An interrupted wait counts as a timeout, which says nothing against the member: a broken connection would
// make the driver forget it.
bool timed_out(mongoc_stream_t* stream) {
  return self(stream)->slot->interrupted.load(std::memory_order_relaxed) ||
         mongoc_stream_timed_out(self(stream)->inner);
}

bool should_retry(mongoc_stream_t* stream) { return mongoc_stream_should_retry(self(stream)->inner); }

mongoc_stream_t* wrap(mongoc_stream_t* inner, InterruptSlot* slot) {
  auto* it = new Interruptible{};
  it->stream.type = kStreamType;
  it->stream.destroy = destroy;
  it->stream.close = close;
  it->stream.flush = flush;
  it->stream.writev = writev;
  it->stream.readv = readv;
  it->stream.setsockopt = setsockopt;
  it->stream.get_base_stream = base_stream;
  it->stream.check_closed = check_closed;
  it->stream.poll = poll;
  it->stream.failed = failed;
  it->stream.timed_out = timed_out;
  it->stream.should_retry = should_retry;
  it->inner = inner;
  it->socket = socket_of(inner);
  it->slot = slot;
  return &it->stream;
}

mongoc_stream_t* initiate(const mongoc_uri_t* uri, const mongoc_host_list_t* host, void* slot,
                          bson_error_t* error) {
  auto* it = static_cast<InterruptSlot*>(slot);
  mongoc_stream_t* inner = mongoc_client_default_stream_initiator(uri, host, it->client, error);
  return inner == nullptr ? nullptr : wrap(inner, it);
}

}  // namespace

void make_interruptible(InterruptSlot* slot) {
  mongoc_client_set_stream_initiator(slot->client, initiate, slot);
}

}  // namespace tidemark::mongodb
