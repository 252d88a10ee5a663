// The document that holds one pipeline's position and lease, and the commands that change it. Pure: nothing
// here talks to a server.
//
//   {_id: pipeline, epoch, owner, leaseUntil,                              the lease
//    token, clusterTime, savedAt, fingerprint, deployment, checksum}    the position, once saved
//
// Every change but the first names the epoch it was made under, so that an owner that lost its lease changes
// nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "bson/document.h"
#include "core/position.h"

namespace tidemark::mongo {

struct Lease {
  std::string collection;
  std::string pipeline;
  std::string owner;  // of this instance; no other has it
  uint64_t epoch = 0;
  std::chrono::milliseconds ttl{30'000};
};

// Whose clock says when a lease ends. The server's, so that owners with wrong clocks agree; the caller's is
// for services that have no pipeline updates.
struct LeaseClock {
  bool server = true;
  int64_t now_ms = 0;  // where !server
};

// Puts an expired lease there where nothing is; a duplicate key means that something is.
bson::Document insert_command(const Lease& lease);
// Takes the lease if it has expired or is the owner's own, and raises the epoch. The reply's `value` is the
// document after that, or null.
bson::Document acquire_command(const Lease& lease, const LeaseClock& clock);
// Saves and renews the lease. The reply's `n` is 0 once another owner has it.
bson::Document save_command(const Lease& lease, const LeaseClock& clock, const StoredPosition& stored);
bson::Document erase_command(const Lease& lease);
bson::Document release_command(const Lease& lease);
bson::Document find_command(const std::string& collection, const std::string& pipeline);

// The position in the document; empty when none was ever saved, kCorrupt (without a hint) when it fails its
// checksum.
Result<std::optional<StoredPosition>> read_position(bson::View document);

// Hexadecimal SHA-256 of everything that a position consists of. Not the epoch: a new owner raises that
// alone.
std::string checksum_of(StoredPosition stored);

}  // namespace tidemark::mongo
