// The consumers that people usually write, run beside the relays under the same faults: a change stream of the driver's own,
// with the driver's own resuming, and a handler that appends each event to a file.
//
//   stock       opens the stream at now, and again at now after an error that the driver didn't survive
//   in-memory   remembers the last token and resumes from it after an error; the token dies with the process
//
// Each is a process of its own (this very program, as `tidemark-chaos --consumer`), killed and started again together with
// the relays. Its sink never fails: everything that it loses, it loses at the source.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "chaos/ends.h"
#include "chaos/faults.h"

namespace tidemark::chaos {

enum class ConsumerKind { kStock, kInMemory };

class Consumer final : public Bystander {
 public:
  // Its file lies in `folder`.
  Consumer(ConsumerKind kind, const Places& places, const std::string& folder);

  ConsumerKind kind() const { return kind_; }
  // Until its stream is open for the first time: what was written before is not its loss.
  Status wait_open();
  void kill(Time now, Process::Milliseconds down) override;
  // Until its time is over and something was written meanwhile: what is counted is what such a death costs, and not how
  // fast the writer was on this machine.
  void look_after(Time now);
  // How many writes there were; asked by look_after.
  void count_writes(std::function<int()> written) { written_ = std::move(written); }
  // Whatever was written meanwhile.
  void come_back(Time now);
  // Until it saw the last document, or will not any more.
  void wait_for_the_end();
  std::vector<LoggedEvent> events() const;

 private:
  void start();

  const ConsumerKind kind_;
  const std::string uri_, database_, path_;
  std::unique_ptr<Process> process_;
  bool down_ = false;
  Time restart_at_{0};
  std::function<int()> written_ = [] { return 0; };
  int back_after_writes_ = 0;
};

// The consumer's process: consumes until it is killed.
int consume(const std::string& kind, const std::string& uri, const std::string& database,
            const std::string& path);

}  // namespace tidemark::chaos
