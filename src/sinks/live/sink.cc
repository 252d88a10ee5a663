#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "sinks/live/component.h"
#include "sinks/live/render.h"
#include "sinks/live/ring.h"

namespace tidemark {
namespace {

class LiveSink final : public Sink {
 public:
  LiveSink(std::shared_ptr<FeedRing> ring, size_t document_bytes_max, const Clock& clock)
      : ring_(std::move(ring)), document_bytes_max_(document_bytes_max), clock_(clock) {}

  Status open(std::stop_token) override { return {}; }

  WriteResult write(std::span<const Event> events, std::stop_token) override {
    const int64_t now_ms = clock_.wall_ms();
    std::vector<std::shared_ptr<const std::string>> rendered;
    rendered.reserve(events.size());
    for (const Event& event : events) {
      buffer_.clear();
      render_feed_event(event, now_ms, document_bytes_max_, buffer_);
      rendered.push_back(std::make_shared<const std::string>(buffer_));
    }
    ring_->add(std::move(rendered));
    return {};
  }

  void close() override {}

 private:
  const std::shared_ptr<FeedRing> ring_;
  const size_t document_bytes_max_;
  const Clock& clock_;
  std::string buffer_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "sink";
  spec.type = "live";
  spec.summary =
      "Shows events on the live page, as they arrive. Best effort by contract: the newest events stand in a "
      "ring in memory, every browser reads it at its own pace, and one that is too slow is told how many it "
      "missed. Nothing waits for a reader and nothing survives the process, so a position in memory is what "
      "goes with it. One lane; without a `[server]` nobody reads.";
  spec.fields = {
      number("events_max", "10000", 1, 1'000'000,
             "The most events in the ring: how far back a browser that reconnects can catch up."),
      bytes("bytes_max", "32MiB", 64 << 10, int64_t{4} << 30, "The most bytes of JSON in the ring."),
      bytes("document_bytes_max", "64KiB", 256, 16 << 20,
            "A larger document is left out of the feed: the event is shown without it, as truncated.")};
  return spec;
}

Result<std::unique_ptr<Sink>> make(const config::Settings& settings, const ComponentContext& context) {
  if (context.lane_count != 1)
    return fail(settings.error("", "a live feed shows events in the stream's order and has one lane",
                               "remove `lanes` from the pipeline"));
  const FeedRing::Limits limits{static_cast<size_t>(settings.integer("events_max")),
                                static_cast<size_t>(settings.bytes("bytes_max"))};
  const auto document_bytes_max = static_cast<size_t>(settings.bytes("document_bytes_max"));
  if (document_bytes_max > limits.bytes_max)
    return fail(settings.error("document_bytes_max", "one document may not be larger than the ring",
                               "lower it, or raise bytes_max"));
  auto ring = std::make_shared<FeedRing>(context.pipeline, limits);
  if (context.plugboard != nullptr) context.plugboard->offer(std::shared_ptr<Feed>(ring));
  return std::make_unique<LiveSink>(std::move(ring), document_bytes_max, *context.clock);
}

}  // namespace

const SinkComponent& live_sink_component() {
  static const SinkComponent component{.spec = make_spec(), .plain = make};
  return component;
}

}  // namespace tidemark
