#include "sim/process.h"

#include <algorithm>

#include "sim/shutdown.h"

namespace tidemark::sim {
namespace {

using std::chrono::milliseconds;

constexpr int kCalmStepsMax = 6000;

// What ends a process without warning: not while its end is being simulated in a call of its own.
constexpr uint64_t kSudden =
    bit(Fault::kKilled) | bit(Fault::kPowerLost) | bit(Fault::kPowerLostInSave) | bit(Fault::kStop);
// What a process with several pipelines meets: faults that pass, so that the order of its end is what is looked at.
constexpr uint64_t kPassing = bit(Fault::kIdentifyFails) | bit(Fault::kSinkOpenFails) |
                              bit(Fault::kWriteFails) | bit(Fault::kLetterFails) | bit(Fault::kDiskFails) |
                              bit(Fault::kKilled) | bit(Fault::kPowerLost) | bit(Fault::kStop) |
                              bit(Fault::kAnswerLost) | bit(Fault::kElection);

// What a seed makes: its pipelines and its faults. From a stream of its own, so that both are the same however long it runs.
struct Shape {
  std::vector<Profile> profiles;
  uint64_t faults = 0;
  int steps = 0;
  std::string words;
};

PipelineLimits random_limits(Random& random) {
  PipelineLimits limits;
  limits.on_reject = random.below(3) > 0 ? OnReject::kDeadLetter : OnReject::kStop;
  limits.batch_events_max = 1 + random.below(6);
  limits.batch_bytes_max = 300 + random.below(1000);
  limits.in_flight_bytes_max = 400 + random.below(3000);
  limits.in_flight_batches_max = 1 + random.below(5);
  limits.unsaved_events_max = 4 + random.below(20);
  limits.idle_save = milliseconds(random.below(2) == 0 ? 1000 : 10'000);
  limits.auth_patience = milliseconds(8000);
  limits.drain_timeout = milliseconds(random.below(2) == 0 ? 2000 : 10'000);
  return limits;
}

Shape shape_of(const Schedule& schedule) {
  SeededRandom random(schedule.seed * 0x9e3779b97f4a7c15 + 1);
  Shape shape;
  shape.steps = 60 + static_cast<int>(random.below(240));
  // Only some faults at a time: a schedule in which everything fails gets nowhere interesting.
  for (size_t i = 0; i < kFaultCount; ++i)
    if (random.below(5) < 2) shape.faults |= uint64_t{1} << i;
  const uint64_t kind = random.below(10);
  Profile profile;
  profile.limits = random_limits(random);
  profile.reject_weight = random.below(2) == 0 ? 0 : 3;
  if (kind < 4) {
    profile.limits.lanes = 1 + static_cast<int>(random.below(4));
    shape.words = std::to_string(profile.limits.lanes) + " lanes, file store";
  } else if (kind < 7) {
    profile.limits.transactional = true;
    shape.words = "transactional";
  } else if (kind < 8) {
    shape.words = "one lane, file store";
  } else {
    shape.words = "several pipelines";
    shape.faults &= kPassing;
    profile.limits.on_reject = OnReject::kDeadLetter;
    profile.limits.transactional = random.below(2) == 0;
    Profile door = profile;
    door.name = "door";
    door.source_type = "http";
    door.sink_type = "rabbitmq";
    door.limits = random_limits(random);
    door.limits.on_reject = OnReject::kDeadLetter;
    Profile queue = door;
    queue.name = "queue";
    queue.source_type = "rabbitmq";
    queue.sink_type = "mongodb";
    queue.limits.lanes = 1 + static_cast<int>(random.below(3));
    shape.profiles = {profile, queue, door};
    return shape;
  }
  shape.profiles = {profile};
  return shape;
}

class Process {
 public:
  Process(const Schedule& schedule, Shape shape)
      : shape_(std::move(shape)),
        around_(schedule.seed, shape_.faults & schedule.faults, schedule.traced),
        faulty_steps_(schedule.steps.value_or(shape_.steps)),
        disk_fault_(schedule.disk_operation.has_value()) {
    for (const Profile& profile : shape_.profiles)
      pipelines_.push_back(std::make_unique<Pipeline>(around_, profile));
    around_.disk.set_lie(schedule.disk_lie);
    if (schedule.disk_operation) around_.disk.fail_operation(*schedule.disk_operation, schedule.disk_damage);
  }

  Report run() {
    for (auto& pipeline : pipelines_) pipeline->start();
    for (int i = 0; i < faulty_steps_ && ok(); ++i) step();
    around_.trace.add([] { return std::string("the faults end here"); });
    around_.choices.calm();
    for (auto& pipeline : pipelines_)
      if (pipeline->alive()) pipeline->calm();
    for (int i = 0; i < kCalmStepsMax && ok() && !complete(); ++i) step();
    if (ok() && !complete())
      around_.verdict.violated(rule::kEventuallyDelivered, "stuck: " + pipelines_[0]->describe());
    if (ok()) shut_down();
    Report report;
    report.steps = around_.steps;
    report.disk_fault_hit = disk_fault_ && !around_.disk.is_due();
    report.disk_operations = around_.disk.operations();
    report.marks = around_.marks;
    report.violation = around_.verdict.violation();
    report.shape = shape_.words;
    report.trace.assign(around_.trace.lines().begin(), around_.trace.lines().end());
    return report;
  }

 private:
  bool ok() const { return around_.verdict.ok(); }
  bool several() const { return pipelines_.size() > 1; }
  bool complete() {
    return std::all_of(pipelines_.begin(), pipelines_.end(),
                       [](auto& pipeline) { return pipeline->complete(); });
  }

  void step() {
    move_on();
    if (!ok()) return;
    if (around_.disk.is_dead()) {
      die(true);
    } else if (around_.choices.fault(Fault::kKilled, 90)) {
      die(false);
    } else if (around_.choices.fault(Fault::kPowerLost, 120)) {
      die(true);
    } else if (around_.choices.fault(Fault::kStop, 90)) {
      stop();
    }
    for (auto& pipeline : pipelines_)
      if (pipeline->finished()) ended(*pipeline);
    check();
  }

  // One thing happens: a call is carried out or answered, time passes, or something comes from outside.
  void move_on() {
    Pipeline& pipeline = *pipelines_[around_.choices.below(pipelines_.size())];
    const uint64_t dice = around_.choices.below(10);
    if (dice < 2) {
      if (pipeline.alive()) pipeline.happen();
    } else if (dice < 3 || !pipeline.alive() || pipeline.finished() || !pipeline.step()) {
      pass_time();
    }
    check();
  }

  void check() {
    for (auto& pipeline : pipelines_) pipeline->check_truth();
  }

  // Exactly to the next time that somebody asked to be woken at, or just on.
  void pass_time() {
    std::optional<Mono> next;
    for (auto& pipeline : pipelines_) {
      if (!pipeline->alive() || pipeline->finished()) continue;
      const auto tick = pipeline->next_tick();
      if (tick && (!next || *tick < *next)) next = tick;
    }
    const Mono now = around_.clock.now();
    if (next && *next > now && around_.choices.one_in(2))
      around_.clock.advance(*next - now);
    else
      around_.clock.advance(milliseconds(around_.choices.below(1500)));
    for (auto& pipeline : pipelines_)
      if (pipeline->alive()) pipeline->tick();
  }

  // The process is gone, and later it is started again.
  void die(bool power_lost) {
    for (auto& pipeline : pipelines_) pipeline->die(power_lost);
    if (power_lost && !around_.disk.is_dead()) around_.disk.lose_power();
    around_.disk.restart();
    for (auto& pipeline : pipelines_) {
      if (power_lost) pipeline->check_after_power_loss();
      pipeline->start();
    }
  }

  void stop() {
    if (!several() && around_.choices.one_in(2)) return pipelines_[0]->request_stop();
    shut_down();
    if (!ok()) return;
    for (auto& pipeline : pipelines_) {
      pipeline->mend();
      pipeline->start();
    }
  }

  void shut_down() {
    const uint64_t allowed = around_.choices.allow(around_.choices.allowed() & ~kSudden);
    std::vector<Pipeline*> all;
    for (auto& pipeline : pipelines_) all.push_back(pipeline.get());
    std::vector<Index> acknowledged;
    for (Pipeline* pipeline : all) acknowledged.push_back(pipeline->acknowledged());
    Shutdown(around_, all, [this] { move_on(); }).run_plan();
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i]->profile().source_type == "rabbitmq" && all[i]->acknowledged() > acknowledged[i])
        around_.marks.hit(Mark::kQueueAcknowledgedDuringShutdown);
      all[i]->end();
    }
    around_.choices.allow(allowed);
    if (ok()) check();
  }

  // A pipeline has ended by itself: it is put away, the operator does what its message says, and it is started again.
  void ended(Pipeline& pipeline) {
    const uint64_t allowed = around_.choices.allow(around_.choices.allowed() & ~kSudden);
    Shutdown(around_, {&pipeline}, [this] { move_on(); }).run_join();
    around_.choices.allow(allowed);
    pipeline.end();
    pipeline.mend();
    pipeline.start();
  }

  const Shape shape_;
  Surroundings around_;
  const int faulty_steps_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
  const bool disk_fault_;
};

}  // namespace

Report run_schedule(const Schedule& schedule) { return Process(schedule, shape_of(schedule)).run(); }

Minimal minimise(const Schedule& schedule) {
  Minimal minimal{schedule, run_schedule(schedule)};
  const auto still_fails = [&](const Schedule& smaller) {
    const Report report = run_schedule(smaller);
    return report.violation && minimal.report.violation &&
           report.violation->rule == minimal.report.violation->rule;
  };
  for (size_t i = 0; i < kFaultCount; ++i) {
    Schedule smaller = minimal.schedule;
    smaller.faults &= ~(uint64_t{1} << i);
    if (still_fails(smaller)) minimal.schedule = smaller;
  }
  for (int steps = 0; steps < 300; steps += 10) {
    Schedule smaller = minimal.schedule;
    smaller.steps = steps;
    if (!still_fails(smaller)) continue;
    minimal.schedule = smaller;
    break;
  }
  minimal.schedule.traced = true;
  minimal.report = run_schedule(minimal.schedule);
  return minimal;
}

std::string describe(const Schedule& schedule, const Minimal& minimal) {
  const auto& violation = minimal.report.violation;
  std::string text =
      "seed " + std::to_string(schedule.seed) + " (" + minimal.report.shape + ") breaks: " +
      (violation ? violation->rule + ": " + violation->what : std::string("nothing when run again")) + "\n";
  text += "  again: tidemark_sim_test --seed=" + std::to_string(schedule.seed) + "\n  smaller: faults";
  for (size_t i = 0; i < kFaultCount; ++i) {
    Schedule without = minimal.schedule;
    if ((shape_of(without).faults & without.faults & uint64_t{1} << i) != 0)
      text += std::string(" \"") + std::string(to_string(static_cast<Fault>(i))) + "\"";
  }
  if (minimal.schedule.steps) text += ", " + std::to_string(*minimal.schedule.steps) + " steps with faults";
  text += "\n  its last steps:\n";
  for (const std::string& line : minimal.report.trace) text += "    " + line + "\n";
  return text;
}

}  // namespace tidemark::sim
