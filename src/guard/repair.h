// Puts right what an audit has confirmed: the rows of those ids and no others, through the pipeline's own sink, while the
// pipeline runs.
//
// A repair is an event made up for a document: a replace with the document as the source has it, or a delete. Its id sorts
// after every event up to the cluster time at which the document was read and before any later one, so that the sink's guard
// takes it for what it is: news of that time. What the pipeline writes later wins, what it has written later stays. The one
// thing a guard can't see is a row that was deleted meanwhile: a repair may bring it back, the look afterwards finds it, and
// the next round removes it. One thread.
#pragma once

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "guard/audit_expect.h"
#include "guard/audit_parts.h"
#include "guard/settle.h"

namespace tidemark::guard {

// Sorts after every change stream token up to `time` and before all later ones.
std::string repair_id(bson::Timestamp time);

class Repair {
 public:
  // All outlive this; `sink` is open.
  Repair(AuditParts& parts, const AuditOptions& options, Expectation& expectation, Settling& settling,
         Sink& sink)
      : parts_(parts), options_(options), expectation_(expectation), settling_(settling), sink_(sink) {}

  using Done = std::function<void(uint64_t ids)>;
  Status run(std::span<const AuditDifference> differences, RepairReport& report, const Done& done,
             std::stop_token stop);

 private:
  struct Item {
    AuditId id;
    bool written = false;
    bool removed = false;
    bool rejected = false;                    // the sink refuses it: not offered again
    std::optional<DifferenceKind> kind = {};  // as of the last look
  };

  Status repair_some(const CollectionName& collection, std::vector<Item> items, RepairReport& report,
                     std::stop_token stop);
  // One look, and the events for what still differs; items that are right are removed.
  Status prepare(const CollectionName& collection, std::vector<Item>& items, RepairReport& report,
                 std::stop_token stop);
  Status add_event(const CollectionName& collection, Item& item, const bson::Document& document,
                   bson::Timestamp as_of);
  Status write(std::vector<Item>& items, std::stop_token stop);

  AuditParts& parts_;
  const AuditOptions& options_;
  Expectation& expectation_;
  Settling& settling_;
  Sink& sink_;
  EventBatch batch_;
  std::vector<size_t> item_of_event_;
};

}  // namespace tidemark::guard
