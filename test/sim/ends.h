// What a destination truly holds, whoever asked for it: the rows of the sink, the dead letters, and for a transactional sink
// the position beside its rows. It outlives every process. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/server.h"
#include "sim/verdict.h"

namespace tidemark::sim {

class Ends {
 public:
  Ends(const Server& server, Verdict& verdict) : server_(server), verdict_(verdict) {}

  // --- the rows, each guarded by its event's id: a repetition changes nothing
  void apply(Index index);
  bool is_applied(Index index) const { return has(index, kApplied); }

  // --- dead letters
  void keep_letter(Index index) { set(index, kLettered); }
  void put_back(Index index) { set(index, kPutBack); }
  bool is_set_aside(Index index) const { return has(index, kLettered) || has(index, kPutBack); }
  // An operator accepted that the entry is lost.
  void excuse(Index index) { set(index, kExcused); }

  // Durable somewhere, or nothing that has to be.
  bool is_safe(Index index) const {
    return !server_.at(index).is_event() || (index < flags_.size() && flags_[index] != 0);
  }
  // Every entry up to it is safe.
  Index safe_prefix();

  // --- a transactional sink's own position, and who may move it
  Index stored = 0;
  uint64_t epoch = 0;

 private:
  enum Flag : uint8_t { kApplied = 1, kLettered = 2, kPutBack = 4, kExcused = 8 };
  bool has(Index index, Flag flag) const { return index < flags_.size() && (flags_[index] & flag) != 0; }
  void set(Index index, Flag flag) {
    if (flags_.size() <= index) flags_.resize(index + 1);
    flags_[index] |= flag;
  }

  const Server& server_;
  Verdict& verdict_;
  std::vector<uint8_t> flags_;
  std::vector<Index> newest_of_key_;
  Index newest_applied_ = 0;
  Index newest_barrier_ = 0;
  Index safe_prefix_ = 0;
};

}  // namespace tidemark::sim
