#include "http/backend.h"

namespace tidemark::http {

Status Backend::inflict(const std::string& fault) {
  return fail(React::kConfig, "there is no fault \"" + fault + "\" to inflict here");
}

}  // namespace tidemark::http
