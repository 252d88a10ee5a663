// Which ids the index of a table's primary key can hold: PostgreSQL packs a long text before it measures it, so that only the
// server knows. It is asked with a temporary table of its own, which a session that may only read can have. One thread.
#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"
#include "sinks/postgres/connection.h"

namespace tidemark::postgres {

class IndexLimit {
 public:
  // A text of fewer bytes fits, packed or not: a third of a page, less what the entry itself takes.
  static constexpr size_t kNeverTooLong = 2'600;

  // kReject for a text that no row can have as its key. Where this user may make no temporary tables nobody can tell, and it
  // passes. REQUIRES a session outside of a transaction.
  Status check(const std::string& id, Connection& connection, std::stop_token stop);
  // Of another session, whose temporary table is none of the one before.
  void forget() { state_ = State::kUnknown; }

 private:
  enum class State { kUnknown, kReady, kRefused };
  Status prepare(Connection& connection, std::stop_token stop);

  State state_ = State::kUnknown;
};

}  // namespace tidemark::postgres
