// Reads both ends page by page, at the pace allowed, each document as its id and its sum: what an end holds is never in
// memory as a whole, nor are its documents. A page that fails is read again as a whole. One thread.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "guard/audit_expect.h"
#include "guard/audit_parts.h"
#include "guard/pace.h"

namespace tidemark::guard {

struct ScannedRow {
  AuditId id;
  AuditSum sum;
  std::optional<int64_t> time_ms;
  bool flawed = false;
};

struct ScannedPage {
  std::vector<ScannedRow> rows;  // [0, count): the rest keep their memory
  size_t count = 0;
  uint64_t filtered = 0;
  uint64_t rejected = 0;
  std::map<std::optional<int64_t>, uint64_t> rejected_at;  // by their bucket
  std::vector<AuditReject> rejects;                        // the first kFirstIdsMax
  uint64_t bytes = 0;
  AuditPage where;

  uint64_t seen() const { return count + filtered + rejected; }

  std::span<const ScannedRow> all() const { return {rows.data(), count}; }
  void clear();
  void add(const AuditRow& row);
};

class AuditScanner {
 public:
  // All outlive this.
  AuditScanner(AuditParts& parts, const AuditOptions& options, Expectation& expectation);

  // The rows that the next documents of the source call for.
  Status source_page(const CollectionName& collection, const std::string& after, ScannedPage& page,
                     std::stop_token stop);
  // The next rows of the destination.
  Status end_page(const CollectionName& collection, const std::string& after, ScannedPage& page,
                  std::stop_token stop);

  // One call of an end, with tries; for what isn't read in pages.
  template <class Act>
  auto ask_source(Act act, std::stop_token stop) {
    return with_tries(*parts_.clock, stop, act, [&] { return reopen_source(stop); });
  }
  template <class Act>
  auto ask_end(Act act, std::stop_token stop) {
    return with_tries(*parts_.clock, stop, act, [&] { return reopen_end(stop); });
  }

  Pace& source_pace() { return source_pace_; }
  Pace& end_pace() { return end_pace_; }
  uint64_t documents() const { return documents_; }

 private:
  Status reopen_source(std::stop_token stop);
  Status reopen_end(std::stop_token stop);

  AuditParts& parts_;
  const AuditOptions& options_;
  Expectation& expectation_;
  Pace source_pace_;
  Pace end_pace_;
  AuditRow row_;
  std::optional<CollectionName> steady_;  // the collection whose transforms were checked
  uint64_t documents_ = 0;
};

}  // namespace tidemark::guard
