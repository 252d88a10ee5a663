// Inflicts the faults of a schedule and takes each back when its time is over. Owned by the trial; one thread, but for locks
// on a destination, which a thread of this holds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "chaos/deployment.h"
#include "chaos/relay.h"
#include "chaos/schedule.h"
#include "support/postgres.h"

namespace tidemark::chaos {

// What a trial runs beside the relays, and what dies with them: the consumers that they are compared with.
class Bystander {
 public:
  virtual ~Bystander() = default;
  virtual void kill(Time now, Process::Milliseconds down) = 0;
};

struct World {
  Deployment* deployment = nullptr;
  std::vector<std::unique_ptr<Relay>>* relays = nullptr;
  std::vector<Bystander*> bystanders;
  testing::PostgresServer* postgres = nullptr;  // null: none
  std::string postgres_uri;                     // with the trial's own schema
  std::string database;
  std::string disk;  // a file system of its own that may be filled; empty: limits of the processes are used
  bool together = false;  // what happens to the process of one relay happens to all, and to the bystanders
};

class Faults {
 public:
  explicit Faults(World world) : world_(std::move(world)) {}
  ~Faults();

  // At once, or as soon as it can be: there may be no primary to kill just now.
  void inflict(const Fault& fault, Time now);
  // Inflicts what had to wait, and takes back what is over.
  void tick(Time now);
  // Nothing waits to be inflicted or taken back.
  bool quiet() const { return pending_.empty() && waiting_.empty(); }
  // Takes everything back at once, and waits for locks to be given up.
  void heal_all(Time now);

  // Faults that could not be inflicted (there was no primary just then), by name.
  const std::vector<std::string>& missed() const { return missed_; }
  int inflicted() const { return inflicted_; }
  // For the report of a failure: up to which positions the oplog was truncated.
  const std::vector<std::string>& truncated() const { return truncated_; }
  // Writes that only the primary got have the numbers from the first to before next_unreplicated(): each is in the source
  // in the end, and then everywhere, or it is nowhere.
  static constexpr int64_t kFirstUnreplicated = 1'000'000;
  int64_t next_unreplicated() const { return next_unreplicated_; }

 private:
  struct Pending {
    Time at;
    std::function<bool()> undo;  // false: try again at the next tick
  };
  struct Waiting {
    Fault fault;
    Time give_up;
  };
  Status try_to_inflict(const Fault& fault, Time now);
  Status inflict_on_members(const Fault& fault, Time now);
  Status inflict_on_streams(const Fault& fault, Time now);
  Status inflict_on_relay(const Fault& fault, Time now);
  void inflict_on_process(Relay& relay, const Fault& fault, Time now);
  Status inflict_on_sink(const Fault& fault, Time now);
  Status roll_back(const Fault& fault, Time now);
  Status truncate_oplog();
  Status lock_sink(Relay& relay, int ms, bool positions);
  Status fill_disk(Time now, int ms);
  Status crash_postgres(Time now, int ms);
  void fail_for(const std::string& data, Time now, int ms);
  void later(Time now, int ms, std::function<bool()> undo);

  const World world_;
  std::vector<Pending> pending_;
  std::vector<Waiting> waiting_;
  std::vector<std::jthread> holders_;
  std::vector<std::string> missed_;
  std::vector<std::string> truncated_;
  int inflicted_ = 0;
  int64_t next_unreplicated_ = kFirstUnreplicated;
  bool postgres_down_ = false;
};

}  // namespace tidemark::chaos
