// A sink that counts events and keeps none: for benchmarks of everything before it. Any number of lanes, one
// thread each.
#pragma once

#include <cstdint>
#include <span>

#include "core/sink.h"

namespace tidemark {

class NullSink final : public Sink {
 public:
  Status open(std::stop_token) override { return {}; }
  WriteResult write(std::span<const Event> events, std::stop_token) override {
    events_ += events.size();
    for (const Event& event : events) bytes_ += event.raw.size();
    return {};
  }
  void close() override {}

  uint64_t events() const { return events_; }
  uint64_t bytes() const { return bytes_; }

 private:
  uint64_t events_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace tidemark
