// The lives of a pipeline and their steps.
#include "sim/pipeline.h"

#include <algorithm>
#include <utility>

#include "sim/words.h"

namespace tidemark::sim {

Pipeline::Pipeline(Surroundings& around, Profile profile)
    : around_(around),
      profile_(std::move(profile)),
      path_(profile_.name + ".position"),
      server_(around.choices),
      ends_(server_, around.verdict) {
  if (!profile_.acknowledges() && !profile_.limits.transactional) saved_by_operator(0);
}

void Pipeline::start() {
  calls_.clear();
  outcome_.reset();
  ambiguous_ = owner_ = usurped_ = by_backup_ = refuses_ = false;
  deployment_ =
      !profile_.acknowledges() && around_.choices.fault(Fault::kOtherDeployment, 15) ? "rs1/2" : "rs0/1";
  core_ = std::make_unique<PipelineCore>(profile_.limits, SourceIdentity{"fp", "simulated"}, around_.choices);
  oracle_ = std::make_unique<Oracle>(
      Oracle::Context{profile_.limits, server_, ends_, around_.verdict, around_.marks});
  if (!profile_.acknowledges() && !profile_.limits.transactional) store_ = make_store();
  give(Started{});
}

void Pipeline::give(Input input) {
  if (!core_ || finished() || !around_.verdict.ok()) return;
  const Mono now = around_.clock.now();
  around_.trace.add([&] { return describe() + "  <- " + words_of(input); });
  oracle_->told(input, now);
  actions_.clear();
  ++around_.steps;
  core_->step(std::move(input), now, actions_);
  for (const Action& action : actions_)
    around_.trace.add([&] { return describe() + "      -> " + words_of(action); });
  oracle_->answered(actions_, core_->status(), now);
  for (Action& action : actions_) {
    if (auto* finish = std::get_if<Finish>(&action))
      outcome_ = std::move(finish->error);
    else
      calls_.push_back({std::move(action), std::nullopt});
  }
  oracle_->settled(core_->status(), core_->next_tick(), now);
}

bool Pipeline::step() {
  if (calls_.empty()) return false;
  const size_t i = around_.choices.below(calls_.size());
  Call& call = calls_[i];
  if (!call.answer) {
    call.answer = std::visit([this](auto& what) { return carry_out(what); }, call.action);
    if (machine_died() || around_.choices.one_in(3)) {
      around_.trace.add(
          [&] { return describe() + "  carried out, not yet answered: " + words_of(*call.answer); });
      return true;
    }
  }
  Input answer = std::move(*call.answer);
  calls_.erase(calls_.begin() + static_cast<ptrdiff_t>(i));
  give(std::move(answer));
  return true;
}

void Pipeline::tick() { give(Tick{}); }
void Pipeline::announce_primary() { give(SourceReady{}); }
void Pipeline::request_stop() { give(StopRequested{}); }

// --- from outside

void Pipeline::happen() {
  Choices& choices = around_.choices;
  if (!choices.is_calm() && choices.one_in(2)) {
    if (profile_.acknowledges()) {
      if (refuses_) {
        around_.marks.hit(Mark::kRequestRefusedDuringShutdown);
        return;
      }
      server_.append({.key = static_cast<uint8_t>(choices.below(6)), .poison = choices.one_in(12)});
    } else {
      server_.append_random(profile_.reject_weight);
    }
  }
  if (profile_.acknowledges()) return;
  // An old copy was put under a pipeline that has nothing to save: the no-ops of an idle deployment show it.
  if (choices.is_calm() && oracle_->saved() > stored_truth()) server_.append({.kind = Entry::Kind::kNoop});
  if (server_.has_primary()) {
    if (choices.fault(Fault::kElection, 30)) server_.lose_primary();
  } else if (choices.one_in(4)) {
    server_.elect();
    announce_primary();
  }
  if (choices.fault(Fault::kFalseReady, 20)) announce_primary();
  if (server_.newest() > 8 && choices.fault(Fault::kRollover, 60))
    server_.forget_before(std::max(
        server_.oldest(), server_.newest() - static_cast<Index>(choices.damage(Fault::kRollover, 8))));
  if (choices.fault(Fault::kRival, 60)) take_over();
  if (profile_.limits.transactional) return;
  if (choices.one_in(20)) backup_ = around_.disk.content(path_);
  if (choices.fault(Fault::kBackupRestored, 80)) restore_backup();
  if (choices.fault(Fault::kFileDamaged, 120)) damage_file();
  if (choices.fault(Fault::kFileRemoved, 120)) {
    around_.trace.add([&] { return describe() + "  the position file is removed"; });
    around_.disk.put(path_, std::nullopt);
    tampered_ = true;
  }
}

void Pipeline::calm() {
  server_.elect();
  announce_primary();
}

// --- how a life ends

void Pipeline::mark_crash(bool) {
  Marks& marks = around_.marks;
  if (!oracle_->gate_open()) marks.hit(Mark::kCrashBeforeTheFirstSave);
  if (oracle_->draining()) marks.hit(Mark::kCrashWhileDraining);
  for (const Call& call : calls_) {
    if (std::holds_alternative<Write>(call.action)) {
      if (!call.answer) marks.hit(Mark::kCrashDuringWrite);
    } else if (std::holds_alternative<Save>(call.action)) {
      marks.hit(Mark::kCrashDuringSave);
    } else if (std::holds_alternative<PutDeadLetter>(call.action) && call.answer) {
      marks.hit(Mark::kCrashAfterLetterBeforeSave);
    }
    const auto* wrote = call.answer ? std::get_if<WriteDone>(&*call.answer) : nullptr;
    if (wrote && wrote->result && !profile_.limits.transactional) marks.hit(Mark::kCrashBetweenWriteAndSave);
  }
}

void Pipeline::die(bool power_lost) {
  if (!alive()) return;
  around_.trace.add(
      [&] { return describe() + (power_lost ? "  the power is lost" : "  the process is killed"); });
  mark_crash(power_lost);
  if (!finished()) {
    for (Call& call : calls_)
      if (!call.answer) happens_half(call);
  }
  end();
}

void Pipeline::end() {
  calls_.clear();
  store_.reset();
  core_.reset();
  oracle_.reset();
}

Pipeline::Caller Pipeline::caller_of(const Action& action) const {
  if (std::holds_alternative<Write>(action) || std::holds_alternative<OpenSink>(action))
    return Caller::kLanes;
  if (std::holds_alternative<AcquirePosition>(action))
    return profile_.limits.transactional ? Caller::kLanes : Caller::kSaver;
  if (std::holds_alternative<Save>(action) || std::holds_alternative<PutDeadLetter>(action))
    return Caller::kSaver;
  return Caller::kReader;
}

bool Pipeline::has_call_of(Caller caller) const {
  return std::any_of(calls_.begin(), calls_.end(),
                     [&](const Call& call) { return !call.answer && caller_of(call.action) == caller; });
}

void Pipeline::finish_calls_of(Caller caller) {
  for (Call& call : calls_) {
    if (!call.answer && caller_of(call.action) == caller)
      call.answer = std::visit([this](auto& what) { return carry_out(what); }, call.action);
  }
}

std::string Pipeline::describe() {
  const auto now_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(around_.clock.now().time_since_epoch());
  std::string words = std::to_string(now_ms.count()) + " ms " + profile_.name + " [" +
                      std::to_string(ends_.safe_prefix()) + " of " + std::to_string(server_.newest()) +
                      " safe, " + std::to_string(stored_truth()) + " stored";
  if (core_) words += ", " + std::string(to_string(core_->status().state));
  return words + "]";
}

}  // namespace tidemark::sim
