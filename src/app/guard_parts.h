// From a configuration to what the guard looks at and audits: for each pipeline connections, stores and ends of the guard's
// own, so that nothing it learns comes from the pipeline that it judges. Used by Guard, by `tidemark audit` and by
// `tidemark check`; each call on the caller's thread, connecting to nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "guard/audit_parts.h"
#include "guard/settings.h"
#include "guard/signals.h"

namespace tidemark::app {

// The guard's settings: those of the file, or the defaults where it has no [guard].
struct GuardSettings {
  guard::GuardFrame frame;
  std::vector<guard::RuleOverride> rules;
  std::vector<guard::ScheduledAudit> audits;  // in file order

  // Of the file. Errors are kConfig.
  static Result<GuardSettings> of(const config::File& file);
};

// An audit of `pipeline` by hand, where the file has none of the kind: the defaults. An empty kind is a checksum's.
Result<guard::ScheduledAudit> default_audit(const std::string& pipeline, const std::string& kind);

// What the process that runs the pipeline can add to a look from outside; each may be null.
struct InsideView {
  std::function<std::optional<PipelineView>()> view;
  std::function<bool()> fenced;  // the pipeline ended because another instance owns its position
  std::function<std::optional<StatsView>()> stats;
  std::function<bool()> stopping;
};

// A look at one pipeline; `app` and `pipeline` outlive it. kConfig when a component can't be made.
Result<guard::Look> make_look(App& app, const config::PipelineConfig& pipeline, InsideView inside);

// What an audit of the pipeline is made of; `app` and `pipeline` outlive it. kConfig when its ends can't be audited, with
// the reason.
Result<guard::AuditParts> make_audit_parts(App& app, const config::PipelineConfig& pipeline);

// Where an audit keeps its progress: a file in the guard's state folder, or "" without one. An audit by hand has one of its
// own: it is refused neither because the guard audits just now, nor disturbs that.
std::string audit_state_path(const guard::GuardFrame& frame, const std::string& pipeline,
                             guard::AuditKind kind, bool by_hand);

}  // namespace tidemark::app
