// PipelineCore's second half: cutting batches into segments and jobs, and acknowledging what became durable.
#include <algorithm>

#include "base/check.h"
#include "core/event_name.h"
#include "core/pipeline_core.h"

namespace tidemark {
namespace {

// The position right after one event: its own resume token.
Position position_after(const Event& event) {
  bson::Builder token;
  token.append("_data", event.id);
  return Position(token.view(), event.cluster_time);
}

}  // namespace

void PipelineCore::admit(SourceBatch batch) {
  const auto owed = static_cast<uint32_t>(batch.events->events().size());
  status_.events_read += owed;
  read_position_ = batch.resume_after;
  const auto seq =
      watermark_.admit(std::move(batch.resume_after), owed, owed > 0 ? batch.events->size_bytes() : 0);
  if (owed > 0) return cut_into_segments(seq, batch.events, batch.resume_within);
  if (auto durable = watermark_.advance()) {
    status_.delivered_time = token_time(durable->get().token());
    to_save_ = std::move(durable);
  }
}

// REQUIRES that the batch was admitted just now: its end is read_position_.
void PipelineCore::cut_into_segments(Watermark::Seq seq, const std::shared_ptr<EventBatch>& batch,
                                     const Position& within) {
  const std::vector<Event>& events = batch->events();
  const auto kind_of = [this](const Event& event) {
    if (!event.reject_reason.empty()) return SegmentKind::kReject;
    // With one lane the order is the stream's anyway.
    return limits_.lanes > 1 && !event.has_document() ? SegmentKind::kBarrier : SegmentKind::kRun;
  };
  const auto count = static_cast<uint32_t>(events.size());
  for (uint32_t begin = 0; begin < count;) {
    const SegmentKind kind = kind_of(events[begin]);
    uint32_t end = begin + 1;
    while (kind == SegmentKind::kRun && end < count && kind_of(events[end]) == SegmentKind::kRun) ++end;
    const bool commits_end = limits_.transactional && end == count;
    segments_.push_back({kind, seq, batch, begin, end, commits_end ? read_position_ : Position(),
                         limits_.transactional ? within : Position()});
    begin = end;
  }
}

void PipelineCore::distribute(const Segment& segment) {
  const std::vector<Event>& events = segment.batch->events();
  const size_t lane_count = segment.kind == SegmentKind::kBarrier ? 1 : lanes_.size();
  for (size_t i = 0; i < lane_count; ++i) {
    LaneItem item{segment.seq, segment.batch, {}, 0, segment.end_position, segment.within};
    if (lane_count == 1) item.events.reserve(segment.end - segment.begin);
    for (uint32_t e = segment.begin; e < segment.end; ++e)
      if (lane_count == 1 || events[e].key_hash % lane_count == i) item.events.push_back(e);
    if (!item.events.empty()) lanes_[i].queue.push_back(std::move(item));
  }
}

void PipelineCore::fill_job(Lane& lane, WriteJob& job) {
  job.events.clear();
  job.parts.clear();
  job.owners.clear();
  size_t bytes = 0;
  while (!lane.queue.empty()) {
    LaneItem& item = lane.queue.front();
    const std::vector<Event>& events = item.batch->events();
    uint32_t count = 0;
    while (item.next < item.events.size()) {
      const Event& event = events[item.events[item.next]];
      const bool fits = job.events.size() < limits_.batch_events_max &&
                        bytes + event.size_bytes() <= limits_.batch_bytes_max;
      if (!fits && !job.events.empty()) break;
      bytes += event.size_bytes();
      job.events.push_back(event);
      ++item.next;
      ++count;
    }
    if (count == 0) return;
    job.parts.push_back({item.seq, count});
    job.last_batch = item.seq;
    job.owners.push_back(item.batch);
    const bool whole = item.next == item.events.size();
    if (limits_.transactional) {
      job.ends_batch = whole && !item.end_position.empty();
      job.resume_after = job.ends_batch        ? std::move(item.end_position)
                         : item.within.empty() ? position_after(job.events.back())
                                               : item.within;
    }
    if (!whole) return;
    lane.queue.pop_front();
  }
}

void PipelineCore::start_write(int index, Lane& lane, WriteJob job) {
  lane.busy = true;
  act(Write{index, std::move(job)});
}

void PipelineCore::deliver_prefix(WriteJob& job, size_t count) {
  if (count == 0) return;
  status_.events_delivered += count;
  for (size_t i = 0; i < count; ++i) status_.bytes_delivered += job.events[i].size_bytes();
  unsaved_events_ += count;
  size_t left = count;
  size_t parts_done = 0;
  for (WriteJob::Part& part : job.parts) {
    const auto taken = static_cast<uint32_t>(std::min<size_t>(left, part.count));
    watermark_.delivered(part.seq, taken);
    part.count -= taken;
    left -= taken;
    if (part.count > 0) break;
    ++parts_done;
    if (left == 0) break;
  }
  TIDEMARK_CHECK(left == 0, "more events were durable than the job had");
  job.parts.erase(job.parts.begin(), job.parts.begin() + static_cast<ptrdiff_t>(parts_done));
  job.events.erase(job.events.begin(), job.events.begin() + static_cast<ptrdiff_t>(count));
}

// Moves the position over what has become durable. `committed` is the job of a transaction that has just
// succeeded, whose position is therefore saved already.
void PipelineCore::acknowledge(Mono now, const WriteJob* committed) {
  auto durable = watermark_.advance();
  if (durable) status_.delivered_time = token_time(durable->get().token());
  if (limits_.transactional && committed != nullptr) {
    unsaved_events_ = 0;
    status_.committed = committed->resume_after;
    ++status_.saves;
    last_save_ = now;
    gate_open_ = true;
    to_save_urgent_ = false;
    // In the middle of a batch the transaction's position leads the watermark's, which has only whole
    // batches; at or behind its end a mark of the watermark is the newest there is.
    if (!committed->ends_batch) {
      to_save_.reset();
    } else {
      if (durable) to_save_ = std::move(durable);
      if (to_save_ && to_save_->get() == committed->resume_after) to_save_.reset();
    }
    return;
  }
  if (!durable) return;
  to_save_ = std::move(durable);
  to_save_urgent_ = true;
}

void PipelineCore::reject_from_job(int index, Lane& lane, WriteJob job, const WriteFailure& failure,
                                   Mono now) {
  TIDEMARK_CHECK(failure.culprit < job.events.size() && failure.culprit >= failure.durable_prefix,
                 "a sink rejected an event it wasn't given");
  const Event culprit = job.events[failure.culprit];
  if (limits_.on_reject == OnReject::kStop) {
    deliver_prefix(job, failure.durable_prefix);
    acknowledge(now, nullptr);
    Error error = failure.error;
    error.what = undeliverable(culprit, error.what);
    if (error.hint.empty()) error.hint = "on_reject = \"dead_letter\" sets such events aside and goes on";
    return begin_drain(std::move(error), now);
  }
  if (draining_) {
    // The event is read again after the next start; what was written before it counts all the same.
    deliver_prefix(job, failure.durable_prefix);
    return acknowledge(now, nullptr);
  }
  // Find the culprit's batch, take it out of the job, then let the prefix go.
  size_t before = 0;
  size_t part = 0;
  while (before + job.parts[part].count <= failure.culprit) before += job.parts[part++].count;
  const auto owner = std::find_if(job.owners.begin(), job.owners.end(), [&culprit](const auto& batch) {
    return std::any_of(batch->events().begin(), batch->events().end(),
                       [&culprit](const Event& event) { return event.id.data() == culprit.id.data(); });
  });
  TIDEMARK_CHECK(owner != job.owners.end(), "a job holds an event of no batch of its own");
  letters_.push_back(
      {job.parts[part].seq, culprit, *owner, reason_of_letter(culprit, failure.error.what), index});
  job.events.erase(job.events.begin() + static_cast<ptrdiff_t>(failure.culprit));
  if (--job.parts[part].count == 0) job.parts.erase(job.parts.begin() + static_cast<ptrdiff_t>(part));
  deliver_prefix(job, failure.durable_prefix);
  acknowledge(now, nullptr);
  lane.retry = std::move(job);
  lane.awaits_letter = true;
}

void PipelineCore::end_wait_for_letter(Lane& lane) {
  lane.awaits_letter = false;
  // Without events the rejected one was the job's only one, and the lane is idle now, before segments are looked at: a barrier
  // may wait for it, and no later input need come. A transaction still has its position to commit.
  if (limits_.transactional || !lane.retry || !lane.retry->events.empty()) return;
  lane.spare = std::move(*lane.retry);
  lane.spare.owners.clear();
  lane.retry.reset();
}

bool PipelineCore::lanes_idle() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.idle(); });
}

}  // namespace tidemark
