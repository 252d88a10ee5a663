// Decides which documents that seemed to differ really do, while the pipeline runs and however far it lags.
//
// One look at a set of ids, in this order:
//   P  the stored position                everything up to it is at the destination
//   D  the destination's rows             read after P, hence not behind it
//   M  the source's documents, and O      a cluster time not before any state that was read
//   C  the changes between P and O        read with a stream of the pipeline's own settings, opened at P
// A document without a change in C was the same from P to O: its row is what it was at P, and must be that of M. If it isn't,
// no change on its way to the destination will mend it. Nothing waits for the pipeline, and nothing of it is trusted but P,
// which is its promise. A difference counts once it was seen so in two looks in a row. One thread.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "guard/audit_expect.h"
#include "guard/audit_parts.h"
#include "guard/audit_scan.h"
#include "guard/changes.h"

namespace tidemark::guard {

// One id in one look.
struct Sight {
  std::optional<AuditSum> source;       // of the row that the document calls for
  std::optional<AuditSum> destination;  // of the row that is there
  std::optional<int64_t> source_time_ms;
  std::optional<int64_t> destination_time_ms;
  uint32_t documents = 0;  // of this id that call for a row, or are refused
  bool flawed = false;     // the row that is there reads back to no document of this id
  bool filtered = false;   // at the source, and dropped by the transforms
  bool rejected = false;   // at the source, and refused by a transform or the destination
  bool pending = false;    // changed after the position: nothing can be said

  std::optional<DifferenceKind> difference() const;
  // At neither end: deleted since it was read, or never to be found.
  bool nowhere() const { return documents == 0 && !filtered && !destination; }
};

struct Findings {
  std::vector<Sight> sights;  // one for each id, in their order
  bson::Timestamp as_of;      // O
};

struct Settled {
  struct Found {
    AuditId id;
    DifferenceKind kind;
    std::optional<int64_t> time_ms;  // of the document; of the row when that is extra
  };
  std::vector<Found> confirmed;  // in the order of the ids
  // Changed each time: what they seemed to be when last looked at.
  std::array<uint64_t, kDifferenceKinds> unsettled = {};
  uint64_t left_over = 0;  // rows of documents that the transforms drop now
  uint64_t gone = 0;       // at neither end, in two looks
};

class Settling {
 public:
  // All outlive this.
  Settling(AuditParts& parts, const AuditOptions& options, Expectation& expectation, AuditScanner& scanner,
           Changes& changes)
      : parts_(parts), options_(options), expectation_(expectation), scanner_(scanner), changes_(changes) {}

  // `ids` sorted, each once. `keep` is called with the source's documents as they are found, and again from the start when
  // reading them had to be tried again.
  using Keep = std::function<void(size_t index, bson::View document)>;
  Result<Findings> look(const CollectionName& collection, std::span<const AuditId> ids, const Keep& keep,
                        std::stop_token stop);

  // Looks as often as the options say, with pauses. Sorts `ids` and removes what was given twice.
  Result<Settled> settle(const CollectionName& collection, std::vector<AuditId> ids, std::stop_token stop);

 private:
  Status look_at_end(const CollectionName& collection, std::span<const AuditId> ids, Findings& look,
                     std::stop_token stop);
  Status look_at_source(const CollectionName& collection, std::span<const AuditId> ids, const Keep& keep,
                        Findings& look, std::stop_token stop);

  AuditParts& parts_;
  const AuditOptions& options_;
  Expectation& expectation_;
  AuditScanner& scanner_;
  Changes& changes_;
  AuditRow row_;
  std::string key_;
};

}  // namespace tidemark::guard
