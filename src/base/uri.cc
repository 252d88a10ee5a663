#include "base/uri.h"

#include <algorithm>
#include <array>

namespace tidemark {
namespace {

constexpr std::string_view kHidden = "***";

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_secret_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  constexpr std::array<std::string_view, 7> kParts = {
      "pass", "pwd", "secret", "token", "apikey", "signature", "mechanismproperties"};
  return std::ranges::any_of(kParts, [&](auto part) { return lower.find(part) != lower.npos; });
}

bool is_scheme(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; });
}

// scheme://login@hosts/rest, as far as it is one.
struct Parts {
  std::string_view scheme;
  std::string_view login;  // before the last @ of the authority
  bool has_login = false;
  std::string_view hosts;
  std::string_view rest;  // from the first of "/?#" on

  bool web() const { return scheme == "http" || scheme == "https"; }
  bool mongodb() const { return scheme == "mongodb" || scheme == "mongodb+srv"; }
  bool postgres() const { return scheme == "postgres" || scheme == "postgresql"; }
  bool known() const { return web() || mongodb() || postgres() || scheme == "amqp" || scheme == "amqps"; }
};

std::optional<Parts> parts_of(std::string_view uri) {
  const size_t end = uri.find("://");
  if (end == uri.npos || !is_scheme(uri.substr(0, end))) return std::nullopt;
  Parts parts;
  parts.scheme = uri.substr(0, end);
  const std::string_view behind = uri.substr(end + 3);
  const size_t rest = std::min(behind.find_first_of("/?#"), behind.size());
  parts.rest = behind.substr(rest);
  parts.hosts = behind.substr(0, rest);
  if (const size_t at = parts.hosts.rfind('@'); at != parts.hosts.npos) {
    parts.has_login = true;
    parts.login = parts.hosts.substr(0, at);
    parts.hosts.remove_prefix(at + 1);
  }
  return parts;
}

// "db1:27017", "[::1]:5432", "%2Ftmp%2Fmongodb.sock", "".
bool is_host(std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == host.npos) return false;
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!std::ranges::all_of(
            host, [](char c) { return is_hex(c) || c == ':' || c == '.' || c == '%' || is_alnum(c); }))
      return false;
  } else {
    const size_t colon = std::min(host.find(':'), host.size());
    port = host.substr(colon);
    host = host.substr(0, colon);
    if (!std::ranges::all_of(
            host, [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == '%'; }))
      return false;
  }
  if (port.empty()) return true;
  constexpr size_t kPortDigitsMax = 5;
  port.remove_prefix(1);
  return port.size() <= kPortDigitsMax && std::ranges::all_of(port, is_digit);
}

bool are_hosts(std::string_view hosts) {
  while (true) {
    const size_t comma = hosts.find(',');
    if (!is_host(hosts.substr(0, comma))) return false;
    if (comma == hosts.npos) return true;
    hosts.remove_prefix(comma + 1);
  }
}

bool is_percent_encoded(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') continue;
    if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
  }
  return true;
}

// "?a=1&password=x" with the secrets hidden; what isn't of that form is hidden whole.
std::string shown_rest(std::string_view rest) {
  const size_t query = std::min(rest.find('?'), rest.size());
  std::string out(rest.substr(0, query));
  if (query == rest.size()) return out;
  out += '?';
  rest.remove_prefix(query + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = pair.find('=');
    if (equals == pair.npos)
      out += kHidden;
    else if (is_secret_name(pair.substr(0, equals)))
      out.append(pair.substr(0, equals + 1)).append(kHidden);
    else
      out += pair;
    if (end == rest.size()) break;
    out += '&';
    rest.remove_prefix(end + 1);
  }
  return out;
}

std::string shown_login(const Parts& parts) {
  if (!parts.has_login) return {};
  // A web address's login, and one without a password, may be a token as a whole.
  const size_t colon = parts.login.find(':');
  const std::string_view user = parts.login.substr(0, colon);
  const bool plain = colon != parts.login.npos && !parts.web() && std::ranges::all_of(user, [](char c) {
                       return is_alnum(c) || c == '_' || c == '-' || c == '.';
                     });
  if (plain) return std::string(user) + ":" + std::string(kHidden) + "@";
  return std::string(kHidden) + "@";
}

// libpq's form: `name = value`, a value with blanks in single quotes. Empty when the text isn't of that form.
std::optional<std::string> shown_pairs(std::string_view text) {
  std::string out;
  size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < text.size() && is_blank(text[at])) ++at;
  };
  for (skip_blanks(); at < text.size(); skip_blanks()) {
    const size_t name_at = at;
    while (at < text.size() && (is_alnum(text[at]) || text[at] == '_')) ++at;
    const std::string_view name = text.substr(name_at, at - name_at);
    skip_blanks();
    if (name.empty() || at >= text.size() || text[at] != '=') return std::nullopt;
    ++at;
    skip_blanks();
    const size_t value_at = at;
    if (at < text.size() && text[at] == '\'') {
      for (++at; at < text.size() && text[at] != '\''; ++at) at += text[at] == '\\';
      if (at >= text.size()) return std::nullopt;
      ++at;
    } else {
      for (; at < text.size() && !is_blank(text[at]); ++at) at += text[at] == '\\';
      at = std::min(at, text.size());
    }
    if (!out.empty()) out += ' ';
    out.append(name).append("=");
    out += is_secret_name(name) ? kHidden : text.substr(value_at, at - value_at);
  }
  return out;
}

}  // namespace

std::string redact_uri(std::string_view uri) {
  if (const auto parts = parts_of(uri)) {
    std::string out = std::string(parts->scheme) + "://";
    if (!parts->known() || uri_flaw(uri)) return out + std::string(kHidden);
    out += shown_login(*parts);
    out += parts->hosts;
    // The path of a web hook is its password.
    if (parts->web())
      return parts->rest.size() > 1 ? out + "/" + std::string(kHidden) : out + std::string(parts->rest);
    return out + shown_rest(parts->rest);
  }
  if (uri.find("://") == uri.npos && uri.find('=') != uri.npos) {
    if (auto pairs = shown_pairs(uri)) return *pairs;
  }
  return std::string(kHidden);
}

std::optional<std::string> uri_flaw(std::string_view uri) {
  const auto parts = parts_of(uri);
  if (!parts || !parts->known()) return std::nullopt;
  if (parts->rest.find('@') != parts->rest.npos)
    return "holds an @ behind a /, ? or #, so that a password can't be told from a host's name";
  // The drivers take the first of each for the end; RabbitMQ's URIs are read here, from the last @.
  if ((parts->mongodb() || parts->postgres()) && parts->login.find('@') != parts->login.npos)
    return "holds more than one @ before the host";
  if (parts->mongodb() && std::ranges::count(parts->login, ':') > 1)
    return "holds more than one : before the host's @";
  if (!is_percent_encoded(parts->login))
    return "holds a % before the host that isn't followed by two hexadecimal digits";
  if (!are_hosts(parts->hosts)) return "holds no host where one belongs, or a port that is no number";
  return std::nullopt;
}

std::string without_quotations(std::string_view text) {
  std::string out;
  while (true) {
    const size_t begin = text.find_first_of("'\"");
    if (begin == text.npos) return out.append(text);
    const char mark = text[begin];
    const size_t end = text.find(mark, begin + 1);
    out.append(text.substr(0, begin)).append(1, mark);
    // One that has no end may begin anything.
    if (end == text.npos) return out.append("...");
    const std::string_view quoted = text.substr(begin + 1, end - begin - 1);
    out.append(quoted.size() == 1 ? quoted : "...").append(1, mark);
    text.remove_prefix(end + 1);
  }
}

std::string without_logins(std::string_view text) {
  const auto has_login = [](std::string_view part) {
    const size_t scheme = part.find("://");
    return scheme != part.npos && part.find('@', scheme) != part.npos;
  };
  std::string out;
  while (has_login(text)) {
    constexpr std::string_view kMarks = "\"'`";
    // Within a word it is an apostrophe.
    const bool quoted = kMarks.find(text.front()) != kMarks.npos && (out.empty() || !is_alnum(out.back()));
    size_t end = quoted ? text.find(text.front(), 1) : text.find_first_of(" \t\n\"'`");
    if (end == 0) end = 1;  // a blank, an apostrophe
    const size_t begin = quoted ? 1 : 0;
    const std::string_view part = text.substr(begin, std::min(end, text.size()) - begin);
    if (quoted && !has_login(part)) {
      // Something harmless: what is in it is looked at like the rest.
      out.append(1, text.front());
      text.remove_prefix(1);
      continue;
    }
    out.append(text.substr(0, begin)).append(has_login(part) ? redact_uri(part) : std::string(part));
    text.remove_prefix(std::min(end, text.size()));
    if (quoted && !text.empty()) {
      out.append(1, text.front());
      text.remove_prefix(1);
    }
  }
  return out.append(text);
}

}  // namespace tidemark
