#include "sandbox/server/chaos.h"

namespace tidemark::sandbox {

namespace {

// Long enough for another member to be elected, short enough that never all of them are kept from it.
constexpr std::chrono::milliseconds kStepDownPeriod{100};

}  // namespace

Chaos::Chaos(ReplicaSet& set, ChaosOptions options, Clock& clock,
             std::function<void(const std::string&)> on_event)
    : set_(set),
      options_(options),
      clock_(clock),
      random_(options.seed),
      on_event_(std::move(on_event)),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

std::chrono::milliseconds Chaos::between(std::chrono::milliseconds low, std::chrono::milliseconds high) {
  return low + std::chrono::milliseconds(random_.below(static_cast<uint64_t>((high - low).count()) + 1));
}

void Chaos::run(std::stop_token stop) {
  while (true) {
    if (!clock_.sleep_until(clock_.now() + between(options_.calm_min, options_.calm_max), stop)) return;
    inflict(stop);
  }
}

// Cut short by the end of the schedule: what comes after it heals.
void Chaos::hold(std::stop_token stop) {
  clock_.sleep_until(clock_.now() + between(options_.fault_min, options_.fault_max), std::move(stop));
}

void Chaos::inflict(std::stop_token stop) {
  // Both are drawn whatever comes of them, so that the sequence depends on the seed alone.
  const auto kind = random_.below(8);
  const auto drawn = static_cast<int>(random_.below(static_cast<uint64_t>(set_.size())));
  const int primary = set_.primary().value_or(drawn);
  const auto tell = [this](const std::string& what, int member) {
    on_event_("chaos: " + what + " member " + std::to_string(member) + " (" + set_.address(member) + ")");
  };
  switch (kind) {
    case 0:
    case 1:
      tell("step down", primary);
      // Refused when nobody can take over: then this fault is a calm one.
      if (auto done = set_.step_down(kStepDownPeriod); !done)
        on_event_("chaos: no step-down: " + done.error().message);
      return;
    case 2:
    case 3: {
      const int victim = kind == 2 ? primary : drawn;
      tell("kill", victim);
      set_.kill(victim);
      hold(std::move(stop));
      tell("restart", victim);
      if (auto done = set_.restart(victim); !done) on_event_("chaos: " + done.error().describe());
      return;
    }
    case 4:
      tell("pause", drawn);
      set_.pause(drawn);
      hold(std::move(stop));
      tell("resume", drawn);
      set_.resume(drawn);
      return;
    case 5:
      tell("partition", primary);
      set_.partition(primary);
      hold(std::move(stop));
      tell("heal", primary);
      set_.heal(primary);
      return;
    case 6:
      on_event_("chaos: kill " + std::to_string(set_.kill_change_streams()) + " change stream cursors");
      return;
    default:
      on_event_("chaos: fail the next getMore of a change stream with code 11602");
      // The code and the count are constants that the fail point takes.
      (void)set_.fail_streams(kInterruptedDueToReplStateChange, 1);
  }
}

}  // namespace tidemark::sandbox
