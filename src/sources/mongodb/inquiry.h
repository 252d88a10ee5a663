// What the watched collection is and what the server does with its stream, asked when an open was refused, by
// `tidemark check --connect` and `tidemark status`. Best effort: what may not be
// asked stays unsaid. Stateless; runs on the caller's thread with the caller's client.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "core/position.h"
#include "sources/mongodb/cursor.h"
#include "sources/mongodb/driver.h"

namespace tidemark::mongodb {

// "collection", "view", "timeseries"; empty where it isn't there or may not be asked for.
std::string kind_of_collection(Client& client, const Member& member, const StreamOptions& watched,
                               std::stop_token stop);

// A sentence about a collection that isn't there (yet), or is capped.
std::optional<std::string> note_on_collection(Client& client, const Member& member,
                                              const StreamOptions& watched, std::stop_token stop);

// A sentence about a deployment that answers no reads of what a majority has. Its streams work (4.2 to 4.4), its audits don't.
std::optional<std::string> note_on_majority_reads(Client& client, const Member& member,
                                                  const StreamOptions& watched, std::stop_token stop);

// Seconds that the server has been at work on one getMore of this stream, where that is longer than it may hold an empty
// answer back: it scans. A user sees its own operations without a grant.
std::optional<int64_t> scanning_for(Client& client, const StreamOptions& watched, const std::string& app_name,
                                    std::chrono::milliseconds max_await, std::stop_token stop);

}  // namespace tidemark::mongodb
