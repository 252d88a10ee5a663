// What a sandbox replica set is started with. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "sandbox/store/version.h"

namespace tidemark::sandbox {

struct ReplicaSetOptions {
  int members = 3;
  uint16_t port = 0;  // member i listens on port + i; 0: free ports
  std::string bind = "127.0.0.1";
  std::string set_name = "rs0";
  size_t oplog_bytes_max = size_t{64} << 20;
  uint64_t seed = 1;
  std::chrono::milliseconds election{300};
  std::chrono::milliseconds noop{10'000};
  ServerVersion version{7, 0};   // or 4.2, or 4.4
  size_t connections_max = 512;  // per member
  bool majority_reads = true;    // false: a server before 5.0 with enableMajorityReadConcern off
  bool router = false;           // the one member shows itself as a mongos in front of shards
  // Both set: clients must authenticate with SCRAM-SHA-256.
  std::string user;
  std::string password;
  // Told, on any thread, of every fault and election that happens by itself; may be empty.
  std::function<void(const std::string&)> on_event;
};

}  // namespace tidemark::sandbox
