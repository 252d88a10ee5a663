// The stored position of a simulated pipeline: the real file store over the simulated disk, what others do to the file, and
// what the operator does about it.
#include <algorithm>
#include <utility>

#include "core/component.h"
#include "positions/file/component.h"
#include "sim/pipeline.h"

namespace tidemark::sim {
namespace {

constexpr uint64_t kOperationsOfASave = 8;

PositionContext context_of(const std::string& pipeline, const std::string& deployment) {
  return {pipeline, "fp", deployment};
}

}  // namespace

std::unique_ptr<PositionStore> Pipeline::make_store() const {
  config::Settings settings;
  settings.set("path", path_);
  ComponentContext context;
  context.pipeline = profile_.name;
  context.clock = &around_.clock;
  context.files = &around_.disk;
  return *file_position_component().make(settings, context);
}

// What the file says, judged by the format alone; empty when there is none or it holds no position.
std::optional<StoredPosition> Pipeline::stored_entry(bool* corrupt) const {
  const auto bytes = around_.disk.content(path_);
  if (!bytes) return std::nullopt;
  auto entry = StoredPosition::decode(*bytes);
  if (!entry) {
    if (corrupt) *corrupt = true;
    return std::nullopt;
  }
  if (entry->position.empty()) return std::nullopt;
  return std::move(*entry);
}

Index Pipeline::stored_truth() {
  if (profile_.limits.transactional) return ends_.stored;
  if (profile_.acknowledges()) return acknowledged_;
  if (seen_generation_ == around_.disk.generation()) return seen_stored_;
  seen_generation_ = around_.disk.generation();
  bool corrupt = false;
  const auto entry = stored_entry(&corrupt);
  if (!tampered_ && !machine_died() && (corrupt || !entry))
    around_.verdict.violated(rule::kNeverInvented, corrupt
                                                       ? "the position file is damaged, and nobody damaged it"
                                                       : "the position is gone, and nobody removed it");
  if (entry) seen_stored_ = index_of(entry->position);
  return seen_stored_;
}

void Pipeline::check_truth() {
  if (machine_died()) return;  // looked at once it runs again
  const Index stored = stored_truth();
  SIM_CHECK(around_.verdict, stored <= ends_.safe_prefix(), rule::kReturnMeansDurable,
            "the stored position " + std::to_string(stored) + " covers entry " +
                std::to_string(ends_.safe_prefix() + 1) + ", which is durable nowhere");
  SIM_CHECK(around_.verdict, stored >= newest_stored_ || may_go_back_, rule::kReturnMeansDurable,
            "the stored position went back from " + std::to_string(newest_stored_) + " to " +
                std::to_string(stored));
  if (stored < newest_stored_) may_go_back_ = false;
  newest_stored_ = stored;
  newest_stored_ever_ = std::max(newest_stored_ever_, stored);
}

// --- the owner's calls

Result<std::optional<StoredPosition>> Pipeline::acquire(const std::string& deployment) {
  if (profile_.acknowledges()) {
    StoredPosition stored;
    stored.fingerprint = "fp";
    stored.deployment = deployment;
    return stored;
  }
  if (profile_.limits.transactional) {
    if (is_denied()) return fail(React::kDenied, "injected: the password is refused");
    if (around_.choices.fault(Fault::kSinkOpenFails, 4)) return fail(React::kRetry, "injected: no sink");
    // A session that was lost for a moment finds out when another owner was there meanwhile.
    if (owner_ && epoch_ != ends_.epoch) return fail(React::kFenced, "another owner was here");
    epoch_ = ++ends_.epoch;
    owner_ = true;
    StoredPosition stored;
    stored.position = position_of(ends_.stored);
    stored.fingerprint = "fp";
    stored.deployment = "rs0/1";
    return stored;
  }
  bool corrupt = false;
  const auto before = stored_entry(&corrupt);
  const bool planned = around_.choices.fault(Fault::kDiskFails, 5);
  if (planned) {
    around_.disk.fail_operation(around_.choices.damage(Fault::kDiskFails, kOperationsOfASave),
                                Disk::Damage::kRetry);
  }
  auto loaded = store_->acquire(context_of(profile_.name, deployment), {});
  if (planned) around_.disk.heal();
  const bool hit = around_.disk.take_hit();
  if (machine_died()) return loaded;
  Verdict& verdict = around_.verdict;
  if (!loaded) {
    if (loaded.error().react == React::kCorrupt) {
      around_.marks.hit(Mark::kCorruptRefused);
      if (!corrupt) verdict.violated(rule::kNeverInvented, "a sound position was called damaged");
    }
    if (loaded.error().react == React::kFenced) {
      around_.marks.hit(Mark::kRivalAtStart);
      if (!rival_) verdict.violated(rule::kFenced, "the lease was refused though nobody has it");
    } else if (!corrupt && !hit) {
      verdict.violated(rule::kNeverInvented, "a sound position was not loaded: " + loaded.error().what);
    }
    return loaded;
  }
  if (rival_) verdict.violated(rule::kFenced, "two owners have the lease");
  if (corrupt)
    verdict.violated(rule::kNeverInvented, "a damaged position was taken for another, or for none");
  if (before.has_value() != loaded->has_value() || (before && before->position != (*loaded)->position))
    verdict.violated(rule::kNeverInvented, "another position was loaded than was stored");
  owner_ = true;
  if (!*loaded) return loaded;
  held_epoch_ = (*loaded)->epoch;
  may_be_stored_ = {index_of((*loaded)->position)};
  if (index_of((*loaded)->position) < newest_stored_ever_) around_.marks.hit(Mark::kOlderPositionReplayed);
  return loaded;
}

Status Pipeline::save(const DurablePosition& position) {
  const Index place = index_of(position.get());
  if (profile_.acknowledges()) {
    acknowledged_ = std::max(acknowledged_, place);
    return {};
  }
  Choices& choices = around_.choices;
  const auto plan = [&](Fault fault, uint64_t n, Disk::Damage damage) {
    if (!choices.fault(fault, n)) return false;
    around_.disk.fail_operation(choices.damage(fault, kOperationsOfASave), damage);
    return true;
  };
  const bool planned = plan(Fault::kPowerLostInSave, 25, Disk::Damage::kPowerLost) ||
                       plan(Fault::kDiskBroken, 40, Disk::Damage::kFatal) ||
                       plan(Fault::kDiskFails, 5, Disk::Damage::kRetry);
  may_be_stored_.insert(place);
  Status saved = store_->save(position, {});
  if (planned) around_.disk.heal();
  if (machine_died()) return saved;
  const auto after = stored_entry();
  if (!saved) {
    if (after && index_of(after->position) == place) around_.marks.hit(Mark::kSaveFailedThatHadHappened);
    if (saved.error().react == React::kFenced && by_backup_) around_.marks.hit(Mark::kBackupFencesItsOwner);
    return saved;
  }
  if (usurped_)
    around_.verdict.violated(rule::kFenced, "a save succeeded after another owner took the position");
  if (tampered_)
    around_.verdict.violated(rule::kFenced, "a save succeeded over a file that is damaged or gone");
  if (!after || index_of(after->position) != place)
    around_.verdict.violated(rule::kReturnMeansDurable, "a save returned, and its position isn't stored");
  may_be_stored_ = {place};
  return saved;
}

void Pipeline::check_after_power_loss() {
  ++seen_generation_;  // look again
  if (profile_.acknowledges() || profile_.limits.transactional || tampered_) return;
  const auto entry = stored_entry();
  SIM_CHECK(around_.verdict, entry.has_value(), rule::kNeverInvented,
            "a power loss left no readable position");
  const Index place = index_of(entry->position);
  SIM_CHECK(around_.verdict, may_be_stored_.contains(place), rule::kReturnMeansDurable,
            "a power loss left " + std::to_string(place) + ", neither the old position nor the new one");
  if (may_be_stored_.size() > 1) {
    around_.marks.hit(place == *may_be_stored_.begin() ? Mark::kPowerLossLeavesTheOldPosition
                                                       : Mark::kPowerLossLeavesTheNewPosition);
    may_go_back_ = true;
  }
  may_be_stored_ = {place};
}

// --- what others do to it

// A second instance takes the position, moves it on in an orderly way, and goes on running.
void Pipeline::take_over() {
  const auto deliver = [this](Index from) {
    Index place = from;
    const Index end = std::min(server_.newest(), from + 3);
    while (place < end && place + 1 >= server_.oldest()) {
      const Entry& entry = server_.at(place + 1);
      const bool undeliverable = entry.poison || entry.kind == Entry::Kind::kUnreadable;
      if (undeliverable && profile_.limits.on_reject == OnReject::kStop) break;
      ++place;
      if (undeliverable)
        ends_.keep_letter(place);
      else if (entry.is_event())
        ends_.apply(place);
    }
    return place;
  };
  around_.trace.add([&] { return describe() + "  a second instance takes the position"; });
  if (profile_.limits.transactional) {
    ++ends_.epoch;
    ends_.stored = deliver(ends_.stored);
    return;
  }
  // Epochs count up from what the file says: over an old copy, or none, a second instance can get the very number that the
  // first has. That takes three mistakes at once, the lock's removal being one; and nothing is lost by it, because each
  // instance saves only what it has delivered itself.
  if (rival_ || by_backup_ || tampered_) return;
  auto rival = make_store();
  if (owner_ && alive() && !usurped_) {
    if (rival->acquire(context_of(profile_.name, "rs0/1"), {}))
      around_.verdict.violated(rule::kFenced, "a second instance got the lease of a living owner");
    around_.marks.hit(Mark::kLeaseRefusedARival);
    if (around_.choices.one_in(3)) return;
  }
  around_.disk.put(path_ + ".lock", std::nullopt);
  auto loaded = rival->acquire(context_of(profile_.name, "rs0/1"), {});
  if (!loaded || !*loaded) return;
  usurped_ = true;
  rival_ = std::move(rival);
  const Index place = deliver(index_of((*loaded)->position));
  if (!rival_->save(operator_position(position_of(place)), {}))
    around_.verdict.violated(rule::kReturnMeansDurable, "a save failed without a fault");
  may_be_stored_ = {place};
}

void Pipeline::restore_backup() {
  if (!backup_ || rival_) return;
  const auto entry = StoredPosition::decode(*backup_);
  if (!entry || entry->position.empty()) return;
  around_.trace.add([&] { return describe() + "  an old copy of the position is put back"; });
  around_.disk.put(path_, backup_);
  tampered_ = false;
  may_go_back_ = true;
  may_be_stored_ = {index_of(entry->position)};
  if (owner_ && alive()) usurped_ = by_backup_ = entry->epoch != held_epoch_;
}

void Pipeline::damage_file() {
  auto bytes = around_.disk.content(path_);
  if (!bytes || bytes->empty() || tampered_) return;  // the same byte twice would be sound again
  around_.trace.add([&] { return describe() + "  a byte of the position file flips"; });
  (*bytes)[around_.choices.damage(Fault::kFileDamaged, bytes->size())] ^= 1;
  around_.disk.put(path_, std::move(bytes));
  tampered_ = true;
}

// --- what the operator does

// `tidemark position init` or `set`.
void Pipeline::saved_by_operator(Index place) {
  auto store = make_store();
  auto loaded = store->acquire(context_of(profile_.name, "rs0/1"), {});
  if (!loaded && loaded.error().react == React::kCorrupt) {
    if (!store->erase({}))
      around_.verdict.violated(rule::kNeverInvented, "a damaged position can't be erased");
  }
  if (!store->save(operator_position(position_of(place)), {}))
    around_.verdict.violated(rule::kReturnMeansDurable, "the operator's position can't be saved");
  tampered_ = false;
  may_go_back_ = true;
  may_be_stored_ = {place};
}

void Pipeline::set_start(Index place) {
  for (Index index = 1; index <= place; ++index)
    if (!ends_.is_safe(index)) ends_.excuse(index);
  if (profile_.limits.transactional) {
    ends_.stored = place;
    may_go_back_ = true;
    return;
  }
  saved_by_operator(place);
}

void Pipeline::mend() {
  if (!outcome_) return;
  around_.trace.add([&] { return describe() + "  the operator mends: " + outcome_->what; });
  rival_.reset();
  switch (outcome_->react) {
    case React::kPositionLost:
      // What a transaction stored is good wherever it lies ahead.
      return set_start(std::max(server_.oldest() - 1, profile_.limits.transactional ? ends_.stored : 0));
    case React::kCorrupt:
      if (backup_ && around_.choices.one_in(2)) {
        owner_ = false;
        restore_backup();
        if (!tampered_) return;
      }
      return set_start(server_.oldest() - 1);
    case React::kFenced:
      return;
    case React::kDenied:
      denied_until_ = {};
      return;
    case React::kReject:
      for (Index index = 1; index <= server_.newest(); ++index) {
        const Entry& entry = server_.at(index);
        if ((entry.poison || entry.kind == Entry::Kind::kUnreadable) && !ends_.is_safe(index))
          return server_.mend(index);
      }
      return;
    default:
      if (tampered_ && !stored_entry()) set_start(server_.oldest() - 1);
  }
}

}  // namespace tidemark::sim
