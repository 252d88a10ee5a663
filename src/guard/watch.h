// The guard at work: a thread for each subject that looks at it every `interval`, one thread that runs the audits one after
// the other, one that notices a look that hangs. Everything learnt goes through Alerts; what fires or resolves goes to the
// notifiers.
//
// Owned by the composition, which keeps clock and notifiers alive longer. view() may be called by any thread; start() and
// stop() by the owner. Without start() a test drives it by look_once() and run_audits_once().
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "guard/alerts.h"
#include "guard/notifier.h"
#include "guard/report.h"
#include "guard/signals.h"

namespace tidemark::guard {

// One pipeline to look at. A look is destroyed after stop(), on the owner's thread.
struct WatchSubject {
  std::string pipeline;
  SubjectFacts facts;
  Look look;
};

// One `[[guard.audit]]`.
struct WatchAudit {
  std::string pipeline;
  std::string kind;                    // "count" or "checksum"
  std::chrono::milliseconds every{0};  // 0 = only by hand: it is shown, and never run here
  // Runs it once, on the audit thread; `progress` takes 0 to 1 at any time meanwhile. Of the view only the figures count;
  // pipeline, kind, state and times are Watch's own. An error of kCancelled is no failure.
  using Progress = std::function<void(double)>;
  using Run = std::function<Result<AuditView>(std::stop_token stop, const Progress& progress)>;
  Run run;
  // What is known from an earlier process: the figures and finished_at_ms.
  std::optional<AuditView> last = {};
};

struct WatchOptions {
  AlertsOptions alerts;
  // From start() to the first run of an audit, when `every` isn't shorter.
  std::chrono::milliseconds first_audit_after{10'000};
  // A run that failed by what may pass is repeated after this, when `every` isn't shorter; other failures after `every`.
  std::chrono::milliseconds audit_retry_after{60'000};
};

class Watch {
 public:
  Watch(WatchOptions options, std::vector<WatchSubject> subjects, std::vector<WatchAudit> audits,
        std::vector<Notifier*> notifiers, Clock& clock);
  ~Watch();

  void start();
  // Asks every look and the audit under way to end, and waits for them.
  void stop();

  // One round of looks, on the calling thread.
  void look_once(std::stop_token stop) EXCLUDES(mutex_);
  // Every scheduled audit once, on the calling thread.
  void run_audits_once(std::stop_token stop) EXCLUDES(mutex_);

  GuardView view() const EXCLUDES(mutex_);

 private:
  // The fields below the line are guarded by mutex_, which a nested struct can't say.
  struct Watched {
    WatchSubject subject;
    std::jthread thread;
    // ---
    std::optional<Mono> looked_at;      // when a look last came back
    std::optional<Mono> looking_since;  // the look under way
  };
  struct Audited {
    WatchAudit audit;
    // ---
    AuditView view;
    uint64_t failures_in_a_row = 0;
    bool permanent = false;
    std::optional<Mono> succeeded_at;
    Mono due_at{};
  };

  void look(Watched& watched, std::stop_token stop) EXCLUDES(mutex_);
  void tick() EXCLUDES(mutex_);
  void run_schedule(std::stop_token stop) EXCLUDES(mutex_);
  void run_due_audits(std::stop_token stop) EXCLUDES(mutex_);
  void run_audit(Audited& audited, std::stop_token stop) EXCLUDES(mutex_);
  void take_audit(Audited& audited, Result<AuditView> result, Mono begun) REQUIRES(mutex_);
  void judge(Signals signals) REQUIRES(mutex_);
  AuditView present(const Audited& audited, Mono now) const REQUIRES(mutex_);
  std::chrono::milliseconds interval() const { return options_.alerts.interval; }

  const WatchOptions options_;
  const std::vector<Notifier*> notifiers_;
  Clock& clock_;
  std::vector<std::unique_ptr<Watched>> watched_;
  std::vector<std::unique_ptr<Audited>> audited_;

  mutable Mutex mutex_;
  Alerts alerts_ GUARDED_BY(mutex_);

  std::jthread ticker_;
  std::jthread auditor_;
};

}  // namespace tidemark::guard
