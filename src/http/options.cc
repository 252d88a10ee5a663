#include "http/options.h"

#include <algorithm>
#include <memory>

#include <boost/asio/ip/address.hpp>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "config/fields.h"

namespace tidemark::http {
namespace {

using config::FieldSpec;
using namespace config::fields;

constexpr uint64_t kPemBytesMax = 1 << 20;
constexpr size_t kListMax = 16;

void add_doors(std::vector<FieldSpec>& fields) {
  fields.insert(
      fields.end(),
      {
          text("listen", "127.0.0.1:8321",
               "Address and port. Anything but this machine's own (127.0.0.0/8, ::1, localhost) demands "
               "`token`, and TLS or `insecure = true`. Port 0 takes a free one."),
          secret(with_example(text("token",
                                   "The bearer token that everything but /healthz and the page's own files "
                                   "asks for. Without one nobody is asked."),
                              "\"${TIDEMARK_TOKEN}\"")),
          flag("insecure", false,
               "Listen beyond this machine without TLS: token and events then cross the network in clear."),
          text("tls_certificate", "A PEM file: the server's certificate, then those that lead to its root."),
          text("tls_key", "A PEM file: the key of tls_certificate, not encrypted."),
          list("allowed_origins",
               "Origins whose pages may open the WebSocket and post, beside the server's own: needed behind "
               "a proxy that gives the page another name. \"https://tidemark.example\"."),
          flag("metrics_open", false, "Whether /metrics and /readyz need no token."),
          list("peers",
               "Other Tidemark servers whose pipelines are shown among this one's: "
               "\"http://127.0.0.1:8322\"."),
          secret(with_example(text("peer_token", "The token sent to every peer."), "\"${PEER_TOKEN}\"")),
      });
}

void add_limits(std::vector<FieldSpec>& fields) {
  constexpr int64_t kHour = 3'600'000;
  fields.insert(
      fields.end(),
      {
          bytes("body_bytes_max", "4MiB", 1024, 256 << 20,
                "The largest body a request may have; above it 413."),
          bytes("bodies_bytes_max", "256MiB", 1 << 20, int64_t{16} << 30,
                "What the bodies of all requests being read may take together; above it 503."),
          bytes("header_bytes_max", "16KiB", 1024, 1 << 20, "The largest request head; above it 431."),
          duration("header_timeout", "10s", 10, kHour,
                   "In which a request's head, or a TLS handshake, must be complete."),
          duration("body_timeout", "30s", 10, kHour,
                   "In which a request's body must be complete, or an answer taken."),
          duration("idle_timeout", "60s", 10, kHour, "How long a connection is kept without a request."),
          duration("request_timeout", "15s", 10, kHour,
                   "How long posted events may wait to become durable; after it 503 is answered."),
          duration("ws_stall_timeout", "60s", 100, kHour,
                   "How long a WebSocket client may take none of what waits for it before it is cut off. Its "
                   "backlog is bounded all the while; it is told what it missed."),
          number("connections_max", "1024", 1, 100'000, "Connections at a time; above it 503."),
          number("websockets_max", "256", 1, 100'000, "WebSocket clients at a time; above it 503."),
      });
}

config::ComponentSpec make_spec() {
  config::ComponentSpec spec;
  spec.kind = "server";
  spec.summary =
      "The HTTP server: the page, the API, the doors of `http` sources, the live feed, the metrics. It "
      "listens on this machine alone unless told otherwise.";
  add_doors(spec.fields);
  add_limits(spec.fields);
  return spec;
}

bool is_token(const std::string& token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Status read_listen(const config::Settings& settings, ServerOptions& options) {
  const auto parsed = parse_authority(settings.string("listen"));
  boost::system::error_code error;
  if (parsed && parsed->first != "localhost")
    static_cast<void>(boost::asio::ip::make_address(parsed->first, error));
  if (!parsed || error)
    return fail(settings.error("listen", "is no address and port",
                               "write 127.0.0.1:8321, 0.0.0.0:8321 or [::1]:8321"));
  options.host = parsed->first;
  options.port = parsed->second;
  return {};
}

Result<std::string> read_pem(const config::Settings& settings, const char* name, FileSystem& files) {
  auto content = files.read_file(settings.string(name), kPemBytesMax);
  if (!content) return fail(settings.error(name, content.error().what, content.error().hint));
  return std::move(*content);
}

// Asks for no pass phrase at a terminal: an encrypted key is an error.
int no_pass_phrase(char*, int, int, void*) { return -1; }

Status check_pair(const config::Settings& settings, const ServerOptions& options) {
  const auto bio = [](const std::string& pem) {
    return std::unique_ptr<BIO, int (*)(BIO*)>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                               BIO_free);
  };
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_bio_X509(bio(options.tls_pair.certificate_pem).get(), nullptr, no_pass_phrase, nullptr),
      X509_free);
  if (certificate == nullptr)
    return fail(settings.error("tls_certificate", "the file holds no certificate", "PEM is asked for"));
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(bio(options.tls_pair.key_pem).get(), nullptr, no_pass_phrase, nullptr),
      EVP_PKEY_free);
  if (key == nullptr)
    return fail(settings.error("tls_key",
                               "the file holds no private key that can be read without a pass phrase",
                               "PEM is asked for"));
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    return fail(settings.error("tls_key", "is not the key of tls_certificate"));
  return {};
}

Status read_tls(const config::Settings& settings, FileSystem& files, ServerOptions& options) {
  const bool certificate = !settings.string("tls_certificate").empty();
  const bool key = !settings.string("tls_key").empty();
  if (certificate != key)
    return fail(settings.error(certificate ? "tls_key" : "tls_certificate", "is missing",
                               "a certificate needs its key, and a key its certificate"));
  if (!certificate) return {};
  options.reread_tls = [settings, &files]() -> Result<TlsPair> {
    TlsPair pair;
    TIDEMARK_ASSIGN(pair.certificate_pem, read_pem(settings, "tls_certificate", files));
    TIDEMARK_ASSIGN(pair.key_pem, read_pem(settings, "tls_key", files));
    return pair;
  };
  TIDEMARK_ASSIGN(options.tls_pair, options.reread_tls());
  return check_pair(settings, options);
}

Status check_exposure(const config::Settings& settings, const ServerOptions& options) {
  if (!options.token.empty() && !is_token(options.token))
    return fail(settings.error("token", "holds a character that a header can't carry (it isn't shown)",
                               "printable ASCII without spaces"));
  if (!options.peer_token.empty() && !is_token(options.peer_token))
    return fail(settings.error("peer_token", "holds a character that a header can't carry (it isn't shown)",
                               "printable ASCII without spaces"));
  if (is_loopback(options.host)) return {};
  if (options.token.empty())
    return fail(settings.error("token", "is missing: " + options.host + " can be reached from other machines",
                               "set a token, or listen on 127.0.0.1"));
  if (!options.tls() && !options.insecure)
    return fail(
        settings.error("listen", options.host + " can be reached from other machines, and there is no TLS",
                       "set tls_certificate and tls_key, or insecure = true behind a proxy that has TLS"));
  return {};
}

Status read_lists(const config::Settings& settings, ServerOptions& options) {
  options.allowed_origins = settings.list("allowed_origins");
  for (const std::string& origin : options.allowed_origins) {
    if (!parse_url(origin) || origin.ends_with('/'))
      return fail(settings.error("allowed_origins", "\"" + origin + "\" is no origin",
                                 "scheme, host and port alone: https://tidemark.example"));
  }
  if (settings.list("peers").size() > kListMax)
    return fail(settings.error("peers", "there are more than " + std::to_string(kListMax)));
  for (const std::string& peer : settings.list("peers")) {
    auto url = parse_url(peer);
    if (!url)
      return fail(
          settings.error("peers", "\"" + peer + "\" is no address of a server", "http://127.0.0.1:8322"));
    options.peers.push_back(std::move(*url));
  }
  return {};
}

}  // namespace

const config::ComponentSpec& server_spec() {
  static const config::ComponentSpec spec = make_spec();
  return spec;
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return !error && address.is_loopback();
}

Result<ServerOptions> server_options(const config::Settings& settings, FileSystem& files) {
  ServerOptions options;
  TIDEMARK_TRY(read_listen(settings, options));
  options.token = settings.string("token");
  options.peer_token = settings.string("peer_token");
  options.insecure = settings.boolean("insecure");
  options.metrics_open = settings.boolean("metrics_open");
  TIDEMARK_TRY(read_tls(settings, files, options));
  TIDEMARK_TRY(check_exposure(settings, options));
  TIDEMARK_TRY(read_lists(settings, options));
  options.body_bytes_max = static_cast<uint64_t>(settings.bytes("body_bytes_max"));
  options.bodies_bytes_max = static_cast<uint64_t>(settings.bytes("bodies_bytes_max"));
  if (options.bodies_bytes_max < options.body_bytes_max)
    return fail(settings.error("bodies_bytes_max", "is smaller than body_bytes_max"));
  options.header_bytes_max = static_cast<uint64_t>(settings.bytes("header_bytes_max"));
  options.header_timeout = settings.duration("header_timeout");
  options.body_timeout = settings.duration("body_timeout");
  options.idle_timeout = settings.duration("idle_timeout");
  options.request_timeout = settings.duration("request_timeout");
  options.ws_stall_timeout = settings.duration("ws_stall_timeout");
  options.connections_max = static_cast<uint64_t>(settings.integer("connections_max"));
  options.websockets_max = static_cast<uint64_t>(settings.integer("websockets_max"));
  return options;
}

}  // namespace tidemark::http
