// Positions: where a stream resumes. Three types keep three facts apart:
//   Position         a place in a stream, opaque; anybody may hold one;
//   DurablePosition  a Position up to which every event is durable at the sink; only Watermark makes one;
//   StoredPosition   what a PositionStore keeps and gives back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark {

// An opaque resume point. Equality only: the server alone knows the order. `token` is the source's own form
// (a change stream's resume token as the BSON document {_data: ...}).
class Position {
 public:
  Position() = default;
  explicit Position(bson::View token, bson::Timestamp cluster_time = {})
      : token_(reinterpret_cast<const char*>(token.data()), token.size()), cluster_time_(cluster_time) {}

  bool empty() const { return token_.empty(); }
  bson::View token() const {
    if (token_.empty()) return {};
    return bson::View::unchecked(reinterpret_cast<const uint8_t*>(token_.data()),
                                 static_cast<uint32_t>(token_.size()));
  }
  // For display and alerts only: the cluster time of the position; zero where the source has none.
  bson::Timestamp cluster_time() const { return cluster_time_; }

  friend bool operator==(const Position& a, const Position& b) { return a.token_ == b.token_; }

 private:
  std::string token_;  // small tokens are not worth an allocation of their own kind; a batch has one
  bson::Timestamp cluster_time_;
};

// A position that may be saved: every event up to it is durable. Made by Watermark (and by the operator's
// explicit `tidemark position init|set`, through operator_position()).
class DurablePosition {
 public:
  const Position& get() const { return position_; }

 private:
  friend class Watermark;
  friend DurablePosition operator_position(Position position);
  explicit DurablePosition(Position position) : position_(std::move(position)) {}
  Position position_;
};

// The operator's decision that a pipeline starts here. Called by src/cli/position.cc alone (tools/tidy
// checks).
DurablePosition operator_position(Position position);

struct StoredPosition {
  Position position;
  int64_t saved_at_ms = 0;  // civil time of the save
  std::string fingerprint;  // of the source's namespace, filter and options: a token is good for these alone
  std::string deployment;   // its identity (core/deployment.h): a token of another one may silently "work"
  uint64_t epoch = 0;  // the owner's, for fencing: a save with an older epoch than the stored one is refused

  // Canonical bytes with a magic, a version and a SHA-256 at the end, for stores that keep one blob.
  std::string encode() const;
  // kCorrupt for anything that encode() didn't write.
  static Result<StoredPosition> decode(std::string_view bytes);
};

// The time inside a change stream token's `_data` (first byte 0x82, then seconds and increment, big-endian;
// the manual calls tokens opaque, so this serves display and alerts alone). Zero for any other form.
bson::Timestamp token_time(bson::View token);
// The hex string `_data`; empty when the token has none.
std::string_view token_data(bson::View token);

}  // namespace tidemark
