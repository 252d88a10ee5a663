// One pipeline under simulation: the real PipelineCore and the real file store of positions, life after life, against a
// simulated server, sink and disk. Each call that the core asks for is first carried out and then answered, in steps that the
// seed puts in an order, so that a crash can come between any two. Owned by a Process; one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/pipeline_core.h"
#include "core/position_store.h"
#include "sim/ends.h"
#include "sim/oracle.h"
#include "sim/server.h"
#include "sim/surroundings.h"

namespace tidemark::sim {

struct Profile {
  std::string name = "p0";
  std::string source_type = "mongodb";  // "http" and "rabbitmq" acknowledge instead of saving
  std::string sink_type = "postgres";
  PipelineLimits limits;
  int reject_weight = 3;  // how many of a hundred entries can't be delivered, of each kind
  bool acknowledges() const { return source_type != "mongodb"; }
};

class Pipeline {
 public:
  Pipeline(Surroundings& around, Profile profile);

  // --- its lives
  void start();
  bool alive() const { return core_ != nullptr; }
  bool finished() const { return oracle_ && oracle_->finished(); }
  const std::optional<Error>& outcome() const { return outcome_; }
  // The process is gone. What was with a lane, the disk or the dead letters has happened or not; nobody will know.
  void die(bool power_lost);
  // The components were closed in order after Finish.
  void end();
  // The operator reads why it ended and does what the message says.
  void mend();

  // --- steps
  // Carries out one call or gives one answer. False when none is out.
  bool step();
  // Time has passed.
  void tick();
  std::optional<Mono> next_tick() const { return core_->next_tick(); }
  void request_stop();
  void announce_primary();
  // What happens to it from outside, by the seed.
  void happen();
  // Power was lost in the middle of its save.
  bool machine_died() const { return around_.disk.is_dead(); }

  // --- its end, as the threads of a runner see it: returns once the reader, the lanes or the saver have nothing out
  enum class Caller { kReader, kLanes, kSaver };
  void finish_calls_of(Caller caller);
  bool has_call_of(Caller caller) const;

  // --- the truth
  void check_truth();
  // The machine runs again after a power loss.
  void check_after_power_loss();
  // Everything was delivered and is covered by the stored position.
  bool complete() { return ends_.safe_prefix() == server_.newest() && stored_truth() == server_.newest(); }
  std::string describe();
  // The door is closed: no more requests come in.
  void refuse_requests() { refuses_ = true; }
  // Whatever is wrong with the surroundings for a while is over.
  void calm();

  Server& server() { return server_; }
  Ends& ends() { return ends_; }
  const Profile& profile() const { return profile_; }
  const Oracle* oracle() const { return oracle_.get(); }
  Index acknowledged() const { return acknowledged_; }

 private:
  struct Call {
    Action action;
    std::optional<Input> answer;  // it was carried out
  };

  void give(Input input);
  Caller caller_of(const Action& action) const;

  // --- the calls
  Input carry_out(IdentifySource& action);
  Input carry_out(OpenSink& action);
  Input carry_out(AcquirePosition& action);
  Input carry_out(OpenSource& action);
  Input carry_out(ReadSource& action);
  Input carry_out(Write& action);
  Input carry_out(Save& action);
  Input carry_out(PutDeadLetter& action);
  Input carry_out(Finish& action);
  Result<std::optional<StoredPosition>> acquire(const std::string& deployment);
  Status save(const DurablePosition& position);
  bool is_denied();
  WriteResult write(const WriteJob& job);
  WriteResult write_transaction(const WriteJob& job);
  void commit(const WriteJob& job);
  void happens_half(Call& call);
  void mark_crash(bool power_lost);

  // --- the position on the disk
  std::unique_ptr<PositionStore> make_store() const;
  std::optional<StoredPosition> stored_entry(bool* corrupt = nullptr) const;
  Index stored_truth();
  void saved_by_operator(Index place);
  void set_start(Index place);

  // --- from outside
  void take_over();
  void restore_backup();
  void damage_file();

  Surroundings& around_;
  const Profile profile_;
  const std::string path_;
  Server server_;
  Ends ends_;

  // --- one life
  std::unique_ptr<PipelineCore> core_;
  std::unique_ptr<Oracle> oracle_;
  std::unique_ptr<PositionStore> store_;
  std::vector<Call> calls_;
  std::vector<Action> actions_;
  std::optional<Error> outcome_;
  std::string deployment_ = "rs0/1";
  uint64_t epoch_ = 0;       // of the transactional sink's lease
  bool ambiguous_ = false;   // a transaction may have been committed without the core's knowing
  bool owner_ = false;       // the position's lease was taken
  bool usurped_ = false;     // and lost again: nothing may be saved any more
  bool by_backup_ = false;   // ... because an old copy was put over it
  uint64_t held_epoch_ = 0;  // of the file store's lease
  bool refuses_ = false;     // requests, because the process ends

  // --- across lives
  Mono denied_until_{};
  std::unique_ptr<PositionStore> rival_;
  std::optional<std::string> backup_;
  Index acknowledged_ = 0;   // of a queue: what it has forgotten
  Index newest_stored_ = 0;  // goes back only where it may
  Index newest_stored_ever_ = 0;
  std::set<Index> may_be_stored_;  // after a crash one of these is
  bool tampered_ = false;          // the file was damaged or removed on purpose
  bool may_go_back_ = false;       // an older position was put there on purpose
  uint64_t seen_generation_ = ~uint64_t{0};
  Index seen_stored_ = 0;
};

}  // namespace tidemark::sim
