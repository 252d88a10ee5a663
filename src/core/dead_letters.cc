#include "core/dead_letters.h"

namespace tidemark {

Status DeadLetterStore::redeliver(const std::string&, const std::string&, std::stop_token) {
  return fail(React::kFatal, "these dead letters have no queue to go back to");
}

}  // namespace tidemark
