#include "amqp/errors.h"

#include <amqp.h>

#include "base/tls_files.h"

namespace tidemark::amqp {
namespace {

struct Meaning {
  int code;
  React react;
  const char* name;
  const char* hint;
};

constexpr const char* kCredentials = "check the user, the password and the user's permissions on the vhost";
constexpr const char* kVhost = "create the vhost and grant the user permissions on it, or correct the uri";
constexpr const char* kMissing =
    "it isn't there now: create it, correct its name, or set declare = true; tried again until it is";
constexpr const char* kDeclared =
    "it exists with other properties: delete it, or make this configuration say what it is";
constexpr const char* kUp = "is the broker up, and can it be reached from here?";
constexpr const char* kLow = "the broker ran out of something: look at its alarms and its log";
constexpr const char* kProtocol = "does RabbitMQ with AMQP 0-9-1 listen on that port?";
constexpr const char* kTls = "check tls_ca, and that the certificate names the host of the uri";
constexpr const char* kClient = "check tls_certificate and tls_key";

// https://www.rabbitmq.com/amqp-0-9-1-reference.html, "Constants".
constexpr Meaning kCloses[] = {
    {311, React::kReject, "CONTENT_TOO_LARGE", "the broker refuses messages of this size"},
    {312, React::kRetry, "NO_ROUTE", "bind a queue to the exchange with this routing key"},
    {313, React::kRetry, "NO_CONSUMERS", ""},
    {320, React::kRetry, "CONNECTION_FORCED", "the broker shuts down, or an operator closed the connection"},
    {402, React::kConfig, "INVALID_PATH", kVhost},
    {403, React::kDenied, "ACCESS_REFUSED", kCredentials},
    {404, React::kRetry, "NOT_FOUND", kMissing},
    {405, React::kRetry, "RESOURCE_LOCKED", "another connection has it exclusively"},
    {406, React::kConfig, "PRECONDITION_FAILED", kDeclared},
    {501, React::kRetry, "FRAME_ERROR", kProtocol},
    {502, React::kRetry, "SYNTAX_ERROR", kProtocol},
    {503, React::kRetry, "COMMAND_INVALID", ""},
    {504, React::kRetry, "CHANNEL_ERROR", ""},
    {505, React::kRetry, "UNEXPECTED_FRAME", ""},
    {506, React::kRetry, "RESOURCE_ERROR", kLow},
    {530, React::kDenied, "NOT_ALLOWED", kVhost},
    {540, React::kConfig, "NOT_IMPLEMENTED", "this broker can't do that; RabbitMQ 3.8 or later can"},
    {541, React::kRetry, "INTERNAL_ERROR", "the broker's log says more"},
};

constexpr Meaning kStatuses[] = {
    {AMQP_STATUS_NO_MEMORY, React::kRetry, "", ""},
    {AMQP_STATUS_BAD_AMQP_DATA, React::kRetry, "", kProtocol},
    {AMQP_STATUS_UNKNOWN_CLASS, React::kRetry, "", kProtocol},
    {AMQP_STATUS_UNKNOWN_METHOD, React::kRetry, "", kProtocol},
    {AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, React::kRetry, "", "check the host in the uri"},
    {AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION, React::kConfig, "", kProtocol},
    {AMQP_STATUS_CONNECTION_CLOSED, React::kRetry, "", kUp},
    {AMQP_STATUS_BAD_URL, React::kConfig, "", "correct the uri"},
    {AMQP_STATUS_SOCKET_ERROR, React::kRetry, "", kUp},
    {AMQP_STATUS_INVALID_PARAMETER, React::kConfig, "", ""},
    {AMQP_STATUS_TABLE_TOO_BIG, React::kReject, "", "the message's headers are too large"},
    {AMQP_STATUS_WRONG_METHOD, React::kRetry, "", ""},
    {AMQP_STATUS_TIMEOUT, React::kRetry, "", kUp},
    {AMQP_STATUS_TIMER_FAILURE, React::kRetry, "", ""},
    {AMQP_STATUS_HEARTBEAT_TIMEOUT, React::kRetry, "", "the broker has been silent for two heartbeats"},
    {AMQP_STATUS_UNEXPECTED_STATE, React::kRetry, "", ""},
    {AMQP_STATUS_SOCKET_CLOSED, React::kRetry, "", kUp},
    {AMQP_STATUS_SOCKET_INUSE, React::kFatal, "", ""},
    {AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD, React::kConfig, "", "let the broker offer PLAIN"},
    {AMQP_STATUS_UNSUPPORTED, React::kConfig, "", ""},
    {AMQP_STATUS_TCP_ERROR, React::kRetry, "", kUp},
    {AMQP_STATUS_TCP_SOCKETLIB_INIT_ERROR, React::kRetry, "", ""},
    {AMQP_STATUS_SSL_ERROR, React::kRetry, "", kClient},
    {AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED, React::kDenied, "", kTls},
    {AMQP_STATUS_SSL_PEER_VERIFY_FAILED, React::kDenied, "", kTls},
    {AMQP_STATUS_SSL_CONNECTION_FAILED, React::kRetry, "",
     "does the broker speak TLS on that port? check tls_ca"},
    {AMQP_STATUS_SSL_SET_ENGINE_FAILED, React::kConfig, "", ""},
};

bool says(std::string_view text, std::string_view words) { return text.find(words) != text.npos; }

}  // namespace

Error close_error(int code, std::string_view text, std::string_view where) {
  Meaning meaning{code, React::kRetry, "", ""};
  for (const Meaning& each : kCloses) {
    if (each.code == code) meaning = each;
  }
  if (code == 403 && says(text, "reserved prefix"))
    meaning = {code, React::kConfig, meaning.name, "choose a name that doesn't begin with amq."};
  if (code == 406 && says(text, "larger than"))
    meaning = {code, React::kReject, meaning.name,
               "the broker refuses messages of this size: max_message_size"};
  if (code == 406 && says(text, "delivery tag"))
    meaning = {code, React::kRetry, meaning.name, "it is delivered again on a new connection"};
  if (code == 406 && says(text, "delivery acknowledgement"))  // consumer_timeout
    meaning = {code, React::kRetry, meaning.name,
               "a message was held longer than the broker's consumer_timeout"};
  std::string what = std::string(where) + ": the broker says ";
  // RabbitMQ's text begins with the code's name as a rule.
  if (*meaning.name != '\0' && !text.starts_with(meaning.name)) what += std::string(meaning.name) + ": ";
  what += text;
  what += " [" + std::to_string(code) + "]";
  return {meaning.react, std::move(what), meaning.hint, code};
}

Error library_error(int status, std::string_view what, std::string_view where) {
  Meaning meaning{status, React::kRetry, "", ""};
  for (const Meaning& each : kStatuses) {
    if (each.code == status) meaning = each;
  }
  std::string text = std::string(where) + ": " + std::string(what) + ": " + amqp_error_string2(status);
  // The library says that TLS failed, and OpenSSL why; a certificate that the broker refuses is a closed connection otherwise.
  if (const std::string trouble = tls_trouble(); !trouble.empty()) {
    text += " (TLS: " + trouble + ")";
    if (meaning.react == React::kRetry) meaning.hint = kClient;
  }
  return {meaning.react, std::move(text), meaning.hint};
}

}  // namespace tidemark::amqp
