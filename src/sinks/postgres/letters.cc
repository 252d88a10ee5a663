#include "sinks/postgres/letters.h"

#include <fmt/format.h>

namespace tidemark::postgres {
namespace {

constexpr std::string_view kUntranslatable = "22P05";

// By the first byte; what isn't UTF-8 is one byte of its own, which the server refuses as it does a missing character.
size_t length_of(uint8_t first) { return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4; }

char32_t code_point(std::string_view character) {
  constexpr uint8_t kFirstMask[] = {0x7F, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t code = static_cast<uint8_t>(character[0]) & kFirstMask[character.size()];
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<uint8_t>(c) & 0x3F);
  return code;
}

}  // namespace

Status Letters::of(Connection& connection, std::stop_token stop) {
  TIDEMARK_ASSIGN(const Rows rows, connection.query("SHOW server_encoding", std::move(stop)));
  std::string encoding = rows.empty() ? std::string() : rows.rows[0][0];
  if (encoding != encoding_) known_.clear();
  encoding_ = std::move(encoding);
  all_ = encoding_ == "UTF8" || encoding_ == "SQL_ASCII";
  return {};
}

Result<bool> Letters::hold(std::string_view text, Connection& connection, std::stop_token stop) {
  if (all_) return true;
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<uint8_t>(text[at]);
    if (first < 0x80) {
      ++at;
      continue;
    }
    const std::string_view character = text.substr(at, length_of(first));
    const char32_t code = code_point(character);
    auto known = known_.find(code);
    if (known == known_.end()) {
      TIDEMARK_ASSIGN(const bool held, ask(character, connection, stop));
      known = known_.emplace(code, held).first;
    }
    if (!known->second) {
      missing_ = fmt::format("U+{:04X}", static_cast<uint32_t>(code));
      return false;
    }
    at += character.size();
  }
  return true;
}

Result<bool> Letters::ask(std::string_view character, Connection& connection, std::stop_token stop) {
  const std::string params[] = {std::string(character)};
  auto answer = connection.query("SELECT $1::text", params, std::move(stop));
  if (answer) return true;
  if (answer.error().react == React::kReject || connection.sqlstate() == kUntranslatable) return false;
  return fail(std::move(answer).error());
}

}  // namespace tidemark::postgres
