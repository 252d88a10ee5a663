// `[guard]`, `[[guard.rule]]` and `[[guard.audit]]`: their fields, and their values as the guard takes them. Pure functions.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "guard/audit_parts.h"
#include "guard/rules.h"

namespace tidemark::guard {

const config::ComponentSpec& guard_spec();        // kind "guard", no type
const config::ComponentSpec& guard_rule_spec();   // kind "guard_rule"
const config::ComponentSpec& guard_audit_spec();  // kind "guard_audit"

struct GuardFrame {
  std::chrono::milliseconds interval{10'000};
  std::chrono::milliseconds resume_max{600'000};
  bool enabled = true;
  std::string state;  // folder; empty = nothing is kept
};

struct ScheduledAudit {
  std::string pipeline;
  std::chrono::milliseconds every{600'000};  // 0 = only by hand
  AuditOptions options;                      // without state_path: its folder is the frame's
};

// REQUIRES settings of the matching spec. Errors are kConfig and name the field's place.
Result<GuardFrame> guard_frame(const config::Settings& settings);
Result<RuleOverride> rule_override(const config::Settings& settings);
Result<ScheduledAudit> scheduled_audit(const config::Settings& settings);

// Every rule with its defaults, as a Markdown table for the reference and the manual.
std::string rules_table();

}  // namespace tidemark::guard
