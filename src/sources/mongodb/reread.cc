#include "sources/mongodb/reread.h"

#include <algorithm>

#include "base/digest.h"
#include "base/log.h"

namespace tidemark::mongodb {
namespace {

// Behind every digit of a token, so that no server's token can be one of ours; and longer than the rename's, which is a
// prefix of no other token.
constexpr std::string_view kMark = "R";

Position position_behind(const Event& event) {
  const auto token = event.raw.find("_id");
  return Position(token->document(), token_time(token->document()));
}

std::string text_of(const Namespace& ns) {
  return std::string(ns.database) + "." + std::string(ns.collection);
}

// `key` and `document` may be empty: of the end.
bson::Document made_up(std::string_view id, const char* operation, bson::Timestamp time, int64_t wall_time_ms,
                       const CollectionName& collection, const std::optional<bson::Element>& key,
                       bson::View document) {
  bson::Builder token, ns, event;
  token.append("_data", id);
  ns.append("db", collection.database).append("coll", collection.collection);
  event.append("_id", token.view()).append("operationType", operation);
  event.append_timestamp("clusterTime", time.seconds, time.increment);
  if (wall_time_ms != 0) event.append_date("wallTime", wall_time_ms);
  event.append("ns", ns.view());
  if (key) {
    bson::Builder document_key;
    document_key.append("_id", *key);
    event.append("documentKey", document_key.view()).append("fullDocument", document);
  }
  event.append("reread", true);
  return event.finish();
}

// The same document has the same id whenever it is read; two of one rename have different ones, so that each has a dead
// letter of its own.
std::string id_of(const std::string& rename_id, const bson::Element& key) {
  bson::Builder only;
  only.append("_id", key);
  const uint64_t hash = hash64(only.view().bytes());
  uint8_t bytes[8];
  for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<uint8_t>(hash >> (56 - 8 * i));
  return rename_id + std::string(kMark) + to_hex(bytes);
}

}  // namespace

bool Reread::leaves_out(const Event& event) const {
  const bool foreign = !event.ns.collection.empty() &&
                       (options_.names.exclude.has(event.ns) ||
                        (options_.hides_temporary && is_temporary_collection(event.ns.collection)));
  // What becomes a collection of ours is told all the same.
  return foreign && !(event.op == Op::kRename && options_.names.has(event.to));
}

bool Reread::passes(const Event& event) const {
  if (event.op == Op::kRename && !passes_filter(event.raw)) return false;
  return !leaves_out(event);
}

bool Reread::passes_filter(bson::View event) const {
  return std::all_of(options_.filter.begin(), options_.filter.end(),
                     [&](const bson::Matcher& matcher) { return matcher.matches(event); });
}

bool Reread::brings_documents(const Event& event) const {
  if (!options_.rereads || event.op != Op::kRename || !event.reject_reason.empty() ||
      !options_.names.has(event.to))
    return false;
  bson::Builder ns, insert;
  ns.append("db", event.to.database).append("coll", event.to.collection);
  insert.append("operationType", "insert").append("ns", ns.view());
  return std::all_of(options_.filter_names.begin(), options_.filter_names.end(),
                     [&](const bson::Matcher& matcher) { return matcher.matches(insert.view()); });
}

void Reread::take(SourceBatch batch, Position before) {
  std::vector<Event>& events = batch.events->events();
  if (std::none_of(events.begin(), events.end(),
                   [&](const Event& event) { return event.op == Op::kRename || !passes(event); })) {
    parts_.push_back({std::move(batch), {}, {}, {}, 0, {}, 0, false, {}});
    return;
  }
  Position behind = std::move(before);
  SourceBatch run;
  run.events = std::make_shared<EventBatch>();
  const auto flush = [&] {
    if (run.events->events().empty()) return;
    run.resume_after = behind;
    run.events->own(batch.events);
    parts_.push_back({std::move(run), {}, {}, {}, 0, {}, 0, false, {}});
    run = {};
    run.events = std::make_shared<EventBatch>();
  };
  for (size_t i = 0; i < events.size(); ++i) {
    Event& event = events[i];
    const bool last = i + 1 == events.size();
    const Position next = last ? batch.resume_after : position_behind(event);
    if (event.op == Op::kRename && !event.to.collection.empty()) {
      event.leaves = !options_.names.has(event.to);
      event.enters = !event.leaves && !options_.names.has(event.ns);
    }
    if (brings_documents(event)) {
      flush();
      add_rename(event, batch, behind, next);
    } else if (passes(event)) {
      run.events->events().push_back(event);
    } else {
      if (leaves_out(event)) ++left_out_;
      log::debug("{}: left out a change of {}", pipeline_, text_of(event.ns));
    }
    behind = next;
  }
  flush();
  const bool ends_with_reread = !parts_.empty() && parts_.back().reread;
  // The mark moves, and the server's end of the cursor is told, also when no event is left.
  if (parts_.empty() || (ends_with_reread && batch.closed)) {
    run.resume_after = batch.resume_after;
    parts_.push_back({std::move(run), {}, {}, {}, 0, {}, 0, false, {}});
  }
  Part& end = parts_.back();
  if (!end.reread) {
    end.batch.resume_after = batch.resume_after;
    end.batch.closed = batch.closed;
  }
}

void Reread::add_rename(const Event& event, const SourceBatch& whole, const Position& before,
                        const Position& behind) {
  Part part;
  part.batch.events = std::make_shared<EventBatch>();
  part.batch.events->events().push_back(event);
  part.batch.events->own(whole.events);
  part.batch.resume_after = before;
  part.batch.resume_within = before;
  part.reread = CollectionName{std::string(event.to.database), std::string(event.to.collection)};
  part.rename_id = event.id;
  part.rename_time = event.cluster_time;
  part.wall_time_ms = event.wall_time_ms;
  part.behind = behind;
  part.handed_out = !passes(event);
  log::info("{}: {} was renamed to {}, which is read again: a stream doesn't show what a rename brings",
            pipeline_, text_of(event.ns), text_of(event.to));
  parts_.push_back(std::move(part));
}

Result<SourceBatch> Reread::next(size_t limit, std::stop_token stop) {
  Part& part = parts_.front();
  if (!part.reread) {
    SourceBatch batch = std::move(part.batch);
    parts_.pop_front();
    batch.left_out = std::exchange(left_out_, 0);
    return batch;
  }
  if (!part.handed_out) {
    part.handed_out = true;
    return part.batch;
  }
  return read_page(part, limit, std::move(stop));
}

Result<SourceBatch> Reread::read_page(Part& part, size_t limit, std::stop_token stop) {
  SourceBatch batch;
  batch.events = std::make_shared<EventBatch>();
  batch.resume_after = part.batch.resume_after;
  batch.resume_within = part.batch.resume_within;
  const CollectionName& collection = *part.reread;
  const auto add = [&](const bson::Document& raw) -> Status {
    TIDEMARK_ASSIGN(const Event event, parse_change_event(batch.events->store(raw.view())));
    batch.events->events().push_back(event);
    return {};
  };
  const auto visit = [&](bson::View document) -> Status {
    const auto key = document.find("_id");
    if (!key) return {};
    const bson::Document raw = made_up(id_of(part.rename_id, *key), "insert", part.rename_time,
                                       part.wall_time_ms, collection, key, document);
    if (!passes_filter(raw.view())) return {};
    ++part.documents;
    return add(raw);
  };
  TIDEMARK_ASSIGN(const AuditPage page,
                  scan_(collection, part.rename_time, part.last_id, limit, visit, std::move(stop)));
  part.last_id = page.last_id;
  if (!page.done) return batch;
  TIDEMARK_TRY(add(made_up(part.rename_id + std::string(kMark), "rereadEnd", part.rename_time,
                           part.wall_time_ms, collection, {}, {})));
  batch.resume_after = part.behind;
  log::info("{}: read {} documents of {} again", pipeline_, part.documents, collection.text());
  parts_.pop_front();
  return batch;
}

void Reread::forget() {
  parts_.clear();
  left_out_ = 0;
}

}  // namespace tidemark::mongodb
