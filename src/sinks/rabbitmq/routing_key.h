// The routing key of an event: a text in which {database}, {collection} and {op} stand for the event's own. Owned by a
// sink; one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/event.h"

namespace tidemark {

class RoutingKey {
 public:
  // kConfig for a placeholder that there isn't.
  static Result<RoutingKey> parse(std::string_view text);

  // The key of `event`; good until the next call.
  const std::string& of(const Event& event);
  bool has_placeholders() const { return pieces_.size() > 1; }
  // What a queue is bound with on a topic exchange, so that every key matches.
  std::string topic_pattern() const;

 private:
  enum class What { kText, kDatabase, kCollection, kOp };
  struct Piece {
    What what = What::kText;
    std::string text;
  };
  std::vector<Piece> pieces_;  // the first is always text
  std::string key_;
};

}  // namespace tidemark
