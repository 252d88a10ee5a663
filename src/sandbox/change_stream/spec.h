// What a client asked for in an aggregate whose first stage is $changeStream, checked as a server of the
// given version checks it: the options, the place, the stages that may follow. Immutable once parsed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/matcher.h"
#include "sandbox/change_stream/token.h"
#include "sandbox/store/pipeline.h"

namespace tidemark::sandbox {

enum class StreamScope : uint8_t { kCollection, kDatabase, kDeployment };
enum class PostImage : uint8_t { kDefault, kUpdateLookup, kWhenAvailable, kRequired };
enum class PreImage : uint8_t { kOff, kWhenAvailable, kRequired };

struct StreamSpec {
  ServerVersion version;
  StreamScope scope = StreamScope::kCollection;
  std::string db;
  std::string coll;  // empty unless scope is kCollection
  PostImage full_document = PostImage::kDefault;
  PreImage full_document_before_change = PreImage::kOff;
  bool show_expanded_events = false;
  std::optional<TokenData> resume_token;  // of resumeAfter or startAfter
  bson::Document resume_token_document;
  std::optional<bson::Timestamp> start_at_operation_time;

  std::vector<bson::Matcher> matchers;  // the $match stages right behind $changeStream
  std::optional<Pipeline> pipeline;     // the stages behind those; absent when there are none
  bool split_large_events = false;

  // 4.2 as recorded, and 4.4 but for the codes of what is lost or not found; not 7.0.
  bool classic() const { return version.major < 7; }
};

// True when the first stage of `pipeline` (the array of an aggregate) is $changeStream.
bool is_change_stream(bson::View pipeline);

// `context` names the version, the database and the collection; an empty collection means {aggregate: 1}.
// REQUIRES is_change_stream(pipeline).
Reply<StreamSpec> parse_stream(bson::View pipeline, const PipelineContext& context);

// Refuses a read concern that change streams can't have. `read_concern` may be no document.
Reply<void> check_stream_read_concern(bson::View read_concern, ServerVersion version);

}  // namespace tidemark::sandbox
