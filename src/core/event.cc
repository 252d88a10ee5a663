#include "core/event.h"

#include <cstring>

#include "base/digest.h"
#include "core/position.h"
#include "core/row_identity.h"

namespace tidemark {
namespace {

struct OpName {
  std::string_view name;
  Op op;
};

constexpr OpName kOpNames[] = {
    {"insert", Op::kInsert},
    {"update", Op::kUpdate},
    {"replace", Op::kReplace},
    {"delete", Op::kDelete},
    {"drop", Op::kDrop},
    {"rename", Op::kRename},
    {"dropDatabase", Op::kDropDatabase},
    {"invalidate", Op::kInvalidate},
    {"rereadEnd", Op::kRereadEnd},
};

// "No document" for every other type.
bson::View document_or_none(const bson::Element& element) {
  return element.is_document() ? element.document() : bson::View();
}

std::string_view string_or_empty(const bson::Element& element) {
  return element.is_string() ? element.string() : std::string_view();
}

Namespace namespace_of(const bson::Element& element) {
  Namespace ns;
  for (const bson::Element field : document_or_none(element)) {
    if (field.key() == "db") ns.database = string_or_empty(field);
    if (field.key() == "coll") ns.collection = string_or_empty(field);
  }
  return ns;
}

void take_cluster_time(Event& event, const bson::Element& field) {
  if (field.type() != BSON_TYPE_TIMESTAMP) return;
  bson_iter_timestamp(&field.iter(), &event.cluster_time.seconds, &event.cluster_time.increment);
}

// One field of a change event. The first letter and the length tell nearly all of them apart, so that one
// comparison is enough for each field; this is the hot path of every event.
void take_field(Event& event, const bson::Element& field) {
  const std::string_view key = field.key();
  switch (key.size()) {
    case 2:
      if (key == "ns") event.ns = namespace_of(field);
      if (key == "to") event.to = namespace_of(field);
      break;
    case 3:
      // The first one, as every reader of `raw` finds it; an empty text that isn't null says that it was seen.
      if (key == "_id" && event.id.data() == nullptr) {
        event.id = token_data(document_or_none(field));
        if (event.id.empty()) event.id = std::string_view("", 0);
      }
      break;
    case 8:
      if (key == "wallTime" && field.type() == BSON_TYPE_DATE_TIME)
        event.wall_time_ms = bson_iter_date_time(&field.iter());
      break;
    case 11:
      if (key == "clusterTime") take_cluster_time(event, field);
      if (key == "documentKey") event.key = document_or_none(field);
      break;
    case 12:
      if (key == "fullDocument") event.after = document_or_none(field);
      break;
    case 13:
      if (key == "operationType") event.op_name = string_or_empty(field);
      break;
    case 17:
      if (key == "updateDescription") event.update = document_or_none(field);
      break;
    case 24:
      if (key == "fullDocumentBeforeChange") event.before = document_or_none(field);
      break;
    default:
      break;
  }
}

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

Op op_from_name(std::string_view name) {
  for (const OpName& entry : kOpNames) {
    if (entry.name == name) return entry.op;
  }
  return Op::kOther;
}

Result<Event> parse_change_event(bson::View raw) {
  Event event;
  event.raw = raw;
  for (const bson::Element field : raw) take_field(event, field);
  if (event.id.empty()) {
    return fail(
        React::kFatal, "a change event has no resume token: `_id._data` is missing or is not a string",
        "a stage of the filter, or a proxy before the server, removes or changes `_id`; it must pass it on");
  }
  event.op = op_from_name(event.op_name);
  if (event.wall_time_ms == 0) event.wall_time_ms = int64_t{event.cluster_time.seconds} * 1000;
  event.key_hash = hash_key(event);
  return event;
}

uint64_t hash_key(const Event& event) {
  // Each part is hashed by itself and then mixed in, so that ("a", "bc") and ("ab", "c") differ.
  const uint64_t database = hash64(bytes_of(event.ns.database));
  const uint64_t collection = hash64(bytes_of(event.ns.collection));
  // `_id` alone, in whatever form: a document that changes its shard key or the type of its `_id` stays in its lane.
  const auto id = event.key.find("_id");
  const uint64_t key = id ? hash_id(*id) : 0;
  uint64_t hash = (database ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 29) ^ collection) * 0x94d049bb133111eb;
  hash = (hash ^ (hash >> 31) ^ key) * 0xd6e8feb86659fd93;
  return hash ^ (hash >> 32);
}

bson::View EventBatch::store(bson::View document) {
  if (!document) return {};
  auto* copy = static_cast<uint8_t*>(arena_.allocate(document.size(), 1));
  std::memcpy(copy, document.data(), document.size());
  return bson::View::unchecked(copy, document.size());
}

std::string_view EventBatch::store(std::string_view text) {
  if (text.empty()) return {};
  auto* copy = static_cast<char*>(arena_.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

size_t EventBatch::size_bytes() const {
  size_t total = 0;
  for (const Event& event : events_) total += event.size_bytes();
  return total;
}

void EventBatch::clear() {
  events_.clear();
  owners_.clear();
  arena_.release();
}

}  // namespace tidemark
