// Where components of pipelines offer what the HTTP server plugs into: inlets to push events into, feeds to follow.
// Filled while the pipelines are built, read afterwards; one thread.
#pragma once

#include <memory>
#include <vector>

#include "core/feed.h"
#include "core/inlet.h"

namespace tidemark {

class Plugboard {
 public:
  void offer(std::shared_ptr<Inlet> inlet) { inlets_.push_back(std::move(inlet)); }
  void offer(std::shared_ptr<Feed> feed) { feeds_.push_back(std::move(feed)); }

  const std::vector<std::shared_ptr<Inlet>>& inlets() const { return inlets_; }
  const std::vector<std::shared_ptr<Feed>>& feeds() const { return feeds_; }

 private:
  std::vector<std::shared_ptr<Inlet>> inlets_;
  std::vector<std::shared_ptr<Feed>> feeds_;
};

}  // namespace tidemark
