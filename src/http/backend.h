// What the server asks the program for. Implemented by the command that runs the pipelines; every call may come from
// any of the server's threads, returns copies, and blocks for no network but where it says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "guard/report.h"
#include "runtime/status.h"

namespace tidemark::http {

struct LetterView {
  std::string pipeline = {};
  std::string id = {};
  std::string reason = {};
  std::string origin = {};
  std::string event = {};  // the event as JSON text
  int64_t at_ms = 0;
  int attempts = 1;
};

// A fault that can be inflicted by hand, in the demo only.
struct FaultButton {
  std::string name;   // "step_down"
  std::string label;  // "Step the primary down"
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::vector<PipelineView> pipelines() const = 0;
  virtual StatsView stats() const = 0;
  // What the guard has found; unconfigured where none runs.
  virtual guard::GuardView guard() const { return {}; }
  // Entries after `seq`, oldest first, at most the newest 500.
  virtual std::vector<TimelineEntry> timeline(uint64_t after) const = 0;
  // False while the pipeline behind the inlet `path` can't store: a submission would only wait for its time-out.
  virtual bool accepts(const std::string& path) const = 0;

  // Dead letters. These talk to the store and may block for seconds: called on a thread of their own. kConfig = the
  // pipeline is unknown or has no dead letters; what isn't there any more is kReject.
  virtual Result<std::vector<LetterView>> letters(const std::string& pipeline, const std::string& after,
                                                  size_t limit) = 0;
  virtual Status retry_letter(const std::string& pipeline, const std::string& id) = 0;
  virtual Status discard_letter(const std::string& pipeline, const std::string& id) = 0;

  // The demo's buttons; empty elsewhere.
  virtual std::vector<FaultButton> faults() const { return {}; }
  virtual Status inflict(const std::string& fault);
};

}  // namespace tidemark::http
