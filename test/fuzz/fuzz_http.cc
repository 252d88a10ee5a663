// Any bytes as an HTTP request: they go through the server's own parser and its routes, without a socket. Whatever comes
// is answered, a problem is JSON, and no answer shows the token. What is left of the input after a first zero byte is also
// taken as a WebSocket message.
#include <cstdlib>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>
#include <nlohmann/json.hpp>

#include "env/posix/clock.h"
#include "http/message.h"
#include "http/router.h"

namespace {

using namespace tidemark;
using namespace tidemark::http;

constexpr const char* kToken = "t0ken-that-nobody-sees";

class EmptyBackend final : public Backend {
 public:
  std::vector<PipelineView> pipelines() const override {
    std::vector<PipelineView> views(1);
    views[0].name = "p";
    views[0].dead_letters = 1;
    return views;
  }
  StatsView stats() const override { return {}; }
  std::vector<TimelineEntry> timeline(uint64_t) const override { return {}; }
  bool accepts(const std::string&) const override { return true; }
  Result<std::vector<LetterView>> letters(const std::string& pipeline, const std::string& after,
                                          size_t limit) override {
    if (limit < 1 || limit > 500) std::abort();
    if (pipeline != "p") return fail(React::kConfig, "no pipeline " + pipeline);
    return std::vector<LetterView>{
        {.pipeline = pipeline, .id = after + "1", .reason = {}, .origin = {}, .event = "{}"}};
  }
  Status retry_letter(const std::string&, const std::string& id) override {
    return fail(React::kReject, "no " + id);
  }
  Status discard_letter(const std::string&, const std::string&) override { return {}; }
  std::vector<FaultButton> faults() const override { return {{"f", "F"}}; }
};

class Door final : public Inlet {
 public:
  const std::string& path() const override { return path_; }
  void submit(Submission submission, Reply reply) override {
    for (const auto& [name, value] : submission.headers) {
      if (!name.starts_with("ce-")) std::abort();
    }
    reply.answer({.kind = Answer::Kind::kAccepted, .events = 1});
  }
  void refuse() override {}
  size_t pending() const override { return 0; }

 private:
  const std::string path_ = "/events";
};

void check(const Response& response) {
  if (response.status < 100 || response.status > 599 || reason_phrase(response.status) == "Unknown")
    std::abort();
  const bool json =
      response.content_type == "application/problem+json" || response.content_type == "application/json";
  if (json && !nlohmann::json::accept(response.body)) std::abort();
  const std::string head = render_head(response, true, 0);
  if (head.find("\r\n\r\n") != head.size() - 4) std::abort();  // an injected header or body
}

// As check(), and what the client sent to prove itself isn't sent back. What it writes into a path is.
void check_secret(const Response& response, const Request& request) {
  check(response);
  const bool told =
      request.target.find(kToken) != std::string::npos || request.body.find(kToken) != std::string::npos;
  if (!told && response.body.find(kToken) != std::string::npos) std::abort();
}

void route(const Router& router, RequestParser& parser) {
  Request request = head_of(parser);
  const Plan plan = router.plan(request);
  if (plan.route.empty()) std::abort();
  if (plan.refusal) return check_secret(*plan.refusal, request);
  request.body = parser.get().body();
  if (plan.step == Plan::Step::kInlet)
    plan.inlet->submit(submission_of(request),
                       Reply([](const Answer& answer) { check(response_of(answer)); }));
  else if (plan.step != Plan::Step::kWebSocket)
    check_secret(plan.handler(request), request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static EmptyBackend backend;
  static PosixClock clock;
  static Counters counters;
  static const ServerOptions open;
  static const ServerOptions guarded = [] {
    ServerOptions options;
    options.token = kToken;
    return options;
  }();
  static const std::vector<std::shared_ptr<Inlet>> doors = {std::make_shared<Door>()};
  static const Router routers[] = {Router(open, backend, doors, counters, clock, "cafe"),
                                   Router(guarded, backend, doors, counters, clock, "cafe")};
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const size_t zero = bytes.find('\0'); zero != std::string_view::npos)
    (void)parse_resume(bytes.substr(zero + 1));

  RequestParser parser;
  parser.header_limit(16 << 10);
  parser.body_limit(64 << 10);
  parser.eager(true);
  boost::system::error_code error;
  size_t used = 0;
  while (!parser.is_done() && !error && used < size) {
    const size_t taken = parser.put(boost::asio::buffer(data + used, size - used), error);
    if (taken == 0 && !error) break;
    used += taken;
  }
  if (error && error != boost::beast::http::error::need_more) {
    check(problem_of(error));
    return 0;
  }
  if (parser.is_header_done()) {
    for (const Router& router : routers) route(router, parser);
  }
  return 0;
}
