// A stored position as one row of a table: what the SQL stores share. Pure; any thread.
//
// The row outlives the position in it: `position reset` empties the token and keeps the epoch, so that an
// owner of before the reset stays fenced. The checksum covers every column that a resume depends on; a row
// that was edited by hand or damaged is refused, never taken for "none".
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "core/position.h"
#include "core/position_store.h"

namespace tidemark::sql {

struct PositionRow {
  std::string pipeline;
  // The hex string of a change stream token {_data: "82.."}, comparable with the rows' own tokens; any other
  // token as canonical Extended JSON. Empty: no position.
  std::string token;
  // Microseconds since 1970; the fraction of the second is the ordinal of the timestamp, up to 999999.
  int64_t cluster_time_us = 0;
  int64_t saved_at_ms = 0;
  std::string fingerprint;
  std::string deployment;
  uint64_t epoch = 0;
  std::string checksum;

  // Fills everything from the token to the deployment, then the checksum.
  void put(const Position& position, const PositionContext& context, int64_t now_ms);
  void erase();
  // After any change of a field.
  void seal() { checksum = expected_checksum(); }
  std::string expected_checksum() const;

  // RFC 3339 in UTC: "2024-05-01T12:00:00.000007Z" and "2024-05-01T12:00:00.123Z".
  std::string cluster_time_text() const;
  std::string saved_at_text() const;

  // kCorrupt when the checksum doesn't fit or the token can't be read. `where` begins the message.
  Result<std::optional<StoredPosition>> stored(const std::string& where) const;
};

// What an owner of the row is told when it isn't the last one any more; kFenced. `where` begins the message.
Error taken_over(const std::string& where, const std::string& pipeline);
// When the row, or its table, is no longer there though it was: kConfig, since a start from nowhere is nobody's wish. `how`
// says what became of it, `hint` what to do.
Error position_gone(const std::string& where, const std::string& pipeline, const std::string& how,
                    std::string hint);

}  // namespace tidemark::sql
