// A transform changes, replaces or drops one event.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/event.h"

namespace tidemark {

// Pure: the same event gives the same result, on any thread. What it builds it stores in `batch`.
class Transform {
 public:
  virtual ~Transform() = default;

  enum class Verdict { kKeep, kDrop };

  // Changes `event` in place. An error (kReject) makes the pipeline apply `on_reject` to this one event.
  virtual Result<Verdict> apply(Event& event, EventBatch& batch) const = 0;

  // What a transform before this one, or the sink, rejects is kept as its source handed it out, and must be hidden there too.
  // These three say how; core/concealment.h asks them.
  //
  // The dotted paths whose values it hides; empty = it hides nothing.
  virtual std::vector<std::string> hides() const { return {}; }
  // The same kind of hiding for other paths. REQUIRES hides().
  virtual Result<std::unique_ptr<Transform>> hiding(const std::vector<std::string>& paths) const;
  // Where the field that lies at `path` behind this transform may lie before it, `path` itself included.
  virtual std::vector<std::string> before(const std::string& path) const { return {path}; }
};

}  // namespace tidemark
