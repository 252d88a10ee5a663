// Any request as CloudEvents: the first line is the content type, then headers, an empty line, the body. The parser takes
// all of it or, saying why, nothing; what it takes is whole, lives in the batch alone, and reads the same again from its
// payload and from its rendering.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cloudevents/parser.h"
#include "cloudevents/render.h"

namespace {

using namespace tidemark;

// Small, so that the bounds are within reach.
constexpr cloudevents::Limits kLimits{
    .body_bytes_max = 1 << 16, .event_bytes_max = 1 << 14, .events_max = 20};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Request {
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

Request split(std::string_view input) {
  const auto line = [&input] {
    const size_t end = input.find('\n');
    const std::string_view text = input.substr(0, end);
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    return text;
  };
  Request request;
  request.content_type = line();
  for (std::string_view header = line(); !header.empty(); header = line()) {
    const size_t colon = header.find(':');
    if (colon == std::string_view::npos) continue;
    request.headers.emplace_back(header.substr(0, colon), header.substr(colon + 1));
  }
  request.body = input;
  return request;
}

bool lies_in(const void* data, size_t size, bson::View whole) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  return bytes >= whole.data() && bytes + size <= whole.data() + whole.size();
}

// The event that `json` becomes; aborts when it isn't one.
void require_same(cloudevents::Parser& parser, std::string_view json, const Event& event) {
  EventBatch again;
  const auto problems = parser.structured(json, {}, again);
  require(problems.empty() && again.events().size() == 1);
  require(again.events()[0].id == event.id && again.events()[0].after == event.after);
}

void check_event(cloudevents::Parser& parser, const Event& event) {
  require(bson::View::parse(event.raw.bytes()).has_value());
  require(!event.id.empty() && lies_in(event.id.data(), event.id.size(), event.raw));
  require(event.key && lies_in(event.key.data(), event.key.size(), event.raw));
  require(event.after && lies_in(event.after.data(), event.after.size(), event.raw));
  require(event.op == Op::kInsert && event.reject_reason.empty() && !event.malformed && !event.edited);
  require(event.ns.database == cloudevents::kDatabase && event.ns.collection == cloudevents::kCollection);
  require(event.key.find("_id")->string() == event.id);
  const std::string id =
      std::string(event.after.find("source")->string()) + " " + std::string(event.after.find("id")->string());
  require(id == event.id);
  require(cloudevents::is_cloudevent(event.after));
  require(event.key_hash == hash_key(event));
  require_same(parser, event.payload, event);
  std::string rendered;
  cloudevents::render(event.after, rendered);
  require_same(parser, rendered, event);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static cloudevents::Parser parser(kLimits);  // its memory is reused, as in the program
  static cloudevents::Parser roomy;
  EventBatch batch;
  cloudevents::Problems problems;
  {
    // Gone before the events are looked at: a view into the request is a use after free.
    const Request request = split({reinterpret_cast<const char*>(data), size});
    const auto form = cloudevents::form_of(request.content_type, !request.headers.empty());
    if (!form) return 0;
    problems = parser.parse(*form, request.content_type, request.headers, request.body,
                            {.received_ms = 1700000000000}, batch);
  }
  if (!problems.empty()) {
    require(batch.events().empty() && problems.size() <= Answer::kProblemsMax);
    for (const auto& problem : problems) require(!problem.where.empty() && !problem.what.empty());
    require(!cloudevents::describe(problems).empty());
    return 0;
  }
  require(batch.events().size() <= kLimits.events_max);
  for (const Event& event : batch.events()) check_event(roomy, event);
  return 0;
}
