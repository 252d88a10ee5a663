// The application of a trial: writes to one collection, one write after the other and each acknowledged by the majority,
// replaces and renames the collection now and then, and remembers what was acknowledged and what it doesn't know. Runs on a
// thread of its own; the counters may be read from any thread, the history after join(). The same seed makes the same writes
// as long as the same ones succeed.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "bson/document.h"
#include "chaos/history.h"

namespace tidemark::chaos {

inline constexpr const char* kCollection = "orders";
inline constexpr const char* kEndId = "\"the end\"";

inline constexpr int kNoLimit = std::numeric_limits<int>::max();

struct WriterOptions {
  std::string uri;
  std::string database;
  uint64_t seed = 0;
  int writes = 0;
  bool moves = true;        // whether the collection is replaced and renamed, too
  int pause_us = 1'000;     // between two writes
  int go_on_to = kNoLimit;  // see go_on_to()
};

class Writer {
 public:
  explicit Writer(WriterOptions options);
  ~Writer();

  int tried() const { return tried_.load(); }
  // The writer waits before the write that would come after this many. A fault that is due after 30 writes then begins after
  // 30, however slowly the machine runs whoever inflicts it; what is written while it lasts is not held up.
  void go_on_to(int tried);
  bool done() const { return done_.load(); }
  // Ends early.
  void stop();
  void join();

  // After join().
  History& history() { return history_; }
  uint64_t unknown() const { return unknown_; }
  // What contradicts an acknowledgement: an update of a document that must be there finds none.
  const std::string& contradiction() const { return contradiction_; }
  // After join(): writes the last document and gives the cluster time that a position must reach to be behind it. Tries
  // for as long as `patience_ms`.
  Result<bson::Timestamp> write_the_end(int patience_ms);

 private:
  struct Client;
  struct Slot;
  struct Planned;
  void run(std::stop_token stop);
  Planned plan(const Slot& slot, Op op);
  void settle(Slot& slot, Planned planned, bool known);
  void check_met(const Planned& planned, int64_t met);
  void write_one(Slot& slot);
  void write_transaction();
  Slot& any_slot();
  // What happens to the whole collection; writer_moves.cc.
  void move_collection();
  void replace_collection(uint64_t how);
  void move_away(bool other_database, bool back);
  bool fill(const std::string& database, const std::string& collection,
            const std::vector<bson::Document>& documents);
  int run_until_known(const std::string& database, const std::string& command, bool renames);

  const WriterOptions options_;
  std::unique_ptr<Client> client_;
  std::vector<Slot> slots_;
  History history_;
  uint64_t unknown_ = 0;
  int64_t next_n_ = 0;
  std::string contradiction_;
  int moves_ = 0;
  std::atomic<int> tried_ = 0;
  std::atomic<int> limit_;
  std::atomic<bool> done_ = false;
  std::jthread thread_;
};

// The id of writes that the chaos makes without the majority, so that a rollback takes them back.
std::string unreplicated_id_json(int64_t n);

}  // namespace tidemark::chaos
