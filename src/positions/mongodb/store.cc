#include "positions/mongodb/store.h"

#include <algorithm>
#include <array>

#include <mongoc/mongoc.h>

#include "base/check.h"
#include "base/log.h"
#include "positions/mongodb/lease.h"

namespace tidemark {
namespace {

using mongodb_position::Lease;
using mongodb_position::LeaseClock;

constexpr int32_t kServerSelectionMs = 3'000;
constexpr int32_t kSocketMs = 15'000;
constexpr int64_t kMajorityMs = 10'000;
// Codes of the server.
constexpr int kDuplicateKey = 11000;
constexpr int kTypeMismatch = 14;
constexpr int kNotNumeric = 16554;

// What waiting mends: elections, shutdowns, timeouts, a majority that is missing for now.
constexpr std::array kPassing = {6,     7,     43,    46,  50,  64,  89,    91,    94,
                                 100,   112,   133,   134, 189, 202, 262,   9001,  10107,
                                 11600, 11601, 11602, 391, 211, 237, 13435, 13436, 10058};
// How a server that has no pipeline updates, or no $$NOW, answers them.
constexpr std::array kUnsupported = {2, 9, kTypeMismatch, 303, 17276, 40324, 168, 238};

template <class Codes>
bool holds(const Codes& codes, int code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

struct UriDeleter {
  void operator()(mongoc_uri_t* uri) const { mongoc_uri_destroy(uri); }
};
struct ClientDeleter {
  void operator()(mongoc_client_t* client) const { mongoc_client_destroy(client); }
};
using UriPtr = std::unique_ptr<mongoc_uri_t, UriDeleter>;
using ClientPtr = std::unique_ptr<mongoc_client_t, ClientDeleter>;

struct Reply {
  Reply() { bson_init(&doc); }
  ~Reply() { bson_destroy(&doc); }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  bson_t doc;
};

void driver_log(mongoc_log_level_t, const char* domain, const char* message, void*) {
  log::debug("libmongoc {}: {}", domain, message);
}

Result<UriPtr> parse_uri(const std::string& text) {
  static const bool once = (mongoc_init(), mongoc_log_set_handler(driver_log, nullptr), true);
  (void)once;
  bson_error_t error;
  UriPtr uri(mongoc_uri_new_with_error(text.c_str(), &error));
  if (!uri) {
    return fail(React::kConfig, std::string("not a MongoDB URI: ") + error.message,
                "write mongodb://user:password@host1,host2/?replicaSet=name or mongodb+srv://...");
  }
  if (!mongoc_uri_has_option(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS))
    mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS, kServerSelectionMs);
  if (!mongoc_uri_has_option(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS))
    mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS, kSocketMs);
  // Without this a client for one thread gives up at the first member that doesn't answer.
  mongoc_uri_set_option_as_bool(uri.get(), MONGOC_URI_SERVERSELECTIONTRYONCE, false);
  if (!mongoc_uri_has_option(uri.get(), MONGOC_URI_APPNAME))
    mongoc_uri_set_option_as_utf8(uri.get(), MONGOC_URI_APPNAME, "tidemark");
  return uri;
}

std::string new_owner() {
  bson_oid_t id;
  bson_oid_init(&id, nullptr);
  char text[25];
  bson_oid_to_string(&id, text);
  return text;
}

class MongodbPositionStore final : public PositionStore {
 public:
  MongodbPositionStore(UriPtr uri, std::string database, Lease lease, Clock& clock)
      : uri_(std::move(uri)), database_(std::move(database)), lease_(std::move(lease)), clock_(clock) {}
  ~MongodbPositionStore() override { release(); }

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context,
                                                std::stop_token stop) override {
    release();
    context_ = context;
    lease_.pipeline = context.pipeline;
    lease_.owner = new_owner();
    auto inserted = write(insert_command(lease_), stop);
    if (!inserted && inserted.error().code != kDuplicateKey) return fail(std::move(inserted).error());
    TIDEMARK_ASSIGN(const bson::Document document, take_lease(stop));
    held_ = true;
    const auto epoch = document.view().find("epoch");
    lease_.epoch = static_cast<uint64_t>(epoch ? epoch->integer().value_or(0) : 0);
    auto stored = mongodb_position::read_position(document);
    // The lease stays with this owner, so that the operator's reset can erase what nobody can read.
    damaged_ = !stored;
    if (!stored) return corrupt(stored.error().what);
    return stored;
  }

  Status save(const DurablePosition& position, std::stop_token stop) override {
    TIDEMARK_CHECK(held_ || released_, "a position was saved without a lease");
    if (!held_) return fenced("the lease was given back");
    if (damaged_) return corrupt("it could not be read");
    StoredPosition stored;
    stored.position = position.get();
    stored.saved_at_ms = clock_.wall_ms();
    stored.fingerprint = context_.fingerprint;
    stored.deployment = context_.deployment;
    return change([&](const LeaseClock& clock) { return save_command(lease_, clock, stored); }, stop);
  }

  Result<std::optional<StoredPosition>> peek(const std::string& pipeline, std::stop_token stop) override {
    TIDEMARK_ASSIGN(const bson::Document document, find(pipeline, stop));
    if (!document) return std::nullopt;
    auto stored = mongodb_position::read_position(document);
    if (!stored) return corrupt(stored.error().what);
    return stored;
  }

  Status erase(std::stop_token stop) override {
    TIDEMARK_CHECK(held_ || released_, "a position was erased without a lease");
    if (!held_) return fenced("the lease was given back");
    // The document stays, without a position, because the epoch must go on rising.
    TIDEMARK_TRY(change([&](const LeaseClock&) { return erase_command(lease_); }, stop));
    damaged_ = false;
    return {};
  }

  void release() override {
    if (!held_) return;
    held_ = false;
    damaged_ = false;
    released_ = true;
    // Best effort: a lease that can't be given back ends by itself.
    if (auto given = write(release_command(lease_), {}); !given)
      log::debug("{}: the lease was not given back: {}", lease_.pipeline, given.error().what);
  }

  std::string describe() const override {
    return "mongodb " + redact_uri(mongoc_uri_get_string(uri_.get())) + " " + database_ + "." +
           lease_.collection;
  }

 private:
  LeaseClock lease_clock() const { return {server_time_, clock_.wall_ms()}; }

  Result<bson::Document> take_lease(std::stop_token stop) {
    auto reply = write(acquire_command(lease_, lease_clock()), stop);
    if (!reply && server_time_ && holds(kUnsupported, reply.error().code)) {
      server_time_ = false;
      reply = write(acquire_command(lease_, lease_clock()), stop);
    }
    if (!reply) {
      const int code = reply.error().code;
      if (code == kTypeMismatch || code == kNotNumeric) return corrupt("its epoch is not a number");
      return fail(std::move(reply).error());
    }
    const auto value = reply->view().find("value");
    if (value && value->is_document()) return bson::Document(value->document());
    return held_by_another(stop);
  }

  // A change under the lease. `command` makes it for a clock; n = 0 means that the lease is another's.
  template <class Command>
  Status change(Command command, std::stop_token stop) {
    auto reply = write(command(lease_clock()), stop);
    if (!reply && server_time_ && holds(kUnsupported, reply.error().code)) {
      server_time_ = false;
      reply = write(command(lease_clock()), stop);
    }
    if (!reply) return fail(std::move(reply).error());
    const auto n = reply->view().find("n");
    if (!n || n->integer().value_or(0) == 0) return fenced("another owner has taken it");
    return {};
  }

  tl::unexpected<Error> held_by_another(std::stop_token stop) {
    std::string until;
    if (auto document = find(lease_.pipeline, stop); document && *document) {
      const auto field = document->view().find("leaseUntil");
      if (field && field->type() == BSON_TYPE_DATE_TIME) {
        const int64_t left_ms = bson_iter_date_time(&field->iter()) - clock_.wall_ms();
        until = ", for another " + std::to_string(std::max<int64_t>(0, left_ms) / 1000) +
                " s unless it renews it";
      }
    }
    return fail(
        React::kFenced,
        describe() + ": another instance holds the lease of pipeline " + lease_.pipeline + until,
        "only one process may run a pipeline; after a crash wait until the lease has ended (lease_ttl)");
  }

  tl::unexpected<Error> fenced(const std::string& why) const {
    return fail(React::kFenced,
                describe() + ": the position of " + lease_.pipeline + " is no longer this process's: " + why,
                "only one process may run a pipeline");
  }

  tl::unexpected<Error> corrupt(const std::string& why) const {
    return fail(React::kCorrupt, describe() + ": the position of " + lease_.pipeline + " is damaged: " + why,
                "restore the document from a backup; or look at `tidemark position show`, then choose a new "
                "start with "
                "`tidemark position reset` and `tidemark position init`");
  }

  Result<bson::Document> find(const std::string& pipeline, std::stop_token stop) {
    TIDEMARK_ASSIGN(const bson::Document reply,
                    run(mongodb_position::find_command(lease_.collection, pipeline), false, std::move(stop)));
    const auto first = reply.view().find_path("cursor.firstBatch.0");
    return first && first->is_document() ? bson::Document(first->document()) : bson::Document();
  }

  Result<bson::Document> write(const bson::Document& command, std::stop_token stop) {
    return run(command, true, std::move(stop));
  }

  Result<bson::Document> run(const bson::Document& command, bool writes, std::stop_token stop) {
    if (stop.stop_requested()) return fail(React::kCancelled, describe() + ": stop was requested");
    TIDEMARK_TRY(connect());
    const bson_t raw = command.view().raw();
    Reply reply;
    bson_error_t error = {};
    bson_t options;
    bson_init(&options);
    bool ok = false;
    if (writes) {
      mongoc_write_concern_t* majority = mongoc_write_concern_new();
      mongoc_write_concern_set_wmajority(majority, kMajorityMs);
      mongoc_write_concern_append(majority, &options);
      mongoc_write_concern_destroy(majority);
      ok = mongoc_client_write_command_with_opts(client_.get(), database_.c_str(), &raw, &options, &reply.doc,
                                                 &error);
    } else {
      ok = mongoc_client_command_with_opts(client_.get(), database_.c_str(), &raw, nullptr, &options,
                                           &reply.doc, &error);
    }
    bson_destroy(&options);
    if (!ok) return fail(judge(error, bson::View(&reply.doc)));
    // The errors of single writes come in a reply that is ok.
    if (const auto write_error = bson::View(&reply.doc).find_path("writeErrors.0");
        write_error && write_error->is_document()) {
      const auto code = write_error->document().find("code");
      const auto text = write_error->document().find("errmsg");
      return fail(judge(static_cast<int>(code ? code->integer().value_or(0) : 0),
                        text && text->is_string() ? std::string(text->string()) : "a write failed"));
    }
    return bson::Document(&reply.doc);
  }

  Status connect() {
    if (client_) return {};
    bson_error_t error;
    client_.reset(mongoc_client_new_from_uri_with_error(uri_.get(), &error));
    if (!client_) return fail(React::kRetry, describe() + ": " + error.message);
    mongoc_client_set_error_api(client_.get(), MONGOC_ERROR_API_VERSION_2);
    return {};
  }

  Error judge(const bson_error_t& error, bson::View reply) const {
    if (const auto code = reply.find("code"); code && code->integer())
      return judge(static_cast<int>(*code->integer()), error.message);
    switch (error.domain) {
      case MONGOC_ERROR_SERVER:
      case MONGOC_ERROR_QUERY:
      case MONGOC_ERROR_WRITE_CONCERN:
        return judge(static_cast<int>(error.code), error.message);
      case MONGOC_ERROR_SASL:
      case MONGOC_ERROR_SCRAM:
        return judge(18, error.message);
      case MONGOC_ERROR_COMMAND:
      case MONGOC_ERROR_BSON:
        return {React::kFatal, describe() + ": " + error.message, {}, 0};
      default:
        return {React::kRetry, describe() + ": " + error.message, {}, 0};
    }
  }

  Error judge(int code, const std::string& message) const {
    Error error{
        React::kFatal, describe() + ": " + message + " [code " + std::to_string(code) + "]", {}, code};
    if (holds(kPassing, code)) error.react = React::kRetry;
    if (code == 13 || code == 18 || code == 11 || code == 8000) {
      error.react = React::kConfig;
      error.hint = code == 13 ? "grant the user the role `readWrite` on " + database_
                              : "check user, password and authSource of the uri";
    }
    if (code == 20) {
      error.react = React::kConfig;
      error.hint = "the position store needs a replica set or a sharded cluster";
    }
    return error;
  }

  const UriPtr uri_;
  const std::string database_;
  Lease lease_;
  Clock& clock_;
  ClientPtr client_;
  PositionContext context_;
  bool held_ = false;
  bool damaged_ = false;     // what is stored can't be read: only erase() is allowed
  bool released_ = false;    // a lease was given back: a late save is refused, not a programmer's error
  bool server_time_ = true;  // leases end by the server's clock
};

config::ComponentSpec make_spec() {
  using config::FieldType;
  config::ComponentSpec spec;
  spec.kind = "position";
  spec.type = "mongodb";
  spec.summary =
      "Keeps the position in a document of a MongoDB collection, written to the majority, with a lease that "
      "keeps a "
      "second instance out and an epoch that refuses the writes of an owner that lost it. Needs `readWrite` "
      "on the "
      "database.";
  spec.fields = {
      {.name = "uri",
       .doc = "The connection string of the deployment that keeps the position; it need not be the source's.",
       .required = true,
       .secret = true,
       .example = "\"${TIDEMARK_MONGODB_URI}\""},
      {.name = "database", .doc = "Its database.", .default_text = "tidemark"},
      {.name = "collection",
       .doc = "Its collection: one document for each pipeline.",
       .default_text = "positions"},
      {.name = "lease_ttl",
       .type = FieldType::kDuration,
       .doc = "How long the lease lasts after a save. A pipeline saves at least every 10 s, so that this "
              "must be "
              "longer; after a crash another instance waits this long.",
       .default_text = "30s",
       .min = 12'000,
       .max = 3'600'000},
  };
  return spec;
}

}  // namespace

const config::ComponentSpec& mongodb_position_spec() {
  static const config::ComponentSpec spec = make_spec();
  return spec;
}

Result<std::unique_ptr<PositionStore>> make_mongodb_position(const config::Settings& settings,
                                                             const ComponentContext& context) {
  auto uri = parse_uri(settings.string("uri"));
  if (!uri) return fail(settings.error("uri", uri.error().what, uri.error().hint));
  Lease lease;
  lease.collection = settings.string("collection");
  lease.pipeline = context.pipeline;
  lease.ttl = settings.duration("lease_ttl");
  for (const char* field : {"database", "collection"}) {
    if (settings.string(field).empty())
      return fail(settings.error(field, "it must not be empty", "give it a name, or leave it out"));
  }
  return std::make_unique<MongodbPositionStore>(std::move(*uri), settings.string("database"),
                                                std::move(lease), *context.clock);
}

}  // namespace tidemark
