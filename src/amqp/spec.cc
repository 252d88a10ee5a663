#include "amqp/spec.h"

#include "base/tls_files.h"

namespace tidemark::amqp {
namespace {

using config::FieldSpec;
using config::FieldType;

FieldSpec field(std::string name, FieldType type, std::string doc, std::string default_text = {}) {
  FieldSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.doc = std::move(doc);
  spec.default_text = std::move(default_text);
  return spec;
}

}  // namespace

std::vector<FieldSpec> connection_fields() {
  FieldSpec uri =
      field("uri", FieldType::kString,
            "The broker: amqp://user:password@host:5672/vhost, amqps:// for TLS (port 5671). The vhost "
            "\"/\" is written %2f or left out.");
  uri.required = true;
  uri.secret = true;
  uri.example = "\"${TIDEMARK_AMQP_URI}\"";
  FieldSpec ca =
      field("tls_ca", FieldType::kString,
            "PEM file of the authorities that may sign the broker's certificate; needed for amqps://.");
  ca.example = "\"/etc/tidemark/broker-ca.pem\"";
  FieldSpec certificate = field("tls_certificate", FieldType::kString,
                                "PEM file of the client's own certificate, where the broker asks.");
  certificate.example = "\"/etc/tidemark/client.pem\"";
  FieldSpec key =
      field("tls_key", FieldType::kString, "PEM file of the key that belongs to tls_certificate.");
  key.example = "\"/etc/tidemark/client-key.pem\"";
  FieldSpec verify =
      field("tls_verify", FieldType::kBoolean,
            "Whether the broker's certificate and its host name are checked. Without it anybody on the "
            "way can read and change everything.",
            "true");
  FieldSpec heartbeat =
      field("heartbeat", FieldType::kDuration,
            "A connection on which nothing came for twice as long is dead. 0s: none.", "30s");
  heartbeat.min = 0;
  heartbeat.max = 3'600'000;
  FieldSpec timeout =
      field("connect_timeout", FieldType::kDuration, "How long connecting and logging in may take.", "10s");
  timeout.min = 1;
  timeout.max = 600'000;
  return {uri, ca, certificate, key, verify, heartbeat, timeout};
}

std::vector<FieldSpec> declare_fields() {
  FieldSpec declare =
      field("declare", FieldType::kBoolean,
            "Create what is absent (durable), and check what is there. Off: it must exist.", "true");
  FieldSpec type =
      field("queue_type", FieldType::kEnum,
            "What kind of queue is created. quorum: replicated in a cluster, and safe through a crash of "
            "the broker. classic: durable, on one node.",
            "quorum");
  type.choices = {"quorum", "classic"};
  return {declare, type};
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
