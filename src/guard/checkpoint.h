// Where a long audit stands, so that it goes on after an interruption: what was found in the collections that are done, and
// how far the sums of the present one are. It is a cache of work, never of truth: what is resumed is compared and settled
// anew. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "guard/audit_report.h"

namespace tidemark::guard {

// The sums of one end of one collection, as far as they are.
struct EndSums {
  bool done = false;
  std::string last_id;
  AuditSums sums;
  uint64_t filtered = 0;
  uint64_t rejected = 0;
  std::map<std::optional<int64_t>, uint64_t> rejected_in;  // by bucket
  std::vector<AuditReject> rejects;                        // the first kFirstIdsMax
  uint64_t bytes = 0;

  uint64_t documents() const;
};

struct Checkpoint {
  std::string fingerprint;  // of everything that gives the sums their meaning
  int64_t saved_at_ms = 0;
  AuditReport report;  // of the collections that are done
  std::vector<CollectionName> done;
  std::optional<CollectionName> current;
  EndSums source;  // of `current`
  EndSums destination;

  // Canonical bytes with a magic, a version and a SHA-256 at the end.
  std::string encode() const;
  // kCorrupt for anything that encode() didn't write.
  static Result<Checkpoint> decode(std::string_view bytes);
};

class CheckpointStore {
 public:
  // `path` empty: kept in memory alone. `files` may be null then. Both outlive this.
  CheckpointStore(std::string path, FileSystem* files, Clock& clock, int64_t every_ms);

  // What is there for this fingerprint and is younger than a day. What can't be read is worth a warning and a start from
  // the beginning: nothing but time is lost.
  Result<std::optional<Checkpoint>> load(const std::string& fingerprint);
  // Saves when the last save is long enough ago.
  Status offer(Checkpoint& checkpoint);
  Status save(Checkpoint& checkpoint);
  Status forget();

 private:
  const std::string path_;
  FileSystem* const files_;
  Clock& clock_;
  const int64_t every_ms_;
  std::optional<Mono> saved_at_;
  std::optional<Checkpoint> kept_;  // without a path
};

}  // namespace tidemark::guard
