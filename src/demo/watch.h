// What the demo knows of the running planes, seen from outside: one thread counts MongoDB, one counts SQLite and reads the
// archive's stored position, one asks the page's own HTTP interface what it tells a browser.
#pragma once

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "demo/audit.h"
#include "demo/faults.h"
#include "demo/ledger.h"
#include "demo/net.h"
#include "demo/poster.h"
#include "demo/server.h"
#include "demo/view.h"
#include "env/clock.h"

namespace tidemark::demo {

class Watch {
 public:
  // `poster`, `faults` and `clock` outlive it. `page_port` is where the interface answers.
  Watch(Server server, const Addresses& addresses, Poster& poster, Faults& faults, Clock& clock);
  ~Watch();

  // Fills the figures of the planes into the snapshot.
  void fill(Snapshot& snapshot) const EXCLUDES(mutex_);
  // True once MongoDB and SQLite hold as many events as were accepted, and every fault was survived.
  bool drained() const EXCLUDES(mutex_);

 private:
  void run(std::stop_token stop, std::chrono::milliseconds every, void (Watch::*look)());
  void look_at_storage();
  void look_at_archive();
  void look_at_page();

  Server server_;
  Destination archive_;
  LoopbackHttp page_;
  Poster& poster_;
  Faults& faults_;
  Clock& clock_;
  int looks_ = 0;  // the storage thread's own

  mutable Mutex mutex_;
  std::optional<int64_t> stored_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, int64_t>> severities_ GUARDED_BY(mutex_);
  std::optional<int64_t> archived_ GUARDED_BY(mutex_);
  std::optional<WallMs> position_saved_at_ GUARDED_BY(mutex_);
  std::optional<std::chrono::nanoseconds> lag_ GUARDED_BY(mutex_);
  RateMeter rate_ GUARDED_BY(mutex_);
  PageFigures page_figures_ GUARDED_BY(mutex_);
  // One each: an election keeps MongoDB from answering, and must not hide what the others do meanwhile.
  std::jthread storage_thread_;
  std::jthread archive_thread_;
  std::jthread page_thread_;
};

// What GET /api/pipelines says, as far as the demo shows it.
Result<PageFigures> read_overview(const std::string& json);

}  // namespace tidemark::demo
