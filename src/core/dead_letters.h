// Dead letters: events that no retry can deliver, kept with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"

namespace tidemark {

struct DeadLetter {
  std::string id;  // Event::id
  std::string pipeline;
  std::string reason;
  std::string event;  // the raw change event in canonical Extended JSON
  int64_t at_ms = 0;  // civil time
};

// One thread at a time.
class DeadLetterStore {
 public:
  virtual ~DeadLetterStore() = default;
  virtual Status open(std::stop_token stop) = 0;
  // Durable on return. The same id again replaces the first: a replay adds nothing.
  virtual Status put(const DeadLetter& letter, std::stop_token stop) = 0;
  // In order of id, at most `limit`, after `after`.
  virtual Result<std::vector<DeadLetter>> list(const std::string& pipeline, const std::string& after,
                                               size_t limit) = 0;
  virtual Status remove(const std::string& pipeline, const std::string& id) = 0;
};

}  // namespace tidemark
