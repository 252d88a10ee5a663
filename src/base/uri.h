// Connection strings that may hold a password: how they are shown, and whether a password in one could be taken for something
// that is shown. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

// The URI with every part that may be a secret replaced by ***: what stands before the host but a plain user name, parameters
// that are passwords by their name, a web address's path. Also libpq's `host=db1 password=x`. Where it can't be told what is
// what, little more than the scheme is left.
std::string redact_uri(std::string_view uri);

// Why this URI can't be told apart into login, host and the rest without doubt; empty when it can, or when it is no URI. Other
// parsers would guess, and a part of a password would stand as a host's or a database's name in messages. The text shows
// nothing of the URI.
std::optional<std::string> uri_flaw(std::string_view uri);

// `text` with each URI in it that has a login as redact_uri() shows it: a URI may stand in any field, written there by mistake,
// and messages quote what they don't understand. Found in quotation marks ("...", '...', `...`) or as a word.
std::string without_logins(std::string_view text);

// `text` without what stands in quotation marks, '...' and "...": a library's or a server's words may quote a secret.
std::string without_quotations(std::string_view text);

}  // namespace tidemark
