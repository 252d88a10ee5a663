// What the core asks for, carried out against the simulated server, sink and disk.
#include <algorithm>
#include <utility>

#include "sim/pipeline.h"

namespace tidemark::sim {
namespace {

Error waiting_helps(const char* what) { return {React::kRetry, std::string("injected: ") + what}; }

Error refused() { return {React::kDenied, "injected: the password is refused"}; }

Index index_of(const Event& event) { return sim::index_of(event.id); }

}  // namespace

// For a while whoever is asked refuses: as long as the password is being changed.
bool Pipeline::is_denied() {
  Choices& choices = around_.choices;
  const Mono now = around_.clock.now();
  if (choices.is_calm()) return false;
  if (now < denied_until_) return true;
  if (!choices.fault(Fault::kDenied, 150)) return false;
  denied_until_ = now + std::chrono::seconds(1 + choices.damage(Fault::kDenied, 20));
  return true;
}

// --- the source

Input Pipeline::carry_out(IdentifySource&) {
  if (is_denied()) return Identified{fail(refused())};
  if (!server_.has_primary() || around_.choices.fault(Fault::kIdentifyFails, 3))
    return Identified{fail(waiting_helps("nobody answers"))};
  SourceHealth health;
  health.deployment = deployment_;
  return Identified{std::move(health)};
}

Input Pipeline::carry_out(OpenSource& action) {
  if (oracle_->draining() && around_.choices.one_in(2))
    return SourceOpened{fail(React::kCancelled, "stopped")};
  if (is_denied()) return SourceOpened{fail(refused())};
  if (!server_.has_primary() || around_.choices.fault(Fault::kOpenFails, 3))
    return SourceOpened{fail(waiting_helps("the stream can't be opened"))};
  const Index from = action.from.empty() ? acknowledged_ : sim::index_of(action.from);
  auto opened = server_.open(from);
  if (!opened) return SourceOpened{fail(std::move(opened).error())};
  return SourceOpened{position_of(*opened)};
}

Input Pipeline::carry_out(ReadSource&) {
  if (oracle_->draining() && around_.choices.one_in(2)) return ReadDone{fail(React::kCancelled, "stopped")};
  if (is_denied()) return ReadDone{fail(refused())};
  if (profile_.acknowledges()) return ReadDone{server_.read()};
  if (!server_.has_primary() || around_.choices.fault(Fault::kReadFails, 6)) {
    const bool stopping = around_.choices.is_calm() ? false : around_.choices.one_in(8);
    // The reader is told of a stop before the core is.
    if (stopping) return ReadDone{fail(React::kCancelled, "stopped")};
    return ReadDone{fail(waiting_helps("the cursor is gone"))};
  }
  if (server_.cursor() + 1 < server_.oldest())
    return ReadDone{fail(React::kPositionLost, "injected: the oplog no longer has the position")};
  if (around_.choices.fault(Fault::kClosesUnmoved, 20))
    return ReadDone{SourceBatch{std::make_shared<EventBatch>(), position_of(server_.cursor()), true}};
  return ReadDone{server_.read()};
}

// --- the sink

Input Pipeline::carry_out(OpenSink& action) {
  if (is_denied()) return SinkOpened{action.lane, fail(refused())};
  if (around_.choices.fault(Fault::kSinkOpenFails, 4))
    return SinkOpened{action.lane, fail(waiting_helps("no sink"))};
  return SinkOpened{action.lane, {}};
}

Input Pipeline::carry_out(Write& action) {
  WriteResult result = is_denied()                     ? write_failed(refused())
                       : profile_.limits.transactional ? write_transaction(action.job)
                                                       : write(action.job);
  return WriteDone{action.lane, std::move(action.job), std::move(result)};
}

WriteResult Pipeline::write(const WriteJob& job) {
  const std::vector<Event>& events = job.events;
  const auto poison = std::find_if(events.begin(), events.end(),
                                   [this](const Event& e) { return server_.at(index_of(e)).poison; });
  const auto takes = static_cast<size_t>(poison - events.begin());
  const auto apply = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) ends_.apply(index_of(events[i]));
  };
  Choices& choices = around_.choices;
  const bool broken = choices.fault(Fault::kSinkBroken, 40);
  if (broken || choices.fault(Fault::kWriteFails, 5)) {
    const size_t known = choices.damage(Fault::kWriteFails, takes + 1);
    const size_t truth = known + choices.damage(Fault::kWriteFails, takes - known + 1);
    if (truth > known) around_.marks.hit(Mark::kMoreDurableThanKnown);
    apply(truth);
    return write_failed(
        broken ? Error{React::kFatal, "injected: the table is gone"} : waiting_helps("the sink is away"),
        known);
  }
  if (takes == events.size()) {
    apply(takes);
    return {};
  }
  const size_t known = choices.below(takes + 1);
  apply(known);
  return write_failed({React::kReject, "the sink can't take it"}, known, takes);
}

void Pipeline::commit(const WriteJob& job) {
  for (const Event& event : job.events) {
    const Index index = index_of(event);
    if (ends_.is_applied(index) && !ambiguous_)
      around_.verdict.violated(rule::kEffectivelyOnce,
                               "entry " + std::to_string(index) + " was committed a second time");
    ends_.apply(index);
  }
  ends_.stored = sim::index_of(job.resume_after);
}

// Events and position, or nothing; an unknown outcome is resolved by reading the position back, where that can be done.
WriteResult Pipeline::write_transaction(const WriteJob& job) {
  Choices& choices = around_.choices;
  if (epoch_ != ends_.epoch) return write_failed({React::kFenced, "another owner has taken the position"});
  const auto poison = std::find_if(job.events.begin(), job.events.end(),
                                   [this](const Event& e) { return server_.at(index_of(e)).poison; });
  if (poison != job.events.end())
    return write_failed({React::kReject, "the sink can't take it"}, 0,
                        static_cast<size_t>(poison - job.events.begin()));
  if (choices.fault(Fault::kSinkBroken, 40))
    return write_failed({React::kFatal, "injected: the table is gone"});
  if (choices.fault(Fault::kWriteFails, 6)) return write_failed(waiting_helps("rolled back"));
  const bool lost = choices.fault(Fault::kAnswerLost, 6);
  const bool committed = !lost || choices.damage(Fault::kAnswerLost, 3) > 0;
  if (committed) {
    commit(job);
    ambiguous_ = false;
  }
  if (!lost) return {};
  const bool read_back = choices.damage(Fault::kAnswerLost, 2) == 0;
  if (committed && read_back) {
    around_.marks.hit(Mark::kAmbiguousCommitResolved);
    return {};
  }
  if (committed) {
    around_.marks.hit(Mark::kAmbiguousCommitUnresolved);
    ambiguous_ = true;
  }
  return write_failed(waiting_helps("the commit's answer is lost"));
}

// --- dead letters

Input Pipeline::carry_out(PutDeadLetter& action) {
  const Index index = index_of(action.event);
  if (is_denied()) return DeadLetterDone{fail(refused())};
  if (around_.choices.fault(Fault::kLetterFails, 3))
    return DeadLetterDone{fail(waiting_helps("no room for letters"))};
  const Entry entry = server_.at(index);
  if (entry.attempts < 2 && around_.choices.fault(Fault::kLetterRetried, 2)) {
    Entry again = entry;
    ++again.attempts;
    if (around_.choices.damage(Fault::kLetterRetried, 2) == 0) again.poison = false;
    if (!ends_.is_set_aside(index)) server_.append(again);
    ends_.put_back(index);
    return DeadLetterDone{LetterFate::kRetried};
  }
  ends_.keep_letter(index);
  return DeadLetterDone{LetterFate::kKept};
}

Input Pipeline::carry_out(Finish&) { return Tick{}; }

// --- the position

Input Pipeline::carry_out(AcquirePosition& action) { return PositionAcquired{acquire(action.deployment)}; }

Input Pipeline::carry_out(Save& action) { return SaveDone{save(action.position)}; }

// What was under way when the process died has happened, in part or not at all.
void Pipeline::happens_half(Call& call) {
  Choices& choices = around_.choices;
  if (auto* out = std::get_if<Write>(&call.action)) {
    const std::vector<Event>& events = out->job.events;
    if (profile_.limits.transactional) {
      const bool possible = epoch_ == ends_.epoch &&
                            std::none_of(events.begin(), events.end(),
                                         [this](const Event& e) { return server_.at(index_of(e)).poison; });
      if (possible && choices.one_in(2)) commit(out->job);
      return;
    }
    for (const Event& event : events) {
      if (server_.at(index_of(event)).poison || choices.one_in(4)) return;
      ends_.apply(index_of(event));
    }
  } else if (auto* saving = std::get_if<Save>(&call.action)) {
    if (!store_) {
      if (choices.one_in(2)) acknowledged_ = std::max(acknowledged_, sim::index_of(saving->position.get()));
      return;
    }
    around_.disk.fail_operation(choices.below(8), Disk::Damage::kFatal);
    may_be_stored_.insert(sim::index_of(saving->position.get()));
    if (store_->save(saving->position, {}) && !machine_died())
      may_be_stored_ = {sim::index_of(saving->position.get())};
    around_.disk.heal();
  } else if (auto* letter = std::get_if<PutDeadLetter>(&call.action)) {
    if (choices.one_in(2)) ends_.keep_letter(index_of(letter->event));
  }
}

}  // namespace tidemark::sim
