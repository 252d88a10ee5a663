#include "sources/mongodb/driver.h"

#include <mongoc/mongoc.h>

#include "base/log.h"
#include "mongo/library.h"
#include "sources/mongodb/mended_reply.h"

namespace tidemark::mongodb {
namespace {

// Fast enough to see a member that came back, slow enough not to count; members of 4.4 and later tell at once
// anyway.
constexpr int32_t kHeartbeatMs = 2000;

using mongo::parse_uri;
using mongo::set_default;
using mongo::UriPtr;

CommandFailure failure_of(const bson_error_t& error, bson::View reply) {
  return {mongo::told_by(error, reply)};
}

CommandFailure cancelled() {
  CommandFailure failure;
  failure.message = "stop was requested";
  failure.cancelled = true;
  return failure;
}

struct ServerList {
  explicit ServerList(const mongoc_topology_description_t* topology)
      : servers(mongoc_topology_description_get_servers(topology, &count)) {}
  ~ServerList() { mongoc_server_descriptions_destroy_all(servers, count); }
  ServerList(const ServerList&) = delete;
  ServerList& operator=(const ServerList&) = delete;

  static std::string_view type(const mongoc_server_description_t* server) {
    return mongoc_server_description_type(server);
  }
  // The member that takes writes; null when there is none.
  const mongoc_server_description_t* primary() const {
    for (size_t i = 0; i < count; ++i) {
      const std::string_view kind = type(servers[i]);
      if (kind == "RSPrimary" || kind == "Mongos" || kind == "Standalone" || kind == "LoadBalancer")
        return servers[i];
    }
    return nullptr;
  }
  bool lost(uint32_t id) const {
    for (size_t i = 0; i < count; ++i) {
      if (mongoc_server_description_id(servers[i]) == id) return type(servers[i]) == "Unknown";
    }
    return true;
  }

  size_t count = 0;
  mongoc_server_description_t** servers;
};

uint32_t id_of(const mongoc_server_description_t* server) {
  return server == nullptr ? 0 : mongoc_server_description_id(server);
}

std::string address_of(const mongoc_server_description_t* server) {
  return mongoc_server_description_host(const_cast<mongoc_server_description_t*>(server))->host_and_port;
}

bool readable(const mongoc_topology_description_t* topology) {
  mongoc_read_prefs_t* nearest = mongoc_read_prefs_new(MONGOC_READ_NEAREST);
  const bool result = mongoc_topology_description_has_readable_server(topology, nearest);
  mongoc_read_prefs_destroy(nearest);
  return result;
}

class ReadPreference {
 public:
  ReadPreference(Client::Prefer prefer, const mongoc_client_t* client)
      : own_(prefer == Client::Prefer::kAny ? mongoc_read_prefs_new(MONGOC_READ_PRIMARY_PREFERRED) : nullptr),
        client_(client) {}
  ~ReadPreference() {
    if (own_ != nullptr) mongoc_read_prefs_destroy(own_);
  }
  ReadPreference(const ReadPreference&) = delete;
  ReadPreference& operator=(const ReadPreference&) = delete;
  const mongoc_read_prefs_t* get() const {
    return own_ != nullptr ? own_ : mongoc_client_get_read_prefs(client_);
  }

 private:
  mongoc_read_prefs_t* own_;
  const mongoc_client_t* client_;
};

void on_topology_changed(const mongoc_apm_topology_changed_t* event) {
  static_cast<Driver*>(mongoc_apm_topology_changed_get_context(event))->topology_changed(event);
}

void on_heartbeat(const mongoc_apm_server_heartbeat_succeeded_t* event) {
  static_cast<Driver*>(mongoc_apm_server_heartbeat_succeeded_get_context(event))->heartbeat();
}

void on_no_heartbeat(const mongoc_apm_server_heartbeat_failed_t* event) {
  static_cast<Driver*>(mongoc_apm_server_heartbeat_failed_get_context(event))->heartbeat();
}

}  // namespace

Status check_uri(const std::string& uri) {
  TIDEMARK_TRY(parse_uri(uri));
  return {};
}

std::optional<std::chrono::milliseconds> socket_timeout_of(const std::string& uri) {
  const auto parsed = parse_uri(uri);
  const int32_t given =
      parsed ? mongoc_uri_get_option_as_int32(parsed->get(), MONGOC_URI_SOCKETTIMEOUTMS, 0) : 0;
  if (given <= 0) return std::nullopt;
  return std::chrono::milliseconds(given);
}

Error CommandFailure::classify(Phase phase, std::string_view where) const {
  if (cancelled) return Error{React::kCancelled, std::string(where) + ": stop was requested", {}, 0};
  return mongodb::classify(failure(), phase, where);
}

Status Reply::accept() {
  const std::span<const uint8_t> bytes(bson_get_data(&doc_), doc_.len);
  const auto view = bson::View::parse(bytes);
  if (view) return {};
  const auto mended = mend_reply(bytes);
  if (!mended) return fail(view.error());
  bson_reinit(&doc_);
  const bson_t raw = mended->reply.view().raw();
  bson_concat(&doc_, &raw);
  flaws_ = mended->flaws;
  return {};
}

// --- Client

Client::~Client() {
  end_session();
  set_reply_timeout({});  // the pool gives the client away again
  mongoc_client_pool_push(driver_->pool_, slot_->client);
}

CommandResult<Member> Client::select(Prefer prefer, std::stop_token stop) {
  if (stop.stop_requested()) return tl::unexpected(cancelled());
  bson_error_t error;
  prefer_ = prefer;
  const ReadPreference preference(prefer, slot_->client);
  mongoc_server_description_t* server =
      mongoc_client_select_server(slot_->client, false, preference.get(), &error);
  if (server == nullptr) {
    driver_->heartbeat();
    return tl::unexpected(failure_of(error, {}));
  }

  Member member;
  member.id = id_of(server);
  member.address = address_of(server);
  const bson_t* response = mongoc_server_description_hello_response(server);
  const auto hello = bson::View::parse({bson_get_data(response), response->len});
  if (const auto version = hello.value_or(bson::View()).find("maxWireVersion"))
    member.wire_version = static_cast<int>(version->integer().value_or(0));
  const auto kind = hello.value_or(bson::View()).find("msg");
  member.is_mongos = kind && kind->is_string() && kind->string() == "isdbgrid";
  mongoc_server_description_destroy(server);
  return member;
}

void Client::begin_session() {
  end_session();
  bson_error_t error;
  mongoc_session_opt_t* options = mongoc_session_opts_new();
  // Causal consistency would add afterClusterTime to the aggregate, which a change stream has no use for.
  mongoc_session_opts_set_causal_consistency(options, false);
  session_ = mongoc_client_start_session(slot_->client, options, &error);
  mongoc_session_opts_destroy(options);
}

void Client::end_session() {
  if (session_ != nullptr) mongoc_client_session_destroy(session_);
  session_ = nullptr;
}

CommandResult<ReplyPtr> Client::run(const std::string& database, bson::View command, const Member& member,
                                    std::stop_token stop) {
  if (stop.stop_requested()) return tl::unexpected(cancelled());
  slot_->interrupted.store(false, std::memory_order_relaxed);
  slot_->timed_out.store(false, std::memory_order_relaxed);
  slot_->busy_with.store(member.id, std::memory_order_relaxed);
  bson_error_t error;
  auto reply = std::make_shared<Reply>();
  bool ok = false;
  {
    const ReadPreference preference(prefer_, slot_->client);
    const std::stop_callback on_stop(stop, [slot = slot_] { slot->interrupted.store(true); });
    bson_t options;
    bson_init(&options);
    bson_append_int32(&options, "serverId", -1, static_cast<int32_t>(member.id));
    if (session_ != nullptr && !mongoc_client_session_append(session_, &options, &error)) {
      bson_destroy(&options);
      return tl::unexpected(failure_of(error, {}));
    }
    const bson_t request = command.raw();
    ok = mongoc_client_command_with_opts(slot_->client, database.c_str(), &request, preference.get(),
                                         &options, reply->fill(), &error);
    bson_destroy(&options);
  }
  slot_->busy_with.store(0, std::memory_order_relaxed);
  const Status checked = reply->accept();
  if (ok && checked) return reply;
  if (stop.stop_requested()) return tl::unexpected(cancelled());
  CommandFailure failure;
  if (!ok) {
    failure = failure_of(error, checked ? reply->view() : bson::View());
    failure.timed_out =
        failure.origin == Origin::kNetwork && slot_->timed_out.load(std::memory_order_relaxed);
  } else {
    failure.origin = Origin::kNetwork;
    failure.message = "the server's reply is " + checked.error().what;
  }
  return tl::unexpected(std::move(failure));
}

void Client::set_reply_timeout(std::chrono::milliseconds timeout) {
  slot_->reply_timeout_ms.store(static_cast<int32_t>(timeout.count()), std::memory_order_relaxed);
}

// --- Driver

Result<std::shared_ptr<Driver>> Driver::create(const DriverOptions& options, std::string pipeline) {
  TIDEMARK_ASSIGN(const UriPtr uri, parse_uri(options.uri));
  set_default(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS, options.server_selection_timeout);
  set_default(uri.get(), MONGOC_URI_CONNECTTIMEOUTMS, options.connect_timeout);
  set_default(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS, options.socket_timeout);
  set_default(uri.get(), MONGOC_URI_HEARTBEATFREQUENCYMS, std::chrono::milliseconds(kHeartbeatMs));
  // A retry is ours to decide: the driver's own would hide where a stream was opened.
  mongoc_uri_set_option_as_bool(uri.get(), MONGOC_URI_RETRYREADS, false);
  mongo::set_default_app_name(uri.get(), options.app_name);

  std::shared_ptr<Driver> driver(new Driver(std::move(pipeline), options.primary_patience));
  bson_error_t error;
  driver->pool_ = mongoc_client_pool_new_with_error(uri.get(), &error);
  if (driver->pool_ == nullptr) {
    const CommandFailure failure = failure_of(error, {});
    const React react = failure.origin == Origin::kNetwork ? React::kRetry : React::kConfig;
    return fail(react, std::string("cannot use the uri: ") + error.message);
  }
  mongoc_client_pool_set_error_api(driver->pool_, MONGOC_ERROR_API_VERSION_2);
  mongoc_apm_callbacks_t* callbacks = mongoc_apm_callbacks_new();
  mongoc_apm_set_topology_changed_cb(callbacks, on_topology_changed);
  mongoc_apm_set_server_heartbeat_succeeded_cb(callbacks, on_heartbeat);
  mongoc_apm_set_server_heartbeat_failed_cb(callbacks, on_no_heartbeat);
  mongoc_client_pool_set_apm_callbacks(driver->pool_, callbacks, driver.get());
  mongoc_apm_callbacks_destroy(callbacks);
  return driver;
}

Driver::~Driver() {
  // Joins the monitors: no callback comes after this.
  if (pool_ != nullptr) mongoc_client_pool_destroy(pool_);
}

std::unique_ptr<Client> Driver::client() {
  mongoc_client_t* client = mongoc_client_pool_pop(pool_);
  return std::unique_ptr<Client>(new Client(shared_from_this(), slot_of(client)));
}

InterruptSlot* Driver::slot_of(mongoc_client_t* client) {
  MutexLock lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot->client == client) return slot.get();
  }
  slots_.push_back(std::make_unique<InterruptSlot>());
  InterruptSlot* slot = slots_.back().get();
  slot->client = client;
  make_interruptible(slot);
  return slot;
}

void Driver::on_ready(std::function<void()> listener) {
  MutexLock lock(mutex_);
  listener_ = std::move(listener);
}

void Driver::heartbeat() {
  MutexLock lock(mutex_);
  note_primary(primary_there_);
}

void Driver::note_primary(bool there) {
  primary_there_ = there;
  const std::chrono::milliseconds now(bson_get_monotonic_time() / 1000);
  if (const auto missing = primary_watch_.note(there, now))
    log::warn("{}: mongodb has had no primary for {} s: nothing new is committed until one is elected",
              pipeline_, std::chrono::duration_cast<std::chrono::seconds>(*missing).count());
}

void Driver::topology_changed(const mongoc_apm_topology_changed_t* event) {
  const mongoc_topology_description_t* before = mongoc_apm_topology_changed_get_previous_description(event);
  const mongoc_topology_description_t* after = mongoc_apm_topology_changed_get_new_description(event);
  const ServerList old_servers(before);
  const ServerList new_servers(after);
  const mongoc_server_description_t* primary = new_servers.primary();
  const bool new_primary = id_of(primary) != id_of(old_servers.primary());
  const bool routed = primary != nullptr && ServerList::type(primary) == "Mongos";
  if (new_primary && primary != nullptr)
    log::info("{}: mongodb {} is {}", pipeline_, routed ? "mongos" : "primary", address_of(primary));

  std::function<void()> listener;
  {
    MutexLock lock(mutex_);
    note_primary(primary != nullptr);
    for (const auto& slot : slots_) {
      const uint32_t busy_with = slot->busy_with.load(std::memory_order_relaxed);
      if (busy_with != 0 && new_servers.lost(busy_with))
        slot->interrupted.store(true, std::memory_order_relaxed);
    }
    if ((new_primary && primary != nullptr) || (!readable(before) && readable(after))) listener = listener_;
  }
  // Outside the lock, so that the listener may take locks of its own.
  if (listener) listener();
}

}  // namespace tidemark::mongodb
