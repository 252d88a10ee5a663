#include "sandbox/wire/check_bson.h"

#include <cstring>
#include <string>
#include <string_view>

#include <bson/bson.h>

namespace tidemark::sandbox::wire {
namespace {

constexpr int kDepthMax = 200;

class Checker {
 public:
  explicit Checker(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  Status document(size_t begin, size_t end, int depth) {
    if (depth > kDepthMax) return refuse("BSONObj exceeds maximum nested object depth: 200");
    if (end - begin < 5 || length_at(begin) != end - begin)
      return refuse("bson length doesn't match what we found");
    at_ = begin + 4;
    while (at_ < end) {
      const uint8_t type = bytes_[at_++];
      if (type == 0) return at_ == end ? Status() : refuse("bson length doesn't match what we found");
      TIDEMARK_TRY(cstring(end, &field_));
      TIDEMARK_TRY(value(type, end, depth));
    }
    return refuse("no end of object");
  }

 private:
  Status value(uint8_t type, size_t end, int depth) {
    switch (type) {
      case BSON_TYPE_MINKEY:
      case BSON_TYPE_MAXKEY:
      case BSON_TYPE_NULL:
      case BSON_TYPE_UNDEFINED:
        return {};
      case BSON_TYPE_BOOL:
        if (at_ >= end || bytes_[at_] > 1) return refuse("invalid boolean value");
        at_++;
        return {};
      case BSON_TYPE_INT32:
        return skip(4, end);
      case BSON_TYPE_DOUBLE:
      case BSON_TYPE_INT64:
      case BSON_TYPE_DATE_TIME:
      case BSON_TYPE_TIMESTAMP:
        return skip(8, end);
      case BSON_TYPE_OID:
        return skip(12, end);
      case BSON_TYPE_DECIMAL128:
        return skip(16, end);
      case BSON_TYPE_UTF8:
      case BSON_TYPE_CODE:
      case BSON_TYPE_SYMBOL:
        return text(end);
      case BSON_TYPE_DBPOINTER:
        TIDEMARK_TRY(text(end));
        return skip(12, end);
      case BSON_TYPE_REGEX:
        TIDEMARK_TRY(cstring(end, nullptr));
        return cstring(end, nullptr);
      case BSON_TYPE_BINARY:
        return binary(end);
      case BSON_TYPE_DOCUMENT:
      case BSON_TYPE_ARRAY:
        return nested(end, depth);
      case BSON_TYPE_CODEWSCOPE:
        return code_with_scope(end, depth);
      default:
        return refuse("unrecognized BSON type " + std::to_string(type));
    }
  }

  Status nested(size_t end, int depth) {
    if (end - at_ < 5 || length_at(at_) > end - at_) return refuse("invalid bson");
    return document(at_, at_ + length_at(at_), depth + 1);
  }

  Status code_with_scope(size_t end, int depth) {
    if (end - at_ < 14 || length_at(at_) < 14 || length_at(at_) > end - at_) return refuse("invalid bson");
    const size_t stop = at_ + length_at(at_);
    at_ += 4;
    TIDEMARK_TRY(text(stop));
    TIDEMARK_TRY(nested(stop, depth));
    return at_ == stop ? Status() : refuse("bson length doesn't match what we found");
  }

  Status text(size_t end) {
    if (end - at_ < 5) return refuse("invalid bson");
    const size_t size = length_at(at_);
    if (size < 1 || size > end - at_ - 4) return refuse("invalid bson");
    at_ += 4 + size;
    return bytes_[at_ - 1] == 0 ? Status() : refuse("Not null terminated string");
  }

  Status binary(size_t end) {
    if (end - at_ < 5) return refuse("invalid bson");
    const size_t size = length_at(at_);
    at_ += 4;
    return skip(1 + size, end);
  }

  Status cstring(size_t end, std::string_view* out) {
    const void* nul = at_ < end ? std::memchr(&bytes_[at_], 0, end - at_) : nullptr;
    if (nul == nullptr) return refuse("no end of c-string");
    const char* begin = reinterpret_cast<const char*>(&bytes_[at_]);
    const auto size = static_cast<size_t>(static_cast<const char*>(nul) - begin);
    if (out != nullptr) *out = {begin, size};
    at_ += size + 1;
    return {};
  }

  Status skip(size_t size, size_t end) {
    if (size > end - at_) return refuse("invalid bson");
    at_ += size;
    return {};
  }

  // REQUIRES four bytes from `at` on. Lengths below zero come out beyond every end.
  size_t length_at(size_t at) const {
    return uint32_t{bytes_[at]} | uint32_t{bytes_[at + 1]} << 8 | uint32_t{bytes_[at + 2]} << 16 |
           uint32_t{bytes_[at + 3]} << 24;
  }

  tl::unexpected<Error> refuse(const std::string& why) const {
    const std::string where =
        field_.empty() ? std::string() : " in element with field name '" + std::string(field_) + "'";
    return fail(React::kReject, why + where + " in object with unknown _id", "", kInvalidBson);
  }

  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  std::string_view field_;
};

}  // namespace

Status check_bson(std::span<const uint8_t> bytes) { return Checker(bytes).document(0, bytes.size(), 0); }

}  // namespace tidemark::sandbox::wire
