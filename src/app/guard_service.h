// The guard as a process has it: looks at every pipeline, audits, and whoever is told of an alert. Owned by the Service of
// `tidemark run`, or by `tidemark guard`; create(), start() and stop() belong to the owner's thread, view() and silence() to
// any.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/guard_parts.h"
#include "guard/notifier.h"
#include "guard/watch.h"
#include "runtime/timeline.h"

namespace tidemark::app {

struct GuardServiceOptions {
  std::string only;              // one pipeline's name; empty = all
  Timeline* timeline = nullptr;  // where alerts are noted; may be null; outlives the guard
  bool notify = true;            // false: nobody is told, neither the log nor a webhook
  bool at_once = false;          // alerts fire in the first look beyond their limit, whatever their `for`
  // What the process knows of a pipeline that it runs; null = it runs none.
  std::function<InsideView(const config::PipelineConfig&)> inside = nullptr;
  // Is shown every look before it is judged, on the look's thread; may be null.
  std::function<void(const guard::Signals&)> seen = nullptr;
};

class GuardService {
 public:
  // Makes every part; connects to nothing. Errors are kConfig. `app` and `file` outlive it.
  static Result<std::unique_ptr<GuardService>> create(App& app, const config::File& file,
                                                      GuardServiceOptions options);
  ~GuardService();  // stops

  // Makes the state folder; kConfig where that can't be.
  Status prepare();
  void start();
  // From now on no look is judged; returns at once. For a shutdown, which is no failure.
  void silence() { silent_ = true; }
  // Ends looks, audits and webhooks; what an audit has done so far is kept in the state folder.
  void stop();

  guard::GuardView view() const;
  // For a round by hand, instead of start().
  guard::Watch& watch() { return *watch_; }

 private:
  GuardService(App& app, const config::File& file, GuardServiceOptions options)
      : app_(app), file_(file), options_(std::move(options)) {}
  Status build();
  Status add_webhooks();
  Result<std::vector<guard::WatchSubject>> subjects();
  Result<std::vector<guard::WatchAudit>> audits();
  bool watches(const std::string& pipeline) const {
    return options_.only.empty() || options_.only == pipeline;
  }

  App& app_;
  const config::File& file_;
  const GuardServiceOptions options_;
  GuardSettings settings_;
  std::atomic<bool> silent_ = false;
  std::vector<std::unique_ptr<guard::Notifier>> notifiers_;
  std::vector<std::function<void()>> stop_notifiers_;
  std::unique_ptr<guard::Watch> watch_;  // last: it uses all of the above
};

// Everything that can be known about the guard without a connection: for `tidemark check`. Nothing is started.
Status check_guard(App& app, const config::File& file, const std::string& only);

}  // namespace tidemark::app
