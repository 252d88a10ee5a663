// What the API and the WebSocket say, as JSON text. Field names are a contract with the page and with openapi.json.
// Pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/feed.h"
#include "http/backend.h"

namespace tidemark::http {

// What a page has to know of the process it talks to.
struct Identity {
  std::string version;
  std::string instance;
  bool demo = false;
};

std::string render_pipeline(const PipelineView& view);
std::string render_pipelines(const std::vector<PipelineView>& views);  // an array
std::string render_guard(const guard::GuardView& view);
std::string render_overview(const Identity& identity, int64_t now_ms,
                            const std::vector<PipelineView>& pipelines, const StatsView& stats,
                            const guard::GuardView& guard);
std::string render_timeline_entry(const TimelineEntry& entry);
std::string render_timeline(const std::vector<TimelineEntry>& entries);  // {"entries": [...]}
std::string render_letters(const std::vector<LetterView>& letters, const std::optional<std::string>& next);
std::string render_faults(const std::vector<FaultButton>& faults);
std::string render_readiness(const std::vector<PipelineView>& pipelines, bool ready);

// What a webhook posts: {"version": 1, "event": "fired" or "resolved", "alert": {...}}.
std::string render_notice(const guard::AlertView& alert);

// --- WebSocket frames
struct FeedRange {
  std::string name;
  uint64_t oldest = 0;
  uint64_t newest = 0;
};
std::string render_hello(const Identity& identity, int64_t now_ms, double stats_interval_s,
                         const std::vector<FeedRange>& feeds);
std::string render_status_frame(int64_t now_ms, const std::vector<PipelineView>& pipelines,
                                const guard::GuardView& guard);
std::string render_stats_frame(const StatsView& stats);
// `entries` are JSON already.
std::string render_timeline_frame(const std::vector<std::shared_ptr<const std::string>>& entries);
std::string render_gap_frame(std::string_view feed, uint64_t after, uint64_t missed);
// Composed by concatenation: the items are rendered once, by the sink, for all clients.
std::string render_events_frame(std::string_view feed, const std::vector<FeedItem>& items);

// What a client may say.
struct Resume {
  std::string instance;
  std::string feed;
  uint64_t after = 0;
};
// Empty for anything that isn't a well-formed resume.
std::optional<Resume> parse_resume(std::string_view text);

// --- what a peer said, read back
struct PeerAnswer {
  std::vector<PipelineView> pipelines;
  guard::GuardView guard;  // unconfigured when the answer has none
};
std::optional<PeerAnswer> parse_overview(std::string_view text);
std::optional<std::vector<LetterView>> parse_letters(std::string_view text);
// The `detail` of a problem, for people; empty when there is none.
std::string parse_problem_detail(std::string_view text);

// --- requests
struct LetterCommand {
  std::string pipeline;
  std::string id;
};
// {"pipeline": ..., "id": ...}; else what is wrong with it.
Result<LetterCommand> parse_letter_command(std::string_view body);
std::string render_letter_command(const LetterCommand& command);
// {"fault": ...}; else what is wrong with it.
Result<std::string> parse_fault_command(std::string_view body);

}  // namespace tidemark::http
