#include "sources/mongodb/event_search.h"

#include <algorithm>

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;

// Candidates listed at once: ten halvings find one of them.
constexpr int64_t kCandidates = 512;
constexpr int kPortionsMax = 64;
// Answers without an event while the server works through its oplog.
constexpr int kReadsMax = 600;
constexpr milliseconds kWait{100};

Position position_at(bson::View token) { return Position(token, token_time(token)); }

}  // namespace

EventSearch::EventSearch(Open open, int code, std::string where, const std::vector<bson::Document>& known)
    : open_(std::move(open)), code_(code), where_(std::move(where)), known_(known) {}

Result<std::optional<FoundEvent>> EventSearch::find(const Position& from, std::stop_token stop) {
  Position listed = from;
  for (int portion = 0; portion < kPortionsMax; ++portion) {
    const Position before = listed;
    TIDEMARK_ASSIGN(const std::vector<Candidate> candidates, list(listed, stop));
    if (candidates.empty() && listed == before) break;
    if (candidates.empty()) continue;  // all of them are known
    TIDEMARK_ASSIGN(const Verdict verdict, try_events(from, candidates, 0, candidates.size(), stop));
    if (verdict == Verdict::kFails) return halve(from, candidates, stop);
  }
  return std::optional<FoundEvent>();
}

Result<std::vector<EventSearch::Candidate>> EventSearch::list(Position& after, std::stop_token stop) {
  OpenAt at;
  const Position begin = after;
  at.token = begin.token();
  at.bare = at.slim = true;
  TIDEMARK_ASSIGN(OpenedCursor opened, open_(at));
  std::vector<Candidate> all;
  ReplyPtr reply = std::move(opened.reply);
  for (int i = 0; i < kReadsMax; ++i) {
    const CursorReply parts = *read_cursor_reply(reply->view());
    for (const bson::Element item : parts.batch) {
      const auto token = item.is_document() ? item.document().find("_id") : std::nullopt;
      if (!token || !token->is_document()) continue;
      const bson::Document found(token->document());
      if (std::none_of(known_.begin(), known_.end(),
                       [&found](const bson::Document& known) { return known.view() == found.view(); }))
        all.push_back({after, found, token_time(found)});
      after = position_at(found);
    }
    if (after != begin || !opened.cursor.is_open()) break;
    auto more = opened.cursor.get_more(kCandidates, kWait, stop);
    if (!more) return fail(more.error().classify(Phase::kRead, where_));
    reply = std::move(*more);
  }
  opened.cursor.kill(stop);
  return all;
}

Result<EventSearch::Verdict> EventSearch::try_events(const Position& from, const std::vector<Candidate>& all,
                                                     size_t first, size_t last, std::stop_token stop) {
  bson::Builder only;
  for (size_t i = first; i < last; ++i) only.append(std::to_string(i - first), all[i].token.view());
  return run(from, only.view(), all[last - 1].time, std::move(stop));
}

Result<EventSearch::Verdict> EventSearch::try_nothing(const Position& from, const Candidate& until,
                                                      std::stop_token stop) {
  // No event has this token. An empty list would let the server do without reading at all.
  bson::Builder token, only;
  token.append("_data", "00");
  only.append("0", token.view());
  return run(from, only.view(), until.time, std::move(stop));
}

Result<EventSearch::Verdict> EventSearch::run(const Position& from, bson::View only, bson::Timestamp until,
                                              std::stop_token stop) {
  OpenAt at;
  at.token = from.token();
  at.only = only;
  TIDEMARK_ASSIGN(OpenedCursor opened, open_(at));
  for (int i = 0; i < kReadsMax && opened.cursor.is_open(); ++i) {
    auto more = opened.cursor.get_more(kCandidates, kWait, stop);
    if (!more) {
      if (more.error().origin == Origin::kServer && more.error().code == code_) return Verdict::kFails;
      return fail(more.error().classify(Phase::kRead, where_));
    }
    // Only an empty answer tells that the server has read as far as its mark, all events of that moment included.
    const CursorReply parts = *read_cursor_reply((*more)->view());
    if (parts.batch.empty() && token_time(parts.high_water_mark) >= until) {
      opened.cursor.kill(stop);
      return Verdict::kPasses;
    }
  }
  if (!opened.cursor.is_open()) return Verdict::kPasses;  // an invalidate: there is nothing behind it
  opened.cursor.kill(stop);
  return fail(React::kRetry, where_ + ": the events at which the server failed were not reached again");
}

Result<std::optional<FoundEvent>> EventSearch::halve(const Position& from, const std::vector<Candidate>& all,
                                                     std::stop_token stop) {
  size_t first = 0;
  size_t last = all.size();
  while (last - first > 1) {
    const size_t middle = first + (last - first) / 2;
    TIDEMARK_ASSIGN(const Verdict verdict, try_events(from, all, first, middle, stop));
    if (verdict == Verdict::kFails)
      last = middle;
    else
      first = middle;
  }
  TIDEMARK_ASSIGN(const Verdict alone, try_events(from, all, first, last, stop));
  TIDEMARK_ASSIGN(const Verdict without, try_nothing(from, all[first], stop));
  if (alone != Verdict::kFails || without != Verdict::kPasses) return std::optional<FoundEvent>();
  return std::optional<FoundEvent>(FoundEvent{all[first].before, all[first].token});
}

}  // namespace tidemark::mongodb
