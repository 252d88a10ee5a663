#include "core/transform.h"

namespace tidemark {

Result<std::unique_ptr<Transform>> Transform::hiding(const std::vector<std::string>&) const {
  return fail(React::kFatal, "this transform hides nothing");
}

}  // namespace tidemark
