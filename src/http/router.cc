#include "http/router.h"

#include <algorithm>

#include "http/page.h"

namespace tidemark::http {
namespace {

constexpr size_t kTargetMax = 8 << 10;
constexpr std::string_view kPipelinePrefix = "/api/pipelines/";

Response not_found(const Request& request) { return problem(404, "there is nothing at " + request.path); }

Plan refuse(std::string route, Response response) {
  Plan plan;
  plan.route = std::move(route);
  plan.refusal = std::move(response);
  return plan;
}

Plan refuse_method(std::string route, const std::string& allowed) {
  Response response = problem(405, "only " + allowed + " is answered here");
  response.headers.emplace_back("Allow", allowed);
  return refuse(std::move(route), std::move(response));
}

bool fits(std::string_view wanted, const std::string& method) {
  return method == wanted || (wanted == "GET" && method == "HEAD");
}

Response file_response(const PageFile& file, const Request& request) {
  Response response;
  response.headers.emplace_back("ETag", std::string(file.etag));
  // Kept, and asked about each time: a page of another version than its server is worse than a question.
  response.headers.emplace_back("Cache-Control", "no-cache");
  const std::string* known = request.header("if-none-match");
  if (known != nullptr) {
    const auto tags = split_list(*known);
    const auto is_this = [&](const std::string& tag) {
      return tag == "*" || tag == file.etag || tag == "W/" + std::string(file.etag);
    };
    if (std::any_of(tags.begin(), tags.end(), is_this)) {
      response.status = 304;
      return response;
    }
  }
  response.content_type = std::string(file.content_type);
  response.file = file.bytes;
  return response;
}

}  // namespace

Router::Router(const ServerOptions& options, Backend& backend, std::vector<std::shared_ptr<Inlet>> inlets,
               const Counters& counters, Clock& clock, std::string instance)
    : options_(options),
      backend_(backend),
      inlets_(std::move(inlets)),
      counters_(counters),
      clock_(clock),
      instance_(std::move(instance)),
      guard_(options) {}

Identity Router::identity() const { return {options_.version, instance_, !backend_.faults().empty()}; }

const std::vector<Router::Route>& Router::routes() {
  using enum Access;
  static const std::vector<Route> kRoutes = {
      {"GET", "/healthz", kOpen, false, false, &Router::health},
      {"GET", "/readyz", kMetrics, false, false, &Router::readiness},
      {"GET", "/metrics", kMetrics, false, false, &Router::metrics},
      {"GET", "/openapi.json", kToken, false, false, &Router::openapi},
      {"GET", "/api/pipelines", kToken, false, false, &Router::overview},
      {"GET", "/api/guard", kToken, false, false, &Router::guard},
      {"GET", "/api/timeline", kToken, false, false, &Router::timeline},
      {"GET", "/api/dlq", kToken, true, false, &Router::letters},
      {"POST", "/api/dlq/retry", kToken, true, true, &Router::retry_letter},
      {"POST", "/api/dlq/discard", kToken, true, true, &Router::discard_letter},
      {"GET", "/api/demo/faults", kToken, false, false, &Router::faults},
      {"POST", "/api/demo/inflict", kToken, true, true, &Router::inflict},
  };
  return kRoutes;
}

Plan Router::plan(const Request& head) const {
  if (head.target.size() > kTargetMax) return refuse("other", problem(414, "the target is too long"));
  if (auto refusal = guard_.check_host(head)) return refuse("other", std::move(*refusal));
  if (auto plan = plan_route(head)) return std::move(*plan);
  if (auto plan = plan_inlet(head)) return std::move(*plan);
  if (head.path == "/ws") return plan_websocket(head);
  if (auto plan = plan_pipeline(head)) return std::move(*plan);
  if (auto plan = plan_file(head)) return std::move(*plan);
  return refuse("other", not_found(head));
}

std::optional<Response> Router::check(const Request& head, Access access, bool changes) const {
  const bool open = access == Access::kOpen || (access == Access::kMetrics && options_.metrics_open);
  if (!open) {
    if (auto refusal = guard_.check_token(head)) return refusal;
  }
  return changes ? guard_.check_origin(head) : std::nullopt;
}

std::optional<Plan> Router::plan_route(const Request& head) const {
  const auto& all = routes();
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const Route& route) { return route.path == head.path; });
  if (it == all.end()) return std::nullopt;
  Plan plan;
  plan.route = std::string(it->path);
  if (!fits(it->method, head.method))
    return refuse_method(plan.route, it->method == "GET" ? "GET, HEAD" : std::string(it->method));
  plan.refusal = check(head, it->access, it->command);
  if (!plan.refusal && it->command) plan.refusal = guard_.check_command(head);
  plan.step = it->blocking ? Plan::Step::kBlocking : Plan::Step::kAnswer;
  plan.handler = [this, handler = it->handler](const Request& request) { return (this->*handler)(request); };
  if (!plan.refusal && head.content_length.value_or(0) > plan.body_bytes_max)
    plan.refusal = problem(413, "the body may have " + std::to_string(plan.body_bytes_max) + " bytes here");
  return plan;
}

std::optional<Plan> Router::plan_inlet(const Request& head) const {
  const auto it = std::find_if(inlets_.begin(), inlets_.end(),
                               [&](const auto& inlet) { return inlet->path() == head.path; });
  if (it == inlets_.end()) return std::nullopt;
  if (head.method != "POST") return refuse_method(head.path, "POST");
  Plan plan;
  plan.step = Plan::Step::kInlet;
  plan.route = head.path;
  plan.inlet = it->get();
  plan.body_bytes_max = options_.body_bytes_max;
  plan.refusal = check(head, Access::kToken, true);
  if (!plan.refusal && head.content_length.value_or(0) > plan.body_bytes_max)
    plan.refusal = problem(
        413, "the body may have " + std::to_string(plan.body_bytes_max) + " bytes; send fewer events");
  if (!plan.refusal && !backend_.accepts(head.path))
    plan.refusal =
        response_of({.kind = Answer::Kind::kUnavailable, .detail = "the events can't be stored now"});
  return plan;
}

std::optional<Plan> Router::plan_pipeline(const Request& head) const {
  if (!head.path.starts_with(kPipelinePrefix)) return std::nullopt;
  Plan plan;
  plan.route = "/api/pipelines/{name}";
  if (!fits("GET", head.method)) return refuse_method(plan.route, "GET, HEAD");
  plan.refusal = check(head, Access::kToken, false);
  plan.handler = [this](const Request& request) {
    const std::string name = request.path.substr(kPipelinePrefix.size());
    const auto views = backend_.pipelines();
    const auto it =
        std::find_if(views.begin(), views.end(), [&](const PipelineView& view) { return view.name == name; });
    return it == views.end() ? not_found(request) : json_response(render_pipeline(*it));
  };
  return plan;
}

std::optional<Plan> Router::plan_file(const Request& head) const {
  const auto files = page_files();
  const auto it =
      std::find_if(files.begin(), files.end(), [&](const PageFile& file) { return file.path == head.path; });
  if (it == files.end()) return std::nullopt;
  Plan plan;
  plan.route = head.path == "/" ? "/" : "/assets/{file}";
  if (!fits("GET", head.method)) return refuse_method(plan.route, "GET, HEAD");
  plan.handler = [file = *it](const Request& request) { return file_response(file, request); };
  return plan;
}

Plan Router::plan_websocket(const Request& head) const {
  if (head.method != "GET") return refuse_method("/ws", "GET");
  Plan plan;
  plan.step = Plan::Step::kWebSocket;
  plan.route = "/ws";
  plan.refusal = guard_.check_origin(head);
  if (!plan.refusal && !head.upgrade) {
    plan.refusal = problem(426, "this is a WebSocket");
    plan.refusal->headers.emplace_back("Upgrade", "websocket");
  }
  if (!plan.refusal) plan.refusal = guard_.check_websocket(head);
  return plan;
}

}  // namespace tidemark::http
