#include "sinks/sql/position_row.h"

#include <algorithm>

#include "base/digest.h"
#include "bson/json.h"
#include "bson/json_reader.h"

namespace tidemark::sql {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;

bson::Document token_of(std::string_view data) { return bson::Builder().append("_data", data).finish(); }

// The short form only where it reads back as the same bytes.
std::string token_text(bson::View token) {
  const std::string_view data = token_data(token);
  if (!data.empty() && data.front() != '{' && token_of(data).view() == token) return std::string(data);
  return bson::to_json(token);
}

}  // namespace

void PositionRow::put(const Position& position, const PositionContext& context, int64_t now_ms) {
  const bson::Timestamp time = position.cluster_time();
  token = position.empty() ? std::string() : token_text(position.token());
  cluster_time_us =
      int64_t{time.seconds} * kMicrosPerSecond + std::min<int64_t>(time.increment, kMicrosPerSecond - 1);
  saved_at_ms = now_ms;
  fingerprint = context.fingerprint;
  deployment = context.deployment;
  seal();
}

void PositionRow::erase() {
  token.clear();
  cluster_time_us = 0;
  saved_at_ms = 0;
  fingerprint.clear();
  deployment.clear();
  seal();
}

std::string PositionRow::expected_checksum() const {
  std::string all;
  for (const std::string& part :
       {pipeline, token, std::to_string(cluster_time_us), std::to_string(saved_at_ms), fingerprint,
        deployment, std::to_string(epoch)}) {
    all += std::to_string(part.size());
    all += ':';
    all += part;
  }
  return to_hex(sha256(all));
}

std::string PositionRow::cluster_time_text() const {
  std::string text;
  bson::append_rfc3339(cluster_time_us / kMicrosPerSecond * 1000, text);
  const std::string fraction = std::to_string(cluster_time_us % kMicrosPerSecond);
  text.insert(text.size() - 1, "." + std::string(6 - fraction.size(), '0') + fraction);
  return text;
}

std::string PositionRow::saved_at_text() const {
  std::string text;
  bson::append_rfc3339(saved_at_ms, text);
  return text;
}

Result<std::optional<StoredPosition>> PositionRow::stored(const std::string& where) const {
  const std::string hint =
      "restore it from a copy, or choose a new one with `tidemark position reset` and `position init`";
  if (checksum != expected_checksum())
    return fail(React::kCorrupt,
                where + ": the stored position of '" + pipeline + "' doesn't match its checksum", hint);
  if (token.empty()) return std::nullopt;
  bson::Document document;
  if (token.front() == '{') {
    auto parsed = bson::read_json(token);
    if (!parsed)
      return fail(React::kCorrupt,
                  where + ": the token of '" + pipeline + "' can't be read: " + parsed.error().what, hint);
    document = *parsed;
  } else {
    document = token_of(token);
  }
  StoredPosition stored;
  const bson::Timestamp time{static_cast<uint32_t>(cluster_time_us / kMicrosPerSecond),
                             static_cast<uint32_t>(cluster_time_us % kMicrosPerSecond)};
  stored.position = Position(document, time);
  stored.saved_at_ms = saved_at_ms;
  stored.fingerprint = fingerprint;
  stored.deployment = deployment;
  stored.epoch = epoch;
  return stored;
}

Error taken_over(const std::string& where, const std::string& pipeline) {
  return {React::kFenced, where + ": another instance has taken over pipeline '" + pipeline + "'",
          "let one instance run; this one has written nothing more"};
}

Error position_gone(const std::string& where, const std::string& pipeline, const std::string& how,
                    std::string hint) {
  return {React::kConfig,
          where + ": the position of pipeline '" + pipeline + "' is gone while the pipeline runs: " + how,
          std::move(hint)};
}

}  // namespace tidemark::sql
