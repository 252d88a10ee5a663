// libmongoc for single commands: reads, writes to the majority, and one transaction at a time. What writes to MongoDB or
// asks it something stands on this; change streams have a driver of their own (sources/mongodb/driver.h).
//
// REQUIRES that every write outside of a transaction may be done twice: it is repeated once, without a txnNumber, when its
// connection broke or its member was no primary any more (`retryWrites=false` in the URI turns that off). So a
// document is inserted with its key, a change says what it replaces, and so on.
//
// A Client connects when it is first asked, and again by itself after a failure, and logs in anew after a refusal. It belongs to one thread at a
// time. A stop that is requested while a command runs doesn't end the command: it ends by the reply or by the URI's socket
// timeout (15 s by default). Messages never show the URI's secrets.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "mongo/classify.h"
#include "mongo/library.h"

struct _bson_error_t;
struct _mongoc_client_t;
struct _mongoc_client_session_t;

namespace tidemark::mongo {

struct ClientOptions {
  std::string uri;
  std::string who;    // begins every message: "mongodb sink"
  std::string grant;  // the role that is needed: "grant the user `readWrite` on the database"
};

// What the deployment can do.
struct Abilities {
  bool transactions = false;
  bool sharded = false;  // it is asked through a mongos
  int wire_version = 0;
};

struct CommitFailure {
  Error error;
  bool unknown = false;  // nobody knows whether it was committed
};
using CommitResult = tl::expected<void, CommitFailure>;

class Client {
 public:
  // kConfig when libmongoc can't read the URI, or a file of TLS that it names can't be used. Connects to nothing.
  static Result<std::unique_ptr<Client>> create(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // "mongodb://user:***@host/"
  std::string redacted_uri() const;

  // On the primary; the command says its own read concern.
  Result<bson::Document> read(const std::string& database, bson::View command, std::stop_token stop);
  // Waits for the majority and its journals, and joins the transaction when there is one. A failed statement is an error.
  Result<bson::Document> write(const std::string& database, bson::View command, std::stop_token stop);
  // The same, but failed statements stand in the reply: see write_errors().
  Result<bson::Document> write_batch(const std::string& database, bson::View command, std::stop_token stop);

  // Every document of a cursor's reply, getMores included, at most `count_max`.
  Result<std::vector<bson::Document>> read_all(const std::string& database, bson::View command,
                                               size_t count_max, std::stop_token stop);

  Result<Abilities> abilities(std::stop_token stop);
  // As abilities() found them last.
  const Abilities& known() const { return known_; }

  Status begin_transaction(std::stop_token stop);
  bool in_transaction() const { return in_transaction_; }
  // The transaction is over in any case. Tried twice before the outcome is called unknown.
  CommitResult commit_transaction();
  // Best effort: what isn't aborted ends by the server's own limit. Without effect outside of a transaction.
  void abort_transaction();

 private:
  struct ClientDeleter {
    void operator()(_mongoc_client_t* client) const;
  };
  struct SessionDeleter {
    void operator()(_mongoc_client_session_t* session) const;
  };

  Client(ClientOptions options, UriPtr uri);
  Result<bson::Document> run(const std::string& database, bson::View command, bool writes,
                             std::stop_token stop);
  Result<bson::Document> run_once(const std::string& database, bson::View command, bool writes, bool& again);
  bool repeats(bson::View command, bool writes) const;
  Status connect();
  void disconnect();
  Error judge(const _bson_error_t& error, bson::View reply) const;

  const ClientOptions options_;
  const UriPtr uri_;
  std::unique_ptr<_mongoc_client_t, ClientDeleter> client_;
  std::unique_ptr<_mongoc_client_session_t, SessionDeleter> session_;
  bool in_transaction_ = false;
  Abilities known_;
};

// An id that no other has: of an owner of a lease.
std::string new_id();

}  // namespace tidemark::mongo
