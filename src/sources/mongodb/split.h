// Puts the fragments of a split event together again. A fragment carries `splitEvent: {fragment, of}`, a
// token of its own and some of the event's top-level fields; the whole event has the token of the last one,
// because only that one resumes behind all of them. Owned by the source; one thread.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::mongodb {

class SplitMerger {
 public:
  // True for an event that carries `splitEvent`. Looks at the top-level names only.
  static bool is_fragment(bson::View event);

  // Takes the next fragment; the whole event once the last one is there, else "no document". Fragments are
  // copied: they may span batches. kRetry for fragments out of order: the stream must be opened again behind
  // the last whole event.
  Result<bson::Document> add(bson::View fragment);

  // Fragments are waiting for the rest: no position up to here may be saved.
  bool pending() const { return !fragments_.empty(); }
  void reset() { fragments_.clear(); }

 private:
  bson::Document merge() const;

  std::vector<bson::Document> fragments_;
};

}  // namespace tidemark::mongodb
