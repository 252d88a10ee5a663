// Several processes on one page: a Backend that shows the pipelines of other Tidemark servers among those of the one it
// stands before, and what their guards found, and passes on what is asked about their dead letters. Stats, feeds and
// doors stay the own ones.
//
// Owned by the command that runs the server, for as long as the server lives. One thread for each peer asks it once a
// second; the calls come from any thread.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "http/backend.h"
#include "http/options.h"

namespace tidemark::http {

class PeeredBackend final : public Backend {
 public:
  // `own` and `clock` outlive it.
  PeeredBackend(Backend& own, std::vector<Url> peers, std::string token, Clock& clock);
  ~PeeredBackend() override;

  std::vector<PipelineView> pipelines() const override;
  StatsView stats() const override { return own_.stats(); }
  guard::GuardView guard() const override;
  std::vector<TimelineEntry> timeline(uint64_t after) const override { return own_.timeline(after); }
  bool accepts(const std::string& path) const override { return own_.accepts(path); }
  Result<std::vector<LetterView>> letters(const std::string& pipeline, const std::string& after,
                                          size_t limit) override;
  Status retry_letter(const std::string& pipeline, const std::string& id) override;
  Status discard_letter(const std::string& pipeline, const std::string& id) override;
  std::vector<FaultButton> faults() const override { return own_.faults(); }
  Status inflict(const std::string& fault) override { return own_.inflict(fault); }

 private:
  struct Peer {
    explicit Peer(Url address) : url(std::move(address)) {}
    const Url url;
    mutable Mutex mutex;
    std::vector<PipelineView> known GUARDED_BY(mutex);  // as of answered_at
    guard::GuardView guard GUARDED_BY(mutex);           // as of answered_at
    Mono answered_at GUARDED_BY(mutex){};
    std::string error GUARDED_BY(mutex);  // empty = the last question was answered
  };

  void follow(Peer& peer, const std::stop_token& stop);
  void ask_once(Peer& peer, const std::stop_token& stop);
  void add_views(const Peer& peer, std::vector<PipelineView>& views) const;
  void add_guard(const Peer& peer, guard::GuardView& all) const;
  // Null when the pipeline is no peer's, or also one of ours.
  const Peer* owner_of(const std::string& pipeline) const;
  Status command(const Peer& peer, const std::string& target, const std::string& pipeline,
                 const std::string& id);

  Backend& own_;
  const std::string token_;
  Clock& clock_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace tidemark::http
