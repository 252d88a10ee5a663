// SCRAM-SHA-256 (RFC 5802, RFC 7677), as MongoDB wraps it into saslStart and saslContinue.
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
  const auto& options = inv.cluster.options;
  const std::string nonce =
      std::to_string(inv.cluster.identities.random()) + std::to_string(inv.cluster.identities.random());
  inv.connection.conversation = std::make_shared<ScramConversation>(
      options.user, options.password, std::string(kSalt), nonce, skip && skip->truthy());
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

constexpr CommandSpec kCommands[] = {
    {"saslStart", sasl_start, kNoAuth, "mechanism payload options autoAuthorize"},
    {"saslContinue", sasl_continue, kNoAuth, "conversationId payload"},
    {"logout", logout, kNoAuth, ""},
};

}  // namespace

std::span<const CommandSpec> auth_commands() { return kCommands; }

}  // namespace tidemark::sandbox
