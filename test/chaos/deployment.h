// The replica set of a trial and the orders that it takes: the sandbox's own, or what a real deployment has of them. Owned
// by the trial; one thread. An order that can't be carried out now (there is no primary to kill) comes back as an error.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "support/process.h"
#include "support/sandbox.h"

namespace tidemark::chaos {

class Deployment {
 public:
  // The sandbox with short elections and no-ops, or what TIDEMARK_TEST_SERVER says.
  static Result<std::unique_ptr<Deployment>> start(uint64_t seed);
  ~Deployment();

  const std::string& uri() const { return set_->uri(); }
  const std::string& database() const { return set_->database(); }
  bool is_sandbox() const { return set_->is_sandbox(); }

  // To any member that answers.
  Result<bson::Document> order(const std::string& command);
  // To every member that answers.
  void order_all(const std::string& command);

  Status step_down();
  // The member that it met. `primary` or any secondary.
  Result<int> kill(bool primary);
  Status restart(int member);
  Result<int> pause(bool primary);
  Status resume(int member);
  // With `clients` its clients don't reach it either.
  Result<int> partition(bool primary, bool clients);
  Status heal(int member);
  // True for all but the primary: nothing more is acknowledged by the majority.
  void set_replicating(bool on);
  // Writes to the primary alone, which a rollback takes back; how many succeeded.
  int write_unreplicated(const std::string& database, const std::string& collection, int count,
                         int64_t& next);
  void delay(int ms);
  // Drops everything that a stream from `position` doesn't need: the newest entry that isn't later is the first to stay.
  Status truncate_oplog(bson::Timestamp position);
  void fail_commands(const std::string& data);
  void stop_failing();
  // Brings every member back.
  void heal_all();
  // "member 0 primary term 3, ...", for a report.
  std::string status();

 private:
  Deployment() = default;
  Result<bson::Document> ask(size_t member, const std::string& command);
  Result<int> kill_mongod(bool primary);
  // The primary, or a secondary that answers.
  Result<int> find_member(bool primary);
  // `fields` say what happens to `member`, which can't be asked: it may be gone before it answers.
  Status order_about(int member, const std::string& fields);

  struct Member {
    std::string uri;
    bool killed = false;
    bool mute = false;  // answers nothing
    bool up() const { return !killed && !mute; }
    std::vector<std::string> command_line;  // of a mongod that was killed
    std::unique_ptr<testing::Process> process;
  };

  std::unique_ptr<testing::ReplicaSet> set_;
  std::vector<Member> members_;
};

}  // namespace tidemark::chaos
