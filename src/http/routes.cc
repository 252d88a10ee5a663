// What each route answers.
#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "http/metrics.h"
#include "http/openapi.h"
#include "http/router.h"

namespace tidemark::http {
namespace {

constexpr size_t kLettersDefault = 50;
constexpr uint64_t kLettersMax = 500;

Response broken_query() { return problem(400, "the query can't be read: name=value&..., percent-encoded"); }

std::optional<uint64_t> parse_count(const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::string field_of(const std::map<std::string, std::string>& fields, const std::string& name) {
  const auto it = fields.find(name);
  return it == fields.end() ? std::string() : it->second;
}

// What a store's or a peer's error means to the one who asked.
Response response_of_error(const Error& error) {
  switch (error.react) {
    case React::kConfig:
    case React::kReject:
      return problem(404, error.describe());
    case React::kRetry:
    case React::kCancelled: {
      Response response = problem(503, error.describe());
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    default:
      return problem(500, error.describe());
  }
}

}  // namespace

Response Router::health(const Request&) const { return json_response(R"({"status":"ok"})"); }

Response Router::readiness(const Request&) const {
  auto views = backend_.pipelines();
  std::erase_if(views, [](const PipelineView& view) { return !view.process.empty(); });
  const bool ready =
      std::all_of(views.begin(), views.end(), [](const PipelineView& view) { return view.ready; });
  Response response = json_response(render_readiness(views, ready));
  response.status = ready ? 200 : 503;
  return response;
}

Response Router::metrics(const Request&) const {
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body =
      render_metrics(identity(), backend_.pipelines(), backend_.stats(), backend_.guard(), counters_);
  return response;
}

Response Router::openapi(const Request&) const { return json_response(std::string(openapi_document())); }

Response Router::overview(const Request&) const {
  return json_response(render_overview(identity(), clock_.wall_ms(), backend_.pipelines(), backend_.stats(),
                                       backend_.guard()));
}

Response Router::guard(const Request&) const { return json_response(render_guard(backend_.guard())); }

Response Router::timeline(const Request& request) const {
  const auto fields = parse_query(request.query);
  if (!fields) return broken_query();
  uint64_t after = 0;
  if (fields->contains("after")) {
    const auto given = parse_count(fields->at("after"));
    if (!given) return problem(400, "`after` is no sequence number");
    after = *given;
  }
  return json_response(render_timeline(backend_.timeline(after)));
}

Response Router::letters(const Request& request) const {
  const auto fields = parse_query(request.query);
  if (!fields) return broken_query();
  size_t limit = kLettersDefault;
  if (fields->contains("limit")) {
    const auto given = parse_count(fields->at("limit"));
    if (!given || *given < 1 || *given > kLettersMax)
      return problem(400, "`limit` must be a number from 1 to " + std::to_string(kLettersMax));
    limit = *given;
  }
  const std::string pipeline = field_of(*fields, "pipeline");
  const std::string after = field_of(*fields, "after");
  return pipeline.empty() ? letters_of_all(after, limit) : letters_of(pipeline, after, limit);
}

Response Router::letters_of(const std::string& pipeline, const std::string& after, size_t limit) const {
  const auto letters = backend_.letters(pipeline, after, limit);
  if (!letters) return response_of_error(letters.error());
  std::optional<std::string> next;
  if (letters->size() >= limit) next = letters->back().id;
  return json_response(render_letters(*letters, next));
}

// One pipeline after the other, in the order they are shown. The place in this walk is "PIPELINE/ID"; no pipeline has a
// slash in its name. A peer that doesn't answer is left out: the page shows its pipelines as unreachable, and its letters
// must not hide those of the others.
Response Router::letters_of_all(const std::string& after, size_t limit) const {
  const size_t slash = after.find('/');
  std::string skip_to = slash == std::string::npos ? std::string() : after.substr(0, slash);
  std::string id = slash == std::string::npos ? std::string() : after.substr(slash + 1);
  std::vector<LetterView> all;
  std::set<std::string> seen;
  for (const PipelineView& view : backend_.pipelines()) {
    // Of two processes' pipelines of one name, a name reaches the first.
    if (!seen.insert(view.name).second || (!skip_to.empty() && view.name != skip_to)) continue;
    skip_to.clear();
    const std::string from = std::exchange(id, {});
    if (!view.dead_letters || view.state == "unreachable") continue;
    auto letters = backend_.letters(view.name, from, limit - all.size());
    if (!letters) return response_of_error(letters.error());
    std::move(letters->begin(), letters->end(), std::back_inserter(all));
    if (all.size() < limit) continue;
    return json_response(render_letters(all, all.back().pipeline + "/" + all.back().id));
  }
  return json_response(render_letters(all, std::nullopt));
}

Response Router::command_letter(const Request& request,
                                Status (Backend::*command)(const std::string&, const std::string&)) const {
  const auto letter = parse_letter_command(request.body);
  if (!letter) return problem(400, letter.error().what);
  const Status done = (backend_.*command)(letter->pipeline, letter->id);
  return done ? json_response(R"({"done":true})") : response_of_error(done.error());
}

Response Router::retry_letter(const Request& request) const {
  return command_letter(request, &Backend::retry_letter);
}

Response Router::discard_letter(const Request& request) const {
  return command_letter(request, &Backend::discard_letter);
}

Response Router::faults(const Request&) const { return json_response(render_faults(backend_.faults())); }

Response Router::inflict(const Request& request) const {
  if (backend_.faults().empty()) return problem(404, "faults can be inflicted in the demo only");
  const auto fault = parse_fault_command(request.body);
  if (!fault) return problem(400, fault.error().what);
  const Status done = backend_.inflict(*fault);
  return done ? json_response(R"({"done":true})") : response_of_error(done.error());
}

}  // namespace tidemark::http
