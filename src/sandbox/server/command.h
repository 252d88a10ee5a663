// One command on its way through the server: what was asked, by whom, of which member, and the reply being built. The
// families of commands (handshake.cc, crud_write.cc, ...) are tables of CommandSpec; dispatch.cc does for all of them what
// is the same for all: unknown fields, sessions, roles, write concern, errors and their labels.
//
// An Invocation lives on its connection's thread for the time of one request.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/server/node.h"
#include "sandbox/store/filter.h"
#include "sandbox/wire/message.h"

namespace tidemark::sandbox {

struct ScramConversation;

// What a connection keeps between its requests; used by its thread alone.
struct ConnectionState {
  int32_t id = 0;
  std::string peer;
  std::string app_name;
  bool authenticated = false;
  std::string user, user_db;  // who is authenticated, or trying to be
  uint64_t user_id = 0;
  std::shared_ptr<ScramConversation> conversation;
  // The last session that was seen, with the uid that the server adds: most requests repeat it.
  bson::Document lsid_given;
  bson::Document lsid;
};

enum class ReadConcern : uint8_t { kDefault, kLocal, kAvailable, kMajority, kLinearizable, kSnapshot };

struct CommandSpec;

struct Invocation {
  Cluster& cluster;
  Node& node;
  ConnectionState& connection;
  bson::View body;
  std::span<const wire::DocumentSequence> sequences;
  bson::Builder& reply;
  std::stop_token stop = {};
  bool is_query = false;  // came as OP_QUERY

  // Filled by dispatch.
  const CommandSpec* spec = nullptr;
  std::string_view name = {};
  std::string db = {};
  bson::Document lsid = {};  // {id, uid}
  int64_t txn_number = -1;
  bool in_transaction = false;  // autocommit: false
  bool start_transaction = false;
  std::shared_ptr<Transaction> transaction = {};
  bool secondary_ok = false;
  ReadConcern read_concern = ReadConcern::kDefault;
  bson::View read_concern_document = {};
  std::optional<WriteConcern> write_concern = {};  // absent: the set's default
  int64_t max_time_ms = 0;

  // Filled by handlers.
  OpTime written = {};         // the last entry this command logged
  OpTime seen = {};            // the newest entry when data was read
  bool stream_cursor = false;  // a getMore on a change stream: its errors carry a label of their own
  bson::Document write_concern_error = {};  // of a fail point
  bool exhaust_more = false;                // hello: another reply follows by itself

  Member& member() const { return node.member; }
  int member_index() const { return node.member.index; }
  Consensus& consensus() const { return *cluster.consensus; }
  ServerVersion version() const { return cluster.options.version; }
  bool retryable_write() const { return txn_number >= 0 && !in_transaction; }
  PipelineContext context(std::string_view collection = {}) const;
  // The namespace in the command's first field: "db.coll". InvalidNamespace (73) for bad ones.
  Reply<std::string> collection() const;
};

using Handler = Reply<void> (*)(Invocation&);

enum Trait : uint32_t {
  kAnywhere = 0,
  kPrimaryOnly = 1u << 0,
  kReads = 1u << 1,  // on a secondary only where the client allows it
  kWriteConcern = 1u << 2,
  kNoAuth = 1u << 3,
  kTransactions = 1u << 4,  // may run inside a transaction
  kRetryable = 1u << 5,     // takes a txnNumber outside transactions
  kAdminOnly = 1u << 6,
  kAnyFields = 1u << 7,
  kSince44 = 1u << 8,
  kSince50 = 1u << 9,
  kRouterOnly = 1u << 10,   // of a mongos
  kMembersOnly = 1u << 11,  // of a member; a mongos doesn't know it
};

struct CommandSpec {
  std::string_view name;
  Handler run;
  uint32_t traits;
  std::string_view fields;  // accepted beside the name and what every command accepts; separated by blanks
  bool is(uint32_t trait) const { return (traits & trait) != 0; }
};

std::span<const CommandSpec> handshake_commands();
std::span<const CommandSpec> auth_commands();
std::span<const CommandSpec> diagnostic_commands();
std::span<const CommandSpec> write_commands();
std::span<const CommandSpec> read_commands();
std::span<const CommandSpec> cursor_commands();
std::span<const CommandSpec> aggregate_commands();
std::span<const CommandSpec> ddl_commands();
std::span<const CommandSpec> catalog_commands();
std::span<const CommandSpec> session_commands();
std::span<const CommandSpec> replset_commands();
std::span<const CommandSpec> control_commands();
std::span<const CommandSpec> router_commands();

enum class AfterReply { kGoOn, kCloseConnection };
// Runs the command and leaves the whole reply, errors included, in `inv.reply`.
AfterReply dispatch(Invocation& inv);

// Fields of a command, by type; a wrong type is TypeMismatch (14) in the server's words.
Reply<int64_t> int_field(const Invocation& inv, bson::View of, std::string_view key, int64_t absent);
Reply<bool> bool_field(const Invocation& inv, bson::View of, std::string_view key, bool absent);
Reply<bson::View> document_field(const Invocation& inv, bson::View of, std::string_view key);
Reply<bson::View> array_field(const Invocation& inv, bson::View of, std::string_view key);
Reply<std::string_view> string_field(const Invocation& inv, bson::View of, std::string_view key);
bool token_in(std::string_view tokens, std::string_view token);
// 40415 when `of` has a field that isn't in `fields`; `what` names it: "insert".
Reply<void> check_fields(bson::View of, std::string_view fields, std::string_view what);

// The documents of `field`, from the command's body or from its document sequence.
Reply<std::vector<bson::View>> batch_of(const Invocation& inv, std::string_view field);

// Appends documents as the items of an array.
class ArrayWriter {
 public:
  ArrayWriter(bson_t* parent, std::string_view key);
  ~ArrayWriter();
  ArrayWriter(const ArrayWriter&) = delete;
  ArrayWriter& operator=(const ArrayWriter&) = delete;
  void append(bson::View document);
  void append(const bson::Element& element);
  void append(std::string_view text);
  void append(int64_t value);
  size_t count() const { return count_; }

 private:
  std::string_view next_key();
  bson_t* parent_;
  bson_t array_;
  uint32_t count_ = 0;
  char key_[16];
};

void append_timestamp(bson::Builder& out, std::string_view key, bson::Timestamp time);
void append_op_time(bson::Builder& out, std::string_view key, OpTime time);
void append_oid(bson::Builder& out, std::string_view key, const bson_oid_t& oid);
void append_uuid(bson::Builder& out, std::string_view key, const Uuid& uuid);
bson_oid_t election_id(int64_t term);
tl::unexpected<CommandError> not_primary(const Invocation& inv);

}  // namespace tidemark::sandbox
