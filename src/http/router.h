// From the head of a request to what is to be done with it. Knows no socket: a fuzzer drives it with bytes.
//
// Owned by the Server; immutable after construction; any thread. The Backend, the inlets and the counters outlive it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/inlet.h"
#include "env/clock.h"
#include "http/counters.h"
#include "http/guard.h"
#include "http/views.h"

namespace tidemark::http {

struct Plan {
  enum class Step {
    kAnswer,     // `handler` answers at once
    kBlocking,   // `handler` may block: on a thread for such
    kInlet,      // the request's body goes to `inlet`
    kWebSocket,  // becomes a WebSocket
  };
  Step step = Step::kAnswer;
  std::string route;                // for the counters: one of a bounded number of names
  std::optional<Response> refusal;  // decided by the head alone: send it, read no body
  uint64_t body_bytes_max = 64 << 10;
  std::function<Response(const Request&)> handler;
  Inlet* inlet = nullptr;
};

class Router {
 public:
  // Requests in the order of openapi.json. HEAD goes where GET goes; the caller leaves the body out.
  Router(const ServerOptions& options, Backend& backend, std::vector<std::shared_ptr<Inlet>> inlets,
         const Counters& counters, Clock& clock, std::string instance);

  Plan plan(const Request& head) const;

  Identity identity() const;

 private:
  enum class Access { kOpen, kMetrics, kToken };
  using Handler = Response (Router::*)(const Request&) const;
  struct Route {
    std::string_view method;
    std::string_view path;
    Access access;
    bool blocking;
    bool command;  // changes something: wants the custom header and JSON
    Handler handler;
  };
  static const std::vector<Route>& routes();

  std::optional<Plan> plan_route(const Request& head) const;
  std::optional<Plan> plan_inlet(const Request& head) const;
  std::optional<Plan> plan_pipeline(const Request& head) const;
  std::optional<Plan> plan_file(const Request& head) const;
  Plan plan_websocket(const Request& head) const;
  std::optional<Response> check(const Request& head, Access access, bool changes) const;

  Response health(const Request& request) const;
  Response readiness(const Request& request) const;
  Response metrics(const Request& request) const;
  Response overview(const Request& request) const;
  Response guard(const Request& request) const;
  Response timeline(const Request& request) const;
  Response openapi(const Request& request) const;
  Response letters(const Request& request) const;
  Response retry_letter(const Request& request) const;
  Response discard_letter(const Request& request) const;
  Response faults(const Request& request) const;
  Response inflict(const Request& request) const;

  Response letters_of(const std::string& pipeline, const std::string& after, size_t limit) const;
  Response letters_of_all(const std::string& after, size_t limit) const;
  Response command_letter(const Request& request,
                          Status (Backend::*command)(const std::string&, const std::string&)) const;

  const ServerOptions& options_;
  Backend& backend_;
  const std::vector<std::shared_ptr<Inlet>> inlets_;
  const Counters& counters_;
  Clock& clock_;
  const std::string instance_;
  const Guard guard_;
};

}  // namespace tidemark::http
