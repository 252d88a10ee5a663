// Audits one pipeline from outside: what its source holds against what its destination holds, while it runs. Two kinds: counts
// by time bucket, and checksums down to the documents. Made by the composition root for each [[guard.audit]] and by the command
// `tidemark audit`; owned by who runs it. One thread at a time; run() and repair() block for as long as the ends take.
#pragma once

#include <stop_token>

#include "guard/audit_expect.h"
#include "guard/audit_parts.h"
#include "guard/audit_report.h"
#include "guard/checkpoint.h"

namespace tidemark::guard {

class Audit {
 public:
  Audit(AuditParts parts, AuditOptions options);
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  // From the checkpoint on where there is one of the same settings, else from the start. Errors: kRetry (run it again: it goes
  // on where it stood), kPositionLost and kConfig (nothing can be settled, and why), kCancelled (stopped; goes on next time),
  // kFatal.
  Result<AuditReport> run(std::stop_token stop, const OnAuditProgress& progress = {});

  // Puts the report's differences right and looks at each of them again. Those of a report whose differences aren't complete
  // take an audit more.
  Result<RepairReport> repair(const AuditReport& report, std::stop_token stop,
                              const OnAuditProgress& progress = {});

  const std::string& pipeline() const { return parts_.pipeline; }
  const AuditOptions& options() const { return options_; }

 private:
  Status open_ends(std::stop_token stop);
  void close_ends();
  std::string fingerprint() const;

  AuditParts parts_;
  const AuditOptions options_;
  Expectation expectation_;
  CheckpointStore checkpoints_;
};

}  // namespace tidemark::guard
