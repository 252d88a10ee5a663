// Where alerts go besides the report: the log, a webhook, the timeline.
//
// Owned by the composition, which keeps a notifier alive longer than the Watch that calls it.
#pragma once

#include <cstdint>
#include <string>

#include "guard/report.h"

namespace tidemark::guard {

class Notifier {
 public:
  virtual ~Notifier() = default;

  // Called once when an alert fires (`firing`) and once when it resolves, in the order of the events, one call at a time,
  // from any thread. Must return at once (a webhook queues it), and must not call back into the Watch.
  virtual void notify(const AlertView& alert) = 0;

  // For GuardView::notices_sent and notices_failed; any thread, also during notify().
  struct Counts {
    uint64_t sent = 0;
    uint64_t failed = 0;
  };
  virtual Counts counts() const { return {}; }
};

// Warnings and criticals as lines of the log: "orders: alert position_stuck fires (critical): TEXT. HINT".
class LogNotifier final : public Notifier {
 public:
  void notify(const AlertView& alert) override;
};

// The sentence for a log or a timeline.
std::string sentence(const AlertView& alert);

}  // namespace tidemark::guard
