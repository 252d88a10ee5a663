// From a document of the source to the row that the destination must hold: an insert made up for the document goes through
// the pipeline's transforms and the destination's own form. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/audit.h"
#include "core/transform.h"

namespace tidemark::guard {

// What an event that was made up carries beside its document.
struct EventMark {
  std::string_view id = "82000000000000000000000000";
  bson::Timestamp cluster_time = {};
  int64_t wall_time_ms = 0;
};

class Expectation {
 public:
  enum class Verdict {
    kRow,       // `row` must be there
    kFiltered,  // the transforms drop it
    kRejected,  // a transform or the destination's form refuses it
  };

  // Both outlive this.
  Expectation(const std::vector<std::unique_ptr<Transform>>& transforms, AuditEnd& end, AuditBuckets buckets)
      : transforms_(transforms), end_(end), buckets_(std::move(buckets)) {}

  // kConfig where the pipeline can't be audited: a transform changes `_id`, so that a row can't be found by its
  // document. kRejected leaves the document's own id and key in `row`, and its time.
  Result<Verdict> row(const CollectionName& collection, bson::View document, AuditRow& row);
  // Why the last one was kRejected.
  const std::string& reason() const { return reason_; }

  // The same for one document at two times. kConfig when the rows differ: a transform writes the time into the document, so
  // that nobody can say what the row must be.
  Status check_steady(const CollectionName& collection, bson::View document);

  // The event itself, transformed, with its memory in `batch`. Only kRow leaves an event to write.
  Result<Verdict> event(const CollectionName& collection, bson::View document, const EventMark& mark,
                        EventBatch& batch, Event& event);

 private:
  Result<Verdict> row_at(const CollectionName& collection, bson::View document, const EventMark& mark,
                         AuditRow& row);

  const std::vector<std::unique_ptr<Transform>>& transforms_;
  AuditEnd& end_;
  const AuditBuckets buckets_;
  EventBatch batch_;
  int since_clear_ = 0;
  std::string key_;
  std::string reason_;
};

// Of the document's `_id`, replacing `out`; kFatal without one.
Status id_of(bson::View document, AuditId& out);
Status key_of(bson::View document, std::string& out);

// A change event as the server would send it, in the batch's memory.
Result<Event> make_event(Op op, const CollectionName& collection, bson::View key, bson::View document,
                         const EventMark& mark, EventBatch& batch);

}  // namespace tidemark::guard
