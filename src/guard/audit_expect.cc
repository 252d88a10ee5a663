#include "guard/audit_expect.h"

#include "bson/json.h"

namespace tidemark::guard {
namespace {

constexpr int kClearEvery = 64;  // documents; a page's worth of them must not be held in memory
constexpr EventMark kAnotherTime = {"82659000010000000100000000", {0x65900001, 1}, 1'704'067'201'000};

}  // namespace

Status key_of(bson::View document, std::string& out) {
  const auto id = document.find("_id");
  if (!id) return fail(React::kFatal, "a document without _id was read");
  out.clear();
  append_key(*id, out);
  return {};
}

Status id_of(bson::View document, AuditId& out) {
  TIDEMARK_TRY(key_of(document, out.key));
  out.text.clear();
  bson::append_json_value(*document.find("_id"), bson::JsonMode::kCanonical, out.text);
  return {};
}

Result<Event> make_event(Op op, const CollectionName& collection, bson::View key, bson::View document,
                         const EventMark& mark, EventBatch& batch) {
  bson::Builder token, ns, raw;
  token.append("_data", mark.id);
  ns.append("db", collection.database).append("coll", collection.collection);
  raw.append("_id", token.view());
  raw.append("operationType", op == Op::kDelete ? "delete" : op == Op::kReplace ? "replace" : "insert");
  raw.append_timestamp("clusterTime", mark.cluster_time.seconds, mark.cluster_time.increment);
  raw.append_date("wallTime", mark.wall_time_ms);
  raw.append("ns", ns.view());
  raw.append("documentKey", key);
  if (document) raw.append("fullDocument", document);
  return parse_change_event(batch.store(raw.view()));
}

Result<Expectation::Verdict> Expectation::event(const CollectionName& collection, bson::View document,
                                                const EventMark& mark, EventBatch& batch, Event& event) {
  const auto id = document.find("_id");
  if (!id) return fail(React::kFatal, "a document without _id was read from " + collection.text());
  bson::Builder key;
  key.append("_id", *id);
  TIDEMARK_ASSIGN(event, make_event(Op::kInsert, collection, key.view(), document, mark, batch));
  for (const auto& transform : transforms_) {
    auto verdict = transform->apply(event, batch);
    if (!verdict && verdict.error().react != React::kReject) return fail(std::move(verdict).error());
    if (!verdict || !event.reject_reason.empty()) {
      reason_ = verdict ? std::string(event.reject_reason) : verdict.error().what;
      return Verdict::kRejected;
    }
    if (*verdict == Transform::Verdict::kDrop) return Verdict::kFiltered;
  }
  return Verdict::kRow;
}

Result<Expectation::Verdict> Expectation::row_at(const CollectionName& collection, bson::View document,
                                                 const EventMark& mark, AuditRow& row) {
  if (++since_clear_ % kClearEvery == 0) batch_.clear();
  Event event;
  TIDEMARK_ASSIGN(const Verdict verdict, this->event(collection, document, mark, batch_, event));
  if (verdict != Verdict::kRow) return verdict;
  if (Status made = end_.expected(event, row); !made) {
    if (made.error().react != React::kReject) return fail(std::move(made).error());
    reason_ = std::move(made.error().what);
    return Verdict::kRejected;
  }
  row.time_ms = time_in(event.after, buckets_.field);
  return Verdict::kRow;
}

Result<Expectation::Verdict> Expectation::row(const CollectionName& collection, bson::View document,
                                              AuditRow& row) {
  TIDEMARK_ASSIGN(const Verdict verdict, row_at(collection, document, {}, row));
  TIDEMARK_TRY(key_of(document, key_));
  if (verdict == Verdict::kFiltered || (verdict == Verdict::kRow && row.key == key_)) return verdict;
  AuditId own;
  TIDEMARK_TRY(id_of(document, own));
  if (verdict == Verdict::kRow) {
    return fail(
        React::kConfig,
        collection.text() + " can't be audited: a transform turns the _id " + own.text + " into " + row.id,
        "leave `_id` out of the transforms' fields, or audit by hand on the far side");
  }
  row.id = std::move(own.text);
  row.key = std::move(own.key);
  row.time_ms = time_in(document, buckets_.field);
  return verdict;
}

Status Expectation::check_steady(const CollectionName& collection, bson::View document) {
  AuditRow early, late;
  TIDEMARK_ASSIGN(const Verdict first, row_at(collection, document, {}, early));
  TIDEMARK_ASSIGN(const Verdict second, row_at(collection, document, kAnotherTime, late));
  if (first == second && (first != Verdict::kRow || (early.key == late.key && early.doc == late.doc)))
    return {};
  return fail(React::kConfig,
              collection.text() +
                  " can't be audited by checksum: a transform makes the document depend on the time of "
                  "the event, so that nobody can say what the row must be",
              "use kind = \"count\", or leave the time out (`received_at` and `processed_at` of `enrich`)");
}

}  // namespace tidemark::guard
