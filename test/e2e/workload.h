// Writes to one collection as an application would, and what an independent reader makes of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bson/document.h"
#include "env/random.h"
#include "support/mongo.h"

namespace tidemark::e2e {

// Inserts, updates, replaces and deletes documents with ids and values of many types, on a thread of its own, each
// write acknowledged by the majority. The same seed gives the same writes.
class Workload {
 public:
  // `pause_us` between writes keeps the other end able to follow.
  Workload(std::string uri, std::string database, std::string collection, uint64_t seed,
           int pause_us = 1'000);
  ~Workload();

  // Ends, after a last document {_id: "the end"}. The number of writes. Throws when a write was refused.
  int64_t stop();
  static constexpr const char* kEndId = "\"the end\"";
  int64_t written() const { return written_.load(); }

 private:
  void run(std::stop_token stop);
  Status write(testing::Mongo& client);

  const std::string uri_, database_, collection_;
  SeededRandom random_;
  const int pause_us_;
  std::atomic<int64_t> written_ = 0;
  std::string failure_;  // the thread's own until it is joined
  std::jthread thread_;
};

// A change stream read by the driver itself from now on, with no code of the program.
class ReferenceStream {
 public:
  ReferenceStream(const std::string& uri, const std::string& database, const std::string& collection);
  ~ReferenceStream();
  // The token of every event up to the insert of Workload::kEndId. Throws with the server's words.
  std::vector<std::string> tokens_to_the_end();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::e2e
