#include "core/audit.h"

#include <limits>

#include "base/check.h"
#include "base/digest.h"

namespace tidemark {
namespace {

constexpr std::string_view kSeparator = "\x1f";

uint64_t big_endian(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

// The first four bytes of an ObjectId: seconds, unsigned, big-endian.
int64_t object_id_ms(const bson_oid_t& oid) {
  uint32_t seconds = 0;
  for (int i = 0; i < 4; ++i) seconds = seconds << 8 | oid.bytes[i];
  return int64_t{seconds} * 1000;
}

}  // namespace

void append_key(const bson::Element& id, std::string& out) {
  const auto value = id.value_bytes();
  out.push_back(static_cast<char>(id.type()));
  out.append(reinterpret_cast<const char*>(value.data()), value.size());
}

Result<bson::Document> document_of_key(std::string_view key) {
  if (key.empty()) return fail(React::kReject, "no value");
  constexpr std::string_view kName{"_id", 4};  // with its terminator
  const size_t size = 4 + key.size() + kName.size() + 1;
  std::string bytes;
  bytes.reserve(size);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(size >> (8 * i)));
  bytes.push_back(key.front());
  bytes.append(kName).append(key.substr(1)).push_back('\0');
  TIDEMARK_ASSIGN(const bson::View view,
                  bson::View::parse({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
  return bson::Document(view);
}

AuditSum sum_of(const AuditRow& row) {
  // A type's byte is never the separator, so that no flaw looks like a document.
  const std::string_view first = row.flaw.empty() ? std::string_view(row.key) : kSeparator;
  const std::string_view parts[] = {first, row.flaw.empty() ? std::string_view() : row.id, kSeparator,
                                    row.doc};
  const Md5 digest = md5(parts);
  return {1, big_endian(digest.data()), big_endian(digest.data() + 8)};
}

size_t leaf_of(std::string_view id) {
  const Md5 digest = md5(id);
  return static_cast<size_t>(digest[0]) << 4 | digest[1] >> 4;
}

std::optional<int64_t> bucket_of(std::optional<int64_t> time_ms, const AuditBuckets& buckets) {
  if (!time_ms) return std::nullopt;
  TIDEMARK_CHECK(buckets.width_ms > 0, "the width of a bucket is checked where it is configured");
  int64_t into = *time_ms % buckets.width_ms;
  if (into < 0) into += buckets.width_ms;
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  return *time_ms < kFirst + into ? kFirst : *time_ms - into;
}

std::optional<int64_t> time_in(bson::View document, std::string_view field) {
  const auto element = document.find_path(field);
  if (!element) return std::nullopt;
  switch (element->type()) {
    case BSON_TYPE_DATE_TIME:
      return bson_iter_date_time(&element->iter());
    case BSON_TYPE_TIMESTAMP: {
      uint32_t seconds = 0;
      uint32_t increment = 0;
      bson_iter_timestamp(&element->iter(), &seconds, &increment);
      return int64_t{seconds} * 1000;
    }
    case BSON_TYPE_OID:
      return object_id_ms(*bson_iter_oid(&element->iter()));
    default:
      return std::nullopt;
  }
}

void AuditSums::add(const AuditRow& row, const AuditBuckets& buckets) {
  const AuditSum sum = sum_of(row);
  by_bucket[bucket_of(row.time_ms, buckets)].add(sum);
  by_leaf[leaf_of(row.id)].add(sum);
}

void AuditSums::add(const AuditSums& other) {
  for (const auto& [bucket, sum] : other.by_bucket) by_bucket[bucket].add(sum);
  for (size_t leaf = 0; leaf < by_leaf.size(); ++leaf) by_leaf[leaf].add(other.by_leaf[leaf]);
}

}  // namespace tidemark
