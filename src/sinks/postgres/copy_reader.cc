#include "sinks/postgres/copy_reader.h"

#include <cstdint>

namespace tidemark::postgres {
namespace {

constexpr std::string_view kSignature("PGCOPY\n\xff\r\n\0", 11);
constexpr size_t kHeaderBytes = kSignature.size() + 8;  // and its flags, and the size of what follows

uint32_t number(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

tl::unexpected<Error> unreadable(const char* what) {
  return fail(React::kFatal, std::string("postgres: a copy that can't be read: ") + what);
}

}  // namespace

Result<size_t> CopyReader::header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return 0;
  if (!bytes.starts_with(kSignature)) return unreadable("it doesn't begin as one");
  const size_t size = kHeaderBytes + number(bytes, kHeaderBytes - 4, 4);
  if (bytes.size() < size) return 0;
  begun_ = true;
  return size;
}

Result<size_t> CopyReader::row(std::string_view bytes, const Visit& visit) {
  if (bytes.size() < 2) return 0;
  const uint32_t count = number(bytes, 0, 2);
  if (count == UINT16_MAX) {
    done_ = true;
    return 2;
  }
  columns_.clear();
  size_t at = 2;
  for (uint32_t i = 0; i < count; ++i) {
    if (bytes.size() - at < 4) return 0;
    const uint32_t size = number(bytes, at, 4);
    at += 4;
    if (size == UINT32_MAX) {
      columns_.emplace_back();
      continue;
    }
    if (size > INT32_MAX) return unreadable("a size below zero");
    if (bytes.size() - at < size) return 0;
    columns_.push_back(bytes.substr(at, size));
    at += size;
  }
  TIDEMARK_TRY(visit(columns_));
  return at;
}

Status CopyReader::take(std::string_view piece, const Visit& visit) {
  // A server sends a row in a piece of its own, so that there is hardly ever a rest.
  std::string joined;
  if (!rest_.empty()) {
    joined.swap(rest_);
    joined.append(piece);
    piece = joined;
  }
  while (!piece.empty()) {
    if (done_) return unreadable("there is something behind its end");
    TIDEMARK_ASSIGN(const size_t used, begun_ ? row(piece, visit) : header(piece));
    if (used == 0) break;
    piece.remove_prefix(used);
  }
  rest_ = piece;
  return {};
}

}  // namespace tidemark::postgres
