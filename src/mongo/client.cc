#include "mongo/client.h"

#include <algorithm>
#include <array>

#include <mongoc/mongoc.h>

#include "base/log.h"
#include "base/tls_files.h"
#include "base/uri.h"
#include "mongo/tls_uri.h"

namespace tidemark::mongo {
namespace {

constexpr std::chrono::milliseconds kServerSelection{3'000};
constexpr std::chrono::milliseconds kConnect{5'000};
constexpr std::chrono::milliseconds kSocket{15'000};
constexpr int64_t kMajorityMs = 10'000;

// Owns what libmongoc writes a reply into; it initialises it anew.
struct Buffer {
  Buffer() { bson_init(&doc); }
  ~Buffer() { bson_destroy(&doc); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  // "No document" where it can't be walked: libmongoc looks at a reply's own fields and no further.
  bson::View view() const { return parse().value_or(bson::View()); }
  Result<bson::View> parse() const { return bson::View::parse({bson_get_data(&doc), doc.len}); }
  bson_t doc;
};

struct WriteConcernDeleter {
  void operator()(mongoc_write_concern_t* concern) const { mongoc_write_concern_destroy(concern); }
};
using WriteConcernPtr = std::unique_ptr<mongoc_write_concern_t, WriteConcernDeleter>;

WriteConcernPtr majority() {
  WriteConcernPtr concern(mongoc_write_concern_new());
  mongoc_write_concern_set_wmajority(concern.get(), kMajorityMs);
  mongoc_write_concern_set_journal(concern.get(), true);
  return concern;
}

Error error_of(const bson_error_t& error, bson::View reply, const ClientOptions& options) {
  const Told told = told_by(error, reply);
  return classify(told.failure(), options.who, options.grant);
}

// A connection that broke, or a member that is no primary any more: the next try finds the new one.
bool is_worth_another_try(const bson_error_t& error, const Error& judged) {
  constexpr std::array kElsewhere = {6, 7, 89, 91, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436};
  if (judged.react != React::kRetry) return false;
  if (judged.code == 0) return origin_of(error) == Origin::kNetwork;
  return std::find(kElsewhere.begin(), kElsewhere.end(), judged.code) != kElsewhere.end();
}

bool needs_login(const Error& error) {
  constexpr int kReauthenticationRequired = 391;
  return error.react == React::kDenied || error.code == kReauthenticationRequired;
}

Error stopped(const ClientOptions& options) {
  return {React::kCancelled, options.who + ": stop was requested"};
}

}  // namespace

std::string new_id() {
  bson_oid_t id;
  bson_oid_init(&id, nullptr);
  char text[25];
  bson_oid_to_string(&id, text);
  return text;
}

void Client::ClientDeleter::operator()(_mongoc_client_t* client) const { mongoc_client_destroy(client); }
void Client::SessionDeleter::operator()(_mongoc_client_session_t* session) const {
  mongoc_client_session_destroy(session);
}

Client::Client(ClientOptions options, UriPtr uri) : options_(std::move(options)), uri_(std::move(uri)) {}
Client::~Client() { abort_transaction(); }

Result<std::unique_ptr<Client>> Client::create(ClientOptions options) {
  TIDEMARK_ASSIGN(UriPtr parsed, parse_uri(options.uri));
  mongoc_uri_t* uri = parsed.get();
  // A file that is missing is said before anything is connected to.
  TIDEMARK_TRY(check_tls_files(uri));
  set_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, kServerSelection);
  set_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, kConnect);
  set_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, kSocket);
  // Without this a client for one thread gives up at the first member that doesn't answer.
  mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
  set_default_app_name(uri, "tidemark");
  return std::unique_ptr<Client>(new Client(std::move(options), std::move(parsed)));
}

std::string Client::redacted_uri() const { return redact_uri(mongoc_uri_get_string(uri_.get())); }

Status Client::connect() {
  if (client_) return {};
  bson_error_t error;
  client_.reset(mongoc_client_new_from_uri_with_error(uri_.get(), &error));
  // A mongodb+srv name that doesn't resolve for now.
  if (!client_) return fail(React::kRetry, options_.who + ": " + error.message);
  mongoc_client_set_error_api(client_.get(), MONGOC_ERROR_API_VERSION_2);
  return {};
}

Error Client::judge(const bson_error_t& error, bson::View reply) const {
  // The driver reads its files anew for every connection.
  if (std::string_view(error.message).find("initialize TLS") != std::string_view::npos) {
    if (Status files = check_tls_files(uri_.get()); !files) {
      Error named = std::move(files).error();
      named.react = React::kDenied;
      named.what = options_.who + ": " + named.what;
      return named;
    }
  }
  const Origin origin = origin_of(error);
  if ((origin == Origin::kNetwork || origin == Origin::kSelection) && mongoc_uri_get_tls(uri_.get())) {
    if (const std::string trouble = tls_trouble(); !trouble.empty()) {
      bson_error_t told = error;
      bson_set_error(&told, error.domain, error.code, "%s (TLS: %s)", error.message, trouble.c_str());
      return error_of(told, reply, options_);
    }
  }
  return error_of(error, reply, options_);
}

Result<bson::Document> Client::run(const std::string& database, bson::View command, bool writes,
                                   std::stop_token stop) {
  if (stop.stop_requested()) return fail(stopped(options_));
  TIDEMARK_TRY(connect());
  bool again = false;
  auto reply = run_once(database, command, writes, again);
  if (!reply && again && !in_transaction_ && repeats(command, writes) && !stop.stop_requested()) {
    log::debug("{}; tried once more", reply.error().what);
    reply = run_once(database, command, writes, again);
  }
  if (!reply && needs_login(reply.error())) disconnect();
  return reply;
}

// A user who was dropped and created anew is a stranger to every connection that he has: only a new one logs him in.
void Client::disconnect() {
  in_transaction_ = false;
  session_.reset();
  client_.reset();
}

// As the drivers' retryWrites and retryReads, which commands of this form don't get from libmongoc; a cursor that has moved
// on can't be asked twice.
bool Client::repeats(bson::View command, bool writes) const {
  if ((*command.begin()).key() == "getMore") return false;
  return mongoc_uri_get_option_as_bool(uri_.get(), writes ? MONGOC_URI_RETRYWRITES : MONGOC_URI_RETRYREADS,
                                       true);
}

Result<bson::Document> Client::run_once(const std::string& database, bson::View command, bool writes,
                                        bool& again) {
  const bson_t raw = command.raw();
  Buffer options, reply;
  bson_error_t error = {};
  again = false;
  forget_tls_trouble();
  if (in_transaction_) {
    if (!mongoc_client_session_append(session_.get(), &options.doc, &error)) return fail(judge(error, {}));
  } else if (writes) {
    mongoc_write_concern_append(majority().get(), &options.doc);
  }
  const bool ok = writes ? mongoc_client_write_command_with_opts(client_.get(), database.c_str(), &raw,
                                                                 &options.doc, &reply.doc, &error)
                         : mongoc_client_command_with_opts(client_.get(), database.c_str(), &raw, nullptr,
                                                           &options.doc, &reply.doc, &error);
  if (ok) {
    const auto view = reply.parse();
    if (view) return bson::Document(*view);
    return fail(React::kRetry, options_.who + ": the server's reply is " + view.error().what);
  }
  Error judged = judge(error, reply.view());
  again = is_worth_another_try(error, judged);
  return fail(std::move(judged));
}

Result<bson::Document> Client::read(const std::string& database, bson::View command, std::stop_token stop) {
  return run(database, command, false, std::move(stop));
}

Result<bson::Document> Client::write_batch(const std::string& database, bson::View command,
                                           std::stop_token stop) {
  return run(database, command, true, std::move(stop));
}

Result<bson::Document> Client::write(const std::string& database, bson::View command, std::stop_token stop) {
  TIDEMARK_ASSIGN(bson::Document reply, run(database, command, true, std::move(stop)));
  const auto errors = write_errors(reply);
  if (errors.empty()) return reply;
  Failure failure;
  failure.code = errors.front().code;
  failure.message = errors.front().message;
  return fail(classify(failure, options_.who, options_.grant));
}

Result<std::vector<bson::Document>> Client::read_all(const std::string& database, bson::View command,
                                                     size_t count_max, std::stop_token stop) {
  std::vector<bson::Document> found;
  TIDEMARK_ASSIGN(bson::Document reply, read(database, command, stop));
  const auto collection = (*command.begin()).is_string() ? std::string((*command.begin()).string()) : "";
  for (const char* batch = "cursor.firstBatch";; batch = "cursor.nextBatch") {
    const auto documents = reply.view().find_path(batch);
    const auto id = reply.view().find_path("cursor.id");
    if (!documents || !documents->is_array())
      return fail(React::kRetry, options_.who + ": a reply without a cursor");
    for (const bson::Element item : documents->document()) {
      if (item.is_document() && found.size() < count_max) found.emplace_back(item.document());
    }
    const int64_t cursor = id ? id->integer().value_or(0) : 0;
    if (cursor == 0) return found;
    bson::Builder next;
    if (found.size() >= count_max) {
      bson::Builder ids;
      ids.append("0", cursor);
      next.append("killCursors", collection).append_array("cursors", ids.view());
      // What isn't killed ends by itself.
      (void)read(database, next.view(), stop);
      return found;
    }
    next.append("getMore", cursor).append("collection", collection);
    TIDEMARK_ASSIGN(reply, read(database, next.view(), stop));
  }
}

Result<Abilities> Client::abilities(std::stop_token stop) {
  bson::Builder hello;
  hello.append("isMaster", int32_t{1});
  TIDEMARK_ASSIGN(const bson::Document reply, read("admin", hello.view(), std::move(stop)));
  Abilities found;
  if (const auto version = reply.view().find("maxWireVersion"))
    found.wire_version = static_cast<int>(version->integer().value_or(0));
  const auto message = reply.view().find("msg");
  const bool sharded = message && message->is_string() && message->string() == "isdbgrid";
  found.sharded = sharded;
  const bool sessions = reply.view().find("logicalSessionTimeoutMinutes").has_value();
  // Transactions came with 4.0 (7) for replica sets and with 4.2 (8) for sharded clusters.
  found.transactions = sessions && ((reply.view().find("setName") && found.wire_version >= 7) ||
                                    (sharded && found.wire_version >= 8));
  known_ = found;
  return found;
}

Status Client::begin_transaction(std::stop_token stop) {
  if (stop.stop_requested()) return fail(stopped(options_));
  TIDEMARK_TRY(connect());
  bson_error_t error = {};
  if (!session_) {
    mongoc_session_opt_t* session_options = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(session_options, false);
    session_.reset(mongoc_client_start_session(client_.get(), session_options, &error));
    mongoc_session_opts_destroy(session_options);
    if (!session_) return fail(judge(error, {}));
  }
  mongoc_transaction_opt_t* transaction_options = mongoc_transaction_opts_new();
  mongoc_transaction_opts_set_write_concern(transaction_options, majority().get());
  in_transaction_ = mongoc_client_session_start_transaction(session_.get(), transaction_options, &error);
  mongoc_transaction_opts_destroy(transaction_options);
  if (!in_transaction_) {
    session_.reset();
    return fail(judge(error, {}));
  }
  return {};
}

CommitResult Client::commit_transaction() {
  Buffer reply;
  bson_error_t error = {};
  const bool ok = mongoc_client_session_commit_transaction(session_.get(), &reply.doc, &error);
  in_transaction_ = false;
  if (ok) return {};
  CommitFailure failure{judge(error, reply.view()), false};
  failure.unknown = mongoc_error_has_label(&reply.doc, "UnknownTransactionCommitResult") ||
                    origin_of(error) == Origin::kNetwork || origin_of(error) == Origin::kSelection;
  // What follows must not depend on what this session remembers.
  session_.reset();
  return tl::unexpected<CommitFailure>(std::move(failure));
}

void Client::abort_transaction() {
  if (!in_transaction_) return;
  in_transaction_ = false;
  bson_error_t error = {};
  if (!mongoc_client_session_abort_transaction(session_.get(), &error)) {
    log::debug("{}: the transaction was not aborted: {}", options_.who, error.message);
    session_.reset();
  }
}

}  // namespace tidemark::mongo
