// libmongoc's C API behind one door: a client pool whose monitors watch the deployment in the background,
// clients taken from it, and commands whose whole reply is kept as it came.
//
// Driver is shared by everything that talks to one deployment and is thread-safe; a Client belongs to one
// thread at a time. A command that waits for its reply ends early when stop is requested or when the monitors
// have lost the member it waits for: a member that froze, or was cut off, would otherwise hold the stream
// until the socket's timeout.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "bson/document.h"
#include "mongo/library.h"
#include "sources/mongodb/classify.h"
#include "sources/mongodb/interruptible_stream.h"
#include "sources/mongodb/primary_watch.h"

struct _mongoc_client_t;
struct _mongoc_client_pool_t;
struct _mongoc_client_session_t;
struct _mongoc_apm_topology_changed_t;

namespace tidemark::mongodb {

struct DriverOptions {
  std::string uri;
  std::string app_name;
  std::chrono::milliseconds server_selection_timeout{500};
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds socket_timeout{120'000};
  std::chrono::milliseconds primary_patience{15'000};  // without a primary, before that is told
};

// kConfig when libmongoc can't read the URI. Nothing is connected.
Status check_uri(const std::string& uri);

// socketTimeoutMS of the URI, where it has one that is more than 0. REQUIRES a URI that check_uri takes.
std::optional<std::chrono::milliseconds> socket_timeout_of(const std::string& uri);

// A server's reply, whole, and owner of its bytes.
class Reply {
 public:
  Reply() { bson_init(&doc_); }
  ~Reply() { bson_destroy(&doc_); }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  // REQUIRES accept() where libmongoc filled it.
  bson::View view() const { return bson::View(&doc_); }
  bson_t* fill() { return &doc_; }  // for libmongoc, which initialises it anew

  // Makes sure that it can be walked: libmongoc looks at a reply's own fields and no further. An event of a cursor's batch
  // that can't be is mended (mended_reply.h) and keeps its flaw(); what can't be mended is an error.
  Status accept();
  // Why the event at this place of the batch could not be read whole; empty for all others.
  std::string_view flaw(size_t index) const {
    return index < flaws_.size() ? std::string_view(flaws_[index]) : std::string_view();
  }

 private:
  bson_t doc_;
  std::vector<std::string> flaws_;  // one for each event; none at all nearly always
};
using ReplyPtr = std::shared_ptr<Reply>;

// The member a cursor lives on.
struct Member {
  uint32_t id = 0;
  int wire_version = 0;
  std::string address;
  bool is_mongos = false;
};

// A command's failure before it is classified: the classification needs to know the phase and what was tried.
struct CommandFailure : mongo::Told {
  bool cancelled = false;  // stop was requested
  bool timed_out = false;  // no answer in time: the server may be at work on it still

  Error classify(Phase phase, std::string_view where) const;
};
template <class T>
using CommandResult = tl::expected<T, CommandFailure>;

class Driver;

class Client {
 public:
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  enum class Prefer {
    kUri,  // what the URI's read preference says
    kAny,  // the primary if there is one, else any member that has data
  };
  // Waits up to the server selection timeout for a member.
  CommandResult<Member> select(Prefer prefer, std::stop_token stop);

  // Begins a server session, so that a cursor's aggregate and getMore carry the same one (the server
  // insists); ends the one before. Without effect where the deployment has no sessions. REQUIRES a member
  // selected before.
  void begin_session();
  void end_session();

  // Runs `command` on `member` as it stands: no read or write concern is added. The session is sent if one
  // has begun.
  CommandResult<ReplyPtr> run(const std::string& database, bson::View command, const Member& member,
                              std::stop_token stop);

  // How long the answers to the commands that follow are waited for; zero: the socket's own timeout.
  void set_reply_timeout(std::chrono::milliseconds timeout);

 private:
  friend class Driver;
  Client(std::shared_ptr<Driver> driver, InterruptSlot* slot) : driver_(std::move(driver)), slot_(slot) {}

  std::shared_ptr<Driver> driver_;
  InterruptSlot* slot_;  // the driver's
  _mongoc_client_session_t* session_ = nullptr;
  Prefer prefer_ = Prefer::kUri;  // of the last select(): a secondary answers only a command that allows it
};

class Driver : public std::enable_shared_from_this<Driver> {
 public:
  // Resolves a mongodb+srv name; otherwise nothing is connected before the first client().
  static Result<std::shared_ptr<Driver>> create(const DriverOptions& options, std::string pipeline);
  ~Driver();

  std::unique_ptr<Client> client() EXCLUDES(mutex_);

  // Called from the monitors' threads whenever the deployment gains a primary, or a member to read from.
  void on_ready(std::function<void()> listener) EXCLUDES(mutex_);

  // For libmongoc's callbacks, on the monitors' threads.
  void topology_changed(const _mongoc_apm_topology_changed_t* event) EXCLUDES(mutex_);
  // A member answered its monitor, or didn't: the time to say that there is still no primary.
  void heartbeat() EXCLUDES(mutex_);

 private:
  friend class Client;
  Driver(std::string pipeline, std::chrono::milliseconds primary_patience)
      : pipeline_(std::move(pipeline)), primary_watch_(primary_patience) {}
  void note_primary(bool there) REQUIRES(mutex_);
  InterruptSlot* slot_of(_mongoc_client_t* client) EXCLUDES(mutex_);

  const std::string pipeline_;
  _mongoc_client_pool_t* pool_ = nullptr;

  Mutex mutex_;
  std::function<void()> listener_ GUARDED_BY(mutex_);
  bool primary_there_ GUARDED_BY(mutex_) = false;
  PrimaryWatch primary_watch_ GUARDED_BY(mutex_);
  // One for every libmongoc client the pool ever made; they stay until the pool is gone.
  std::vector<std::unique_ptr<InterruptSlot>> slots_ GUARDED_BY(mutex_);
};

}  // namespace tidemark::mongodb
