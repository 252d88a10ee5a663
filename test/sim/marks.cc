#include "sim/marks.h"

namespace tidemark::sim {

std::string_view to_string(Mark mark) {
  static constexpr std::array<std::string_view, kMarkCount> kNames{"position lost during save",
                                                                   "position lost during write",
                                                                   "invalidate",
                                                                   "invalidate while draining",
                                                                   "closed without moving",
                                                                   "ready cuts a wait",
                                                                   "ready overtakes the failure",
                                                                   "ready ignored after three",
                                                                   "longest wait",
                                                                   "events behind an unsaved first mark",
                                                                   "read cancelled before the stop",
                                                                   "other deployment refused",
                                                                   "ambiguous commit resolved",
                                                                   "ambiguous commit unresolved",
                                                                   "fenced during write",
                                                                   "partial prefix on one of several lanes",
                                                                   "more durable than known",
                                                                   "barrier waits for lanes",
                                                                   "lanes finish out of order",
                                                                   "sink broken while draining",
                                                                   "commit of a mark alone",
                                                                   "commit inside a batch",
                                                                   "fenced during save",
                                                                   "save failed",
                                                                   "save failed while draining",
                                                                   "failed save overtaken by a newer",
                                                                   "save failed that had happened",
                                                                   "idle mark saved",
                                                                   "reading paused by unsaved events",
                                                                   "reading paused by batches",
                                                                   "reading paused by bytes",
                                                                   "corrupt refused",
                                                                   "absent refused",
                                                                   "backup fences its owner",
                                                                   "older position replayed",
                                                                   "rival at start",
                                                                   "lease refused a rival",
                                                                   "stop at a rejected event",
                                                                   "letter failed",
                                                                   "letter while a lane waits",
                                                                   "letter put back",
                                                                   "letter out while draining",
                                                                   "stop during back off",
                                                                   "stop before the first open",
                                                                   "stop with retry of a lane pending",
                                                                   "drain ends at its deadline",
                                                                   "denied before it worked",
                                                                   "denied for a while",
                                                                   "denied beyond patience",
                                                                   "fatal while draining",
                                                                   "save of a drain",
                                                                   "crash between write and save",
                                                                   "crash during save",
                                                                   "crash during write",
                                                                   "crash before the first save",
                                                                   "crash while draining",
                                                                   "crash after letter before save",
                                                                   "power loss leaves the old position",
                                                                   "power loss leaves the new position",
                                                                   "shutdown with writes out",
                                                                   "request answered during shutdown",
                                                                   "request refused during shutdown",
                                                                   "queue acknowledged during shutdown"};
  return kNames[static_cast<size_t>(mark)];
}

void Marks::add(const Marks& other) {
  for (size_t i = 0; i < kMarkCount; ++i) counts_[i] += other.counts_[i];
}

std::vector<std::string> Marks::missing() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < kMarkCount; ++i)
    if (counts_[i] == 0) names.emplace_back(to_string(static_cast<Mark>(i)));
  return names;
}

std::string Marks::table() const {
  std::string text;
  for (size_t i = 0; i < kMarkCount; ++i) {
    const std::string count = std::to_string(counts_[i]);
    text += std::string(count.size() < 9 ? 9 - count.size() : 0, ' ') + count + "  " +
            std::string(to_string(static_cast<Mark>(i))) + "\n";
  }
  return text;
}

}  // namespace tidemark::sim
