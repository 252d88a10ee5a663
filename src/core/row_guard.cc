#include "core/row_guard.h"

#include <cstdint>

#include "core/row_identity.h"

namespace tidemark {
namespace {

constexpr size_t kTimeBytes = 9;   // the type byte 82, seconds, increment
constexpr char kRereadMark = 'R';  // what sources/mongodb/reread.cc puts behind a rename's token
constexpr char kReread = '\xff';   // greater than any byte that a token goes on with

// Type bytes of KeyStrings, in which tokens are written.
constexpr uint8_t kZero = 0x29;
constexpr uint8_t kPositive1Byte = 0x2b;
constexpr uint8_t kPositive8Byte = 0x32;
constexpr uint8_t kFalse = 0x6e, kTrue = 0x6f;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;  // a server writes capitals, and these alone are in the order of their values
}

// Appends the bytes of `hex`; false, with `out` as it was, where it isn't hexadecimal.
bool append_bytes(std::string_view hex, std::string& out) {
  if (hex.size() % 2 != 0) return false;
  const size_t begin = out.size();
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) {
      out.resize(begin);
      return false;
    }
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return true;
}

// How many bytes the whole number at the front takes, which is none that is below zero; 0 for anything else.
size_t number_size(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto type = static_cast<uint8_t>(bytes.front());
  if (type == kZero) return 1;
  if (type < kPositive1Byte || type > kPositive8Byte) return 0;
  const size_t size = size_t{2} + type - kPositive1Byte;
  return size <= bytes.size() ? size : 0;
}

// The size of a token's front, up to and including whether it is an invalidate's; all of it for a version that isn't known.
size_t front_size(std::string_view token) {
  if (token.size() < kTimeBytes + 2) return token.size();
  const std::string_view version = token.substr(kTimeBytes, 2);
  if (version != "\x2b\x02" && version != "\x2b\x04") return token.size();
  size_t at = kTimeBytes + version.size();
  for (int i = 0; i < 2; ++i) {  // the kind of token, the index in the transaction
    const size_t size = number_size(token.substr(at));
    if (size == 0) return token.size();
    at += size;
  }
  if (at == token.size()) return at;
  const auto flag = static_cast<uint8_t>(token[at]);
  return flag == kFalse || flag == kTrue ? at + 1 : token.size();
}

}  // namespace

void append_guard(GuardForm form, std::string_view event_id, std::string& out) {
  const size_t begin = out.size();
  // A made-up id is the rename's token, the mark, and a hash: all documents that were read behind one rename have one place.
  const size_t mark = event_id.find(kRereadMark);
  const std::string_view token = event_id.substr(0, mark);
  if (form == GuardForm::kText || !event_id.starts_with("82") || token.size() < 2 * kTimeBytes ||
      !append_bytes(token, out)) {
    out.append(event_id);
    return;
  }
  out.resize(begin + front_size(std::string_view(out).substr(begin)));
  if (mark != std::string_view::npos) out.push_back(kReread);
}

void append_row_guard(GuardForm form, const Event& event, std::string& out) {
  if (form == GuardForm::kText) return append_row_token(event, out);
  append_guard(form, event.id, out);
  if (!has_shard_key(event.key) || matches_shard_key(event.key, event.after)) return;
  // Sorts before whatever a token goes on with; and no text of JSON holds it.
  out.push_back('\0');
  append_shard_key(event.key, out);
}

std::string_view shard_key_of_guard(GuardForm form, std::string_view guard) {
  if (form == GuardForm::kText) return shard_key_of_token(guard);
  // No other guard ends like this but one of time alone, by chance.
  if (guard.size() <= kTimeBytes || guard.back() != '}') return {};
  const size_t zero = guard.rfind('\0');
  return zero == std::string_view::npos || zero < kTimeBytes ? std::string_view() : guard.substr(zero + 1);
}

}  // namespace tidemark
