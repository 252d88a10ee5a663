#include "runtime/shutdown.h"

#include "base/log.h"

namespace tidemark {

void ShutdownSequence::run() {
  size_t number = 0;
  for (const Step& step : steps_) {
    log::info("{}: shutdown {}/{}: {}", owner_, ++number, steps_.size(), step.name);
    step.run();
  }
}

}  // namespace tidemark
