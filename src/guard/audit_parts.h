// What an audit is made of and how it is to be done. Filled by the composition root, owned by guard::Audit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/audit.h"
#include "core/position.h"
#include "core/sink.h"
#include "core/source.h"
#include "core/transform.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "guard/audit_report.h"

namespace tidemark::guard {

struct AuditParts {
  std::string pipeline;
  std::unique_ptr<AuditSource> source;
  std::unique_ptr<AuditEnd> end;
  std::vector<std::unique_ptr<Transform>> transforms;  // the pipeline's, in its order
  // The stored position as it is now; empty when none was ever saved.
  std::function<Result<std::optional<StoredPosition>>(std::stop_token)> position;
  // A source with the pipeline's own settings, not yet open: for what has changed since the position.
  std::function<Result<std::unique_ptr<Source>>()> make_source;
  // The pipeline's sink in its plain form, not yet open; needed for repairs alone.
  std::function<Result<std::unique_ptr<Sink>>()> make_sink;
  // Whatever changes the meaning of a sum (the texts of the transforms' settings): a checkpoint of other settings is
  // not resumed.
  std::string settings;
  Clock* clock = nullptr;
  FileSystem* files = nullptr;  // may be null without a state path
};

struct AuditOptions {
  AuditKind kind = AuditKind::kChecksum;
  AuditBuckets buckets;
  uint64_t tolerance = 0;  // count audits: documents by which a bucket may differ
  double rate = 0;         // documents a second read at each end; 0: as fast as it goes
  bool pushdown = true;    // let the servers count and sum where they can; that isn't paced
  int rechecks =
      5;  // looks at a difference before it is unsettled; at least 2, since it takes two to confirm
  int64_t recheck_after_ms = 2000;
  size_t memory_bytes_max = 64 << 20;  // of the drill-down's tables
  std::string state_path =
      {};  // file of the checkpoint; empty: kept in memory, for the next run of this object
  uint64_t suspects_max = 1'000'000;  // looked at one by one in one audit
  size_t page_documents_max = 1000;
  int64_t checkpoint_every_ms = 5000;
};

// Where a run stands, for people.
struct AuditProgress {
  std::string doing;       // "reading the source, shop.orders"
  double done = 0;         // 0 to 1, an estimate
  uint64_t documents = 0;  // read so far
};
using OnAuditProgress = std::function<void(const AuditProgress&)>;

}  // namespace tidemark::guard
