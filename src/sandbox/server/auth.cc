// SCRAM-SHA-256 (RFC 5802, RFC 7677), as MongoDB wraps it into saslStart and saslContinue; and the users who log in by it.
#include "sandbox/server/scram.h"

namespace tidemark::sandbox {
namespace {

// A constant, because this guards nothing but tests; 28 bytes, because libmongoc takes no other length with SHA-256.
constexpr std::string_view kSalt = "tidemark-sandbox-salt-of-28b";
static_assert(kSalt.size() == 28);

tl::unexpected<CommandError> refused() {
  return command_error(kAuthenticationFailed, "Authentication failed.");
}

Reply<std::string> payload_of(const Invocation& inv) {
  const auto field = inv.body.find("payload");
  if (!field || field->type() != BSON_TYPE_BINARY)
    return command_error(kBadValue, "'payload' must be binary");
  const bson::Binary binary = field->binary();
  return std::string(reinterpret_cast<const char*>(binary.bytes.data()), binary.bytes.size());
}

void append_step(Invocation& inv, bool done, std::string_view payload) {
  inv.reply.append("conversationId", int32_t{1}).append("done", done);
  bson_append_binary(inv.reply.raw(), "payload", 7, BSON_SUBTYPE_BINARY,
                     reinterpret_cast<const uint8_t*>(payload.data()), static_cast<uint32_t>(payload.size()));
}

Reply<void> sasl_start(Invocation& inv) {
  SANDBOX_ASSIGN(const auto mechanism, string_field(inv, inv.body, "mechanism"));
  if (mechanism != "SCRAM-SHA-256")
    return command_error(334, "Unsupported mechanism '" + std::string(mechanism) +
                                  "' on authentication database '" + inv.db + "'");
  SANDBOX_ASSIGN(const std::string payload, payload_of(inv));
  const auto skip = inv.body.find_path("options.skipEmptyExchange");
  const auto name = scram_user(payload);
  const auto user = name ? inv.cluster.users.find(inv.db, *name) : std::nullopt;
  if (!user) return refused();
  inv.connection.user = user->name;
  inv.connection.user_db = user->db;
  inv.connection.user_id = user->id;
  const std::string nonce =
      std::to_string(inv.cluster.identities.random()) + std::to_string(inv.cluster.identities.random());
  inv.connection.conversation = std::make_shared<ScramConversation>(
      user->name, user->password, std::string(kSalt), nonce, skip && skip->truthy());
  const auto answer = inv.connection.conversation->first(payload);
  if (!answer) {
    inv.connection.conversation.reset();
    return refused();
  }
  append_step(inv, false, *answer);
  return {};
}

Reply<void> sasl_continue(Invocation& inv) {
  if (!inv.connection.conversation) return command_error(17, "No SASL session state found");
  SANDBOX_ASSIGN(const std::string payload, payload_of(inv));
  ScramConversation& conversation = *inv.connection.conversation;
  if (conversation.proven()) {
    inv.connection.authenticated = true;
    inv.connection.lsid_given = {};
    inv.connection.conversation.reset();
    append_step(inv, true, "");
    return {};
  }
  const auto answer = conversation.last(payload);
  if (!answer) {
    inv.connection.conversation.reset();
    return refused();
  }
  const bool done = conversation.skips_empty_exchange();
  append_step(inv, done, *answer);
  if (done) {
    inv.connection.authenticated = true;
    inv.connection.lsid_given = {};
    inv.connection.conversation.reset();
  }
  return {};
}

Reply<void> logout(Invocation& inv) {
  inv.connection.authenticated = false;
  return {};
}

// "read" or {role: "read", db: "shop"}.
Reply<std::vector<Role>> parse_roles(const Invocation& inv) {
  std::vector<Role> roles;
  SANDBOX_ASSIGN(const bson::View given, array_field(inv, inv.body, "roles"));
  if (!given)
    return command_error(40414,
                         "BSON field '" + std::string(inv.name) + ".roles' is missing but a required field");
  for (const auto& item : given) {
    Role role{{}, inv.db};
    if (item.is_string()) {
      role.name = item.string();
    } else if (item.is_document()) {
      const auto name = item.document().find("role");
      const auto db = item.document().find("db");
      if (name && name->is_string()) role.name = name->string();
      if (db && db->is_string()) role.db = db->string();
    }
    if (!is_known_role(role.name)) return command_error(31, "No role named " + role.name + "@" + role.db);
    roles.push_back(std::move(role));
  }
  return roles;
}

Reply<std::string> user_name(const Invocation& inv) {
  const auto first = *inv.body.begin();
  if (!first.is_string() || first.string().empty()) return command_error(kBadValue, "a user needs a name");
  return std::string(first.string());
}

Reply<void> create_user(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, user_name(inv));
  SANDBOX_ASSIGN(const auto password, string_field(inv, inv.body, "pwd"));
  SANDBOX_ASSIGN(auto roles, parse_roles(inv));
  if (!inv.cluster.users.add({name, inv.db, std::string(password), std::move(roles)}))
    return command_error(51003, "User \"" + name + "@" + inv.db + "\" already exists");
  return {};
}

tl::unexpected<CommandError> no_user(const Invocation& inv, const std::string& name) {
  return command_error(kUserNotFound, "User '" + name + "@" + inv.db + "' not found");
}

Reply<void> update_user(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, user_name(inv));
  std::optional<std::string> password;
  std::optional<std::vector<Role>> roles;
  if (const auto given = inv.body.find("pwd"); given && given->is_string()) password = given->string();
  if (inv.body.find("roles")) {
    SANDBOX_ASSIGN(roles, parse_roles(inv));
  }
  if (!inv.cluster.users.change(inv.db, name, std::move(password), std::move(roles)))
    return no_user(inv, name);
  return {};
}

Reply<void> drop_user(Invocation& inv) {
  SANDBOX_ASSIGN(const std::string name, user_name(inv));
  if (!inv.cluster.users.drop(inv.db, name)) return no_user(inv, name);
  return {};
}

constexpr CommandSpec kCommands[] = {
    {"createUser", create_user, kPrimaryOnly,
     "pwd roles mechanisms customData digestPassword passwordDigestor"},
    {"updateUser", update_user, kPrimaryOnly,
     "pwd roles mechanisms customData digestPassword passwordDigestor"},
    {"dropUser", drop_user, kPrimaryOnly, ""},
    {"saslStart", sasl_start, kNoAuth, "mechanism payload options autoAuthorize"},
    {"saslContinue", sasl_continue, kNoAuth, "conversationId payload"},
    {"logout", logout, kNoAuth, ""},
};

}  // namespace

std::span<const CommandSpec> auth_commands() { return kCommands; }

}  // namespace tidemark::sandbox
