#include "amqp/types.h"

#include <charconv>
#include <cmath>

namespace tidemark::amqp {
namespace {

constexpr int kPort = 5672;
constexpr int kTlsPort = 5671;
constexpr const char* kForm = "write amqp://user:password@host:5672/vhost, the vhost \"/\" as %2f";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

tl::unexpected<Error> bad(std::string what) { return fail(React::kConfig, std::move(what), kForm); }

Status take_login(Endpoint& endpoint, std::string_view login) {
  const size_t colon = login.find(':');
  auto user = decoded(login.substr(0, colon));
  auto password = colon == login.npos ? std::string() : decoded(login.substr(colon + 1));
  if (!user || !password) return bad("a wrong percent-encoding in the user or the password");
  if (user->empty()) return bad("the user is empty");
  endpoint.user = std::move(*user);
  endpoint.password = std::move(*password);
  return {};
}

Status take_address(Endpoint& endpoint, std::string_view address) {
  std::string_view host = address;
  std::string_view port;
  if (!address.empty() && address[0] == '[') {
    const size_t end = address.find(']');
    if (end == address.npos) return bad("the address lacks its ']'");
    host = address.substr(1, end - 1);
    const std::string_view rest = address.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return bad("after the ']' comes something that is no port");
    port = rest.empty() ? rest : rest.substr(1);
  } else if (const size_t colon = address.rfind(':'); colon != address.npos) {
    host = address.substr(0, colon);
    port = address.substr(colon + 1);
  }
  if (host.find_first_of(", ") != host.npos) return bad("the uri names one host, not several");
  auto name = decoded(host);
  if (!name) return bad("a wrong percent-encoding in the host");
  if (!name->empty()) endpoint.host = std::move(*name);
  if (port.empty()) return {};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || endpoint.port < 1 || endpoint.port > 65535)
    return bad("the port isn't a number from 1 to 65535");
  return {};
}

}  // namespace

std::string Endpoint::describe() const {
  return (tls ? "amqps " : "amqp ") + host + ":" + std::to_string(port) + " vhost " + vhost;
}

Result<Endpoint> parse_uri(std::string_view uri) {
  Endpoint endpoint;
  if (uri.starts_with("amqps://")) {
    endpoint.tls = true;
    uri.remove_prefix(8);
  } else if (uri.starts_with("amqp://")) {
    uri.remove_prefix(7);
  } else {
    return bad("not an AMQP URI: it begins with neither amqp:// nor amqps://");
  }
  endpoint.port = endpoint.tls ? kTlsPort : kPort;
  if (uri.find_first_of("?#") != uri.npos)
    return bad("options in the uri aren't read: there are fields for TLS, heartbeat and timeouts");
  const size_t slash = uri.find('/');
  std::string_view authority = uri.substr(0, slash);
  if (const size_t at = authority.rfind('@'); at != authority.npos) {
    TIDEMARK_TRY(take_login(endpoint, authority.substr(0, at)));
    authority.remove_prefix(at + 1);
  }
  TIDEMARK_TRY(take_address(endpoint, authority));
  if (slash == uri.npos || slash + 1 == uri.size()) return endpoint;
  const std::string_view path = uri.substr(slash + 1);
  if (path.find('/') != path.npos) return bad("the vhost has a slash in it");
  auto vhost = decoded(path);
  if (!vhost) return bad("a wrong percent-encoding in the vhost");
  endpoint.vhost = std::move(*vhost);
  return endpoint;
}

std::optional<int64_t> Delivery::number(std::string_view header) const {
  for (const Header& each : headers) {
    if (each.name != header) continue;
    if (const auto* number = std::get_if<int64_t>(&each.value)) return *number;
    const auto* real = std::get_if<double>(&each.value);
    if (real != nullptr && std::abs(*real) < 9e15 && std::trunc(*real) == *real)
      return static_cast<int64_t>(*real);
  }
  return std::nullopt;
}

const std::string* Delivery::text(std::string_view header) const {
  for (const Header& each : headers) {
    if (each.name == header) return std::get_if<std::string>(&each.value);
  }
  return nullptr;
}

}  // namespace tidemark::amqp
