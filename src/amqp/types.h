// What is said over AMQP 0-9-1: where to connect, what is declared, sent and received. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidemark::amqp {

// A URI taken apart: amqp://user:password@host:port/vhost, amqps:// for TLS.
struct Endpoint {
  std::string host = "localhost";
  int port = 5672;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  bool tls = false;

  // "amqp host:5672/vhost", for messages; never the user or the password.
  std::string describe() const;
};

// Percent-encoded parts are decoded; "" and "/" as path are both the vhost "/". Errors are kConfig and never show the URI.
Result<Endpoint> parse_uri(std::string_view uri);

struct ConnectionOptions {
  Endpoint endpoint;
  std::string ca;           // PEM file; without one nothing can be verified
  std::string certificate;  // of the client, PEM file; with `key`
  std::string key;
  bool verify = true;  // the broker's certificate and its host name
  // Asked of the broker; 0 = none. A connection silent for twice as long is dead.
  std::chrono::seconds heartbeat{30};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds answer_timeout{20'000};  // of a declaration and the like
  std::string name;                                  // begins every message: "rabbitmq sink 'ingest'"
};

enum class QueueType { kQuorum, kClassic };

struct QueueOptions {
  std::string name;
  QueueType type = QueueType::kQuorum;  // always durable
  // Messages kept at most; more are refused (overflow reject-publish), so that a publisher is told. 0 = no limit.
  int64_t length_max = 0;

  // Where a quorum queue that is created here leaves a message that came back too often, instead of dropping it.
  std::string returned() const { return name + ".returned"; }
};

// How often a message may come back to a queue, as far as the queue's own arguments say. Policies aren't visible here.
struct DeliveryLimit {
  bool known = false;            // the broker told the arguments
  bool counts = false;           // of a type that counts how often a message comes back (quorum)
  std::optional<int64_t> limit;  // empty = none
  bool drops = true;             // what exceeds it is gone: the queue has no dead-letter exchange
};

struct QueueState {
  uint64_t messages = 0;  // ready to be delivered
  uint64_t consumers = 0;
};

using HeaderValue = std::variant<std::string, int64_t, double, bool>;
struct Header {
  std::string name;
  HeaderValue value;
};

// A message as it was delivered. Meant to be used again for the next: its buffers keep their memory.
struct Delivery {
  uint64_t tag = 0;  // for acknowledgements, counted from 1 in each session
  bool redelivered = false;
  std::string exchange;
  std::string routing_key;
  std::string content_type;
  std::string message_id;
  std::vector<Header> headers;  // those of other types than HeaderValue has are left out
  std::string body;

  // Empty when there is no such header or it is of another kind; integers of any width and doubles with a whole value
  // are numbers.
  std::optional<int64_t> number(std::string_view header) const;
  const std::string* text(std::string_view header) const;
};

struct HeaderView {
  std::string_view name;
  std::variant<std::string_view, int64_t> value;
};

// A message to publish: durable (delivery mode 2) and mandatory always. Views, used only during the call.
struct Message {
  std::string_view exchange;  // "" = the default exchange: the routing key is a queue's name
  std::string_view routing_key;
  std::string_view content_type;
  std::string_view message_id;  // at most 255 bytes; a longer one is left out
  std::span<const HeaderView> headers;
  std::string_view body;
};

// What the broker says about messages published on a session with confirms.
struct Verdict {
  enum class Kind {
    kAck,     // it took responsibility: durable in every queue it went to
    kNack,    // it refused: a queue is full (reject-publish), or broke
    kReturn,  // it found no queue; the ack that follows only says that the return was sent
  };
  Kind kind = Kind::kAck;
  uint64_t number = 0;    // of the message, counted from 1; 0 for a return
  bool multiple = false;  // this one and all before it
  // Of a return.
  int code = 0;
  std::string text;
  std::string exchange;
  std::string routing_key;
  std::string message_id;
};

}  // namespace tidemark::amqp
