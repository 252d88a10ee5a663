#include "sim/server.h"

namespace tidemark::sim {
namespace {

constexpr uint64_t kKeys = 6;
constexpr uint64_t kEntriesAReadMax = 7;
constexpr uint64_t kBigBytes = 900;  // more than a write may have beside it

}  // namespace

void Server::append_random(int on_reject_weight) {
  Entry entry;
  entry.key = static_cast<uint8_t>(choices_.below(kKeys));
  entry.bytes = static_cast<uint16_t>(choices_.below(100));
  const auto dice = static_cast<int>(choices_.below(100));
  if (dice < 3) {
    entry.kind = Entry::Kind::kTable;
  } else if (dice < 6) {
    entry.kind = Entry::Kind::kInvalidate;
  } else if (dice < 16) {
    entry.kind = Entry::Kind::kNoop;
  } else if (dice < 22) {
    entry.kind = Entry::Kind::kFiltered;
  } else if (dice < 22 + on_reject_weight) {
    entry.kind = Entry::Kind::kUnreadable;
  } else if (dice < 22 + 2 * on_reject_weight) {
    entry.poison = true;
  } else if (dice > 96) {
    entry.bytes = kBigBytes;
  }
  append(entry);
}

Result<Index> Server::open(Index from) {
  if (from + 1 < oldest_) return fail(React::kPositionLost, "injected: the oplog no longer has the position");
  cursor_ = from;
  while (cursor_ < newest() && at(cursor_ + 1).kind == Entry::Kind::kNoop && choices_.one_in(2)) ++cursor_;
  return cursor_;
}

void Server::add_event(EventBatch& batch, Index index) const {
  static constexpr char kZeros[1024] = {};
  const Entry& entry = at(index);
  Event event;
  event.id = batch.store(id_of(index));
  event.key_hash = entry.key;
  event.cluster_time = {index, 1};
  event.payload = {kZeros, entry.bytes};  // what it is charged with
  event.attempts = entry.attempts;
  switch (entry.kind) {
    case Entry::Kind::kTable:
      event.op = Op::kDrop;
      break;
    case Entry::Kind::kInvalidate:
      event.op = Op::kInvalidate;
      break;
    case Entry::Kind::kUnreadable:
      event.op = Op::kInsert;
      event.reject_reason = "the transform could not hand it on";
      break;
    default:
      event.op = Op::kInsert;
  }
  batch.events().push_back(event);
}

SourceBatch Server::read() {
  auto batch = std::make_shared<EventBatch>();
  const uint64_t count = choices_.below(kEntriesAReadMax + 1);
  for (uint64_t i = 0; i < count && cursor_ < newest(); ++i) {
    const Entry& entry = at(++cursor_);
    if (entry.is_event()) add_event(*batch, cursor_);
    if (entry.kind == Entry::Kind::kInvalidate) return {std::move(batch), position_of(cursor_), true};
  }
  return {std::move(batch), position_of(cursor_), false};
}

}  // namespace tidemark::sim
