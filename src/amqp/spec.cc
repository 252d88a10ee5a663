#include "amqp/spec.h"

#include "base/tls_files.h"
#include "config/fields.h"

namespace tidemark::amqp {
namespace {

using config::FieldSpec;
using namespace config::fields;

constexpr int64_t kMinuteMs = 60'000;

}  // namespace

std::vector<FieldSpec> connection_fields() {
  return {
      uri("TIDEMARK_AMQP_URI",
          "The broker: amqp://user:password@host:5672/vhost, amqps:// for TLS (port 5671). The vhost \"/\" "
          "is written %2f or left out."),
      with_example(
          text("tls_ca",
               "PEM file of the authorities that may sign the broker's certificate; needed for amqps://."),
          "\"/etc/tidemark/broker-ca.pem\""),
      with_example(
          text("tls_certificate", "PEM file of the client's own certificate, where the broker asks."),
          "\"/etc/tidemark/client.pem\""),
      with_example(text("tls_key", "PEM file of the key that belongs to tls_certificate."),
                   "\"/etc/tidemark/client-key.pem\""),
      flag("tls_verify", true,
           "Whether the broker's certificate and its host name are checked. Without it anybody on the way "
           "can read and change everything."),
      duration("heartbeat", "30s", 0, 60 * kMinuteMs,
               "A connection on which nothing came for twice as long is dead. 0s: none."),
      duration("connect_timeout", "10s", 1, 10 * kMinuteMs, "How long connecting and logging in may take."),
  };
}

std::vector<FieldSpec> declare_fields() {
  return {
      flag("declare", true, "Create what is absent (durable), and check what is there. Off: it must exist."),
      choice("queue_type", {"quorum", "classic"},
             "What kind of queue is created. quorum: replicated in a cluster, and safe through a crash of "
             "the broker. classic: durable, on one node."),
  };
}

Result<ConnectionOptions> connection_options(const config::Settings& settings, std::string name) {
  ConnectionOptions options;
  auto endpoint = parse_uri(settings.string("uri"));
  if (!endpoint)
    return fail(settings.error("uri",
                               endpoint.error().what + " (the uri isn't shown, as it may hold a password)",
                               endpoint.error().hint));
  options.endpoint = std::move(*endpoint);
  options.ca = settings.string("tls_ca");
  options.certificate = settings.string("tls_certificate");
  options.key = settings.string("tls_key");
  options.verify = settings.boolean("tls_verify");
  if (options.certificate.empty() != options.key.empty())
    return fail(settings.error(options.certificate.empty() ? "tls_key" : "tls_certificate",
                               "a certificate and its key go together", "give both, or none"));
  if (options.endpoint.tls && options.verify && options.ca.empty())
    return fail(settings.error("tls_ca", "amqps:// needs the authority that signed the broker's certificate",
                               "name its PEM file, or set tls_verify = false and be readable by anybody"));
  if (!options.endpoint.tls && !(options.ca.empty() && options.certificate.empty()))
    return fail(settings.error(options.ca.empty() ? "tls_certificate" : "tls_ca", "amqp:// doesn't use TLS",
                               "write amqps:// in the uri"));
  if (!options.ca.empty()) {
    if (Status good = check_ca_file(options.ca); !good)
      return fail(settings.error("tls_ca", good.error().what, good.error().hint));
  }
  if (!options.certificate.empty()) {
    if (Status good = check_certificate_files(options.certificate, options.key); !good)
      return fail(settings.error("tls_certificate", good.error().what, good.error().hint));
  }
  options.heartbeat = std::chrono::ceil<std::chrono::seconds>(settings.duration("heartbeat"));
  options.connect_timeout = settings.duration("connect_timeout");
  options.name = std::move(name);
  return options;
}

DeclareOptions declare_options(const config::Settings& settings) {
  return {settings.boolean("declare"),
          settings.string("queue_type") == "classic" ? QueueType::kClassic : QueueType::kQuorum};
}

Status check_name(const config::Settings& settings, const std::string& field) {
  constexpr size_t kNameBytesMax = 255;
  if (settings.string(field).size() <= kNameBytesMax) return {};
  return fail(settings.error(field, "longer than 255 bytes, which AMQP can't say", "give it a shorter name"));
}

}  // namespace tidemark::amqp
