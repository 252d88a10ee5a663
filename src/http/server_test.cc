// A real server on a real socket: routes, doors, security, the way it ends.
#include "http/server.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "http/page.h"
#include "http/testing/server_harness.h"

namespace tidemark::http::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// Every error body has the same shape.
void expect_problem(const HttpAnswer& answer, int status) {
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
  const json body = json::parse(answer.body, nullptr, false);
  ASSERT_TRUE(body.is_object()) << answer.body;
  EXPECT_EQ(body["status"], status);
  EXPECT_FALSE(body["detail"].get<std::string>().empty());
}

TEST(Server, AnswersManyRequestsOnOneConnection) {
  Fixture fixture;
  Client client = fixture.client();
  for (int i = 0; i < 3; ++i) {
    const HttpAnswer answer = client.ask("GET", "/healthz");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"status":"ok"})");
    EXPECT_EQ(answer.headers.at("connection"), "keep-alive");
  }
  EXPECT_EQ(fixture.server->gauges().connections, 1);
}

TEST(Server, AnswersPipelinedRequestsInTheirOrder) {
  Fixture fixture;
  Client client = fixture.client();
  client.send(
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /events HTTP/1.1\r\nHost: "
      "localhost\r\nContent-Length: 2\r\n\r\n{}"
      "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(client.answer().status, 202);
  expect_problem(client.answer(), 404);
  EXPECT_TRUE(client.ended());
}

TEST(Server, HeadIsGetWithoutTheBody) {
  Fixture fixture;
  Client client = fixture.client();
  const HttpAnswer answer = client.ask("HEAD", "/healthz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-length"), "15");
  EXPECT_EQ(client.ask("GET", "/healthz").status, 200);
}

TEST(Server, SpeaksHttp10AndEndsTheConnectionThere) {
  Fixture fixture;
  Client client = fixture.client();
  client.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(client.ended());
}

TEST(Server, EveryAnswerForbidsGuessingAndForeignCode) {
  Fixture fixture;
  Client client = fixture.client();
  const HttpAnswer answer = client.ask("GET", "/api/pipelines");
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  EXPECT_THAT(answer.headers.at("content-security-policy"),
              HasSubstr("default-src 'none'; script-src 'self'"));
  EXPECT_THAT(answer.headers.at("content-security-policy"), HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(answer.headers.at("content-security-policy"), Not(HasSubstr("unsafe")));
  EXPECT_EQ(answer.headers.at("referrer-policy"), "no-referrer");
  EXPECT_EQ(answer.headers.at("cache-control"), "no-store");
}

TEST(Server, AWrongMethodIsToldTheRightOne) {
  Fixture fixture;
  Client client = fixture.client();
  const HttpAnswer answer = client.ask("DELETE", "/api/pipelines");
  expect_problem(answer, 405);
  EXPECT_EQ(answer.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(client.ask("GET", "/events").headers.at("allow"), "POST");
}

TEST(Server, ServesThePageAndAsksNoTokenForIt) {
  ServerOptions options;
  options.token = "t0ken";
  Fixture fixture(options);
  Client client = fixture.client();
  for (const PageFile& file : page_files()) {
    const HttpAnswer answer = client.ask("GET", file.path);
    EXPECT_EQ(answer.status, 200) << file.path;
    EXPECT_EQ(answer.body, file.bytes);
    EXPECT_EQ(answer.headers.at("content-type"), file.content_type);
    EXPECT_EQ(answer.headers.at("etag"), file.etag);
    const HttpAnswer known =
        client.ask("GET", file.path, fmt::format("If-None-Match: \"x\", {}\r\n", file.etag));
    EXPECT_EQ(known.status, 304);
    EXPECT_EQ(known.body, "");
  }
  EXPECT_EQ(client.ask("GET", "/assets/../healthz").status, 404);
}

// --- doors

TEST(Server, HandsASubmissionOverAsItCame) {
  Fixture fixture;
  Client client = fixture.client();
  const HttpAnswer answer = client.ask(
      "POST", "/events", "Content-Type: text/xml\r\nCE-Id: 7\r\nce-type: t\r\nX-Y: z\r\n", "\xff<a/>");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, R"({"accepted":1})");
  const Submission got = fixture.inlet->last();
  EXPECT_EQ(got.content_type, "text/xml");
  EXPECT_EQ(got.body, "\xff<a/>");
  const std::vector<std::pair<std::string, std::string>> expected = {{"ce-id", "7"}, {"ce-type", "t"}};
  EXPECT_EQ(got.headers, expected);
}

TEST(Server, TellsEachAnswerOfADoorApart) {
  Fixture fixture;
  Client client = fixture.client();
  fixture.inlet->answer_with(
      {.kind = Answer::Kind::kInvalid, .detail = "bad", .problems = {{"events[0].id", "is missing"}}});
  const HttpAnswer invalid = client.ask("POST", "/events", kEvents, "{}");
  expect_problem(invalid, 400);
  EXPECT_EQ(json::parse(invalid.body)["errors"][0]["where"], "events[0].id");
  fixture.inlet->answer_with({.kind = Answer::Kind::kUnsupportedType, .detail = "no such type"});
  expect_problem(client.ask("POST", "/events", "Content-Type: text/plain\r\n", "x"), 415);
  fixture.inlet->answer_with({.kind = Answer::Kind::kUnavailable,
                              .detail = "away",
                              .problems = {},
                              .retry_after = std::chrono::seconds(7)});
  const HttpAnswer away = client.ask("POST", "/events", kEvents, "{}");
  expect_problem(away, 503);
  EXPECT_EQ(away.headers.at("retry-after"), "7");
}

TEST(Server, ADoorThatCannotStoreRefusesBeforeTheBodyIsSent) {
  Fixture fixture;
  fixture.backend.accepting = false;
  Client client = fixture.client();
  client.send("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  const HttpAnswer answer = client.answer();
  expect_problem(answer, 503);
  EXPECT_EQ(answer.headers.at("retry-after"), "1");
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_TRUE(fixture.inlet->bodies().empty());
}

TEST(Server, SaysContinueBeforeABodyThatWaitsForIt) {
  Fixture fixture;
  Client client = fixture.client();
  client.send(
      "POST /events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.answer().status, 100);
  client.send("{}");
  EXPECT_EQ(client.answer().status, 202);
}

TEST(Server, TakesAChunkedBody) {
  Fixture fixture;
  Client client = fixture.client();
  client.send(
      "POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.answer().status, 202);
  EXPECT_EQ(fixture.inlet->last().body, "abcde");
}

TEST(Server, EventsThatAreNotStoredInTimeArePromisedNothing) {
  ServerOptions options;
  options.request_timeout = 50ms;
  Fixture fixture(options);
  fixture.inlet->hold();
  Client client = fixture.client();
  const HttpAnswer answer = client.ask("POST", "/events", kEvents, "{}");
  expect_problem(answer, 503);
  EXPECT_TRUE(answer.headers.contains("retry-after"));
  // The answer that comes late is nobody's; the connection's next request gets its own.
  fixture.inlet->release(1, {.kind = Answer::Kind::kAccepted, .events = 99});
  EXPECT_EQ(client.ask("GET", "/healthz").body, R"({"status":"ok"})");
}

TEST(Server, AReplyDroppedUnansweredIsA503) {
  Fixture fixture;
  fixture.inlet->hold();
  Client client = fixture.client();
  client.send("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
  ASSERT_TRUE(fixture.inlet->wait_pending(1));
  fixture.inlet->forget();
  expect_problem(client.answer(), 503);
}

TEST(Server, AClientThatGoesAwayWhileWaitingCostsNothing) {
  Fixture fixture;
  fixture.inlet->hold();
  {
    Client client = fixture.client();
    client.send("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
    ASSERT_TRUE(fixture.inlet->wait_pending(1));
  }
  fixture.inlet->release(1, {.kind = Answer::Kind::kAccepted, .events = 1});
  EXPECT_TRUE(fixture.eventually([&] { return fixture.server->gauges().connections == 0; }));
  EXPECT_TRUE(fixture.server->drained());
}

TEST(Server, ARepliesThreadMayOutliveTheServer) {
  Fixture fixture;
  fixture.inlet->hold();
  Client client = fixture.client();
  client.send("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
  ASSERT_TRUE(fixture.inlet->wait_pending(1));
  fixture.server.reset();
  fixture.inlet->release(1, {.kind = Answer::Kind::kAccepted, .events = 1});
  EXPECT_EQ(client.answer().status, 0);
}

// --- dead letters, and what else changes something

TEST(Server, PagesThroughTheDeadLettersOfAllPipelines) {
  Fixture fixture;
  Client client = fixture.client();
  const json first = json::parse(client.ask("GET", "/api/dlq?limit=1").body);
  ASSERT_EQ(first["letters"].size(), 1u);
  EXPECT_EQ(first["letters"][0]["id"], "a");
  const json second =
      json::parse(client.ask("GET", "/api/dlq?limit=1&after=" + first["next"].get<std::string>()).body);
  EXPECT_EQ(second["letters"][0]["id"], "b");
  const json third =
      json::parse(client.ask("GET", "/api/dlq?limit=1&after=" + second["next"].get<std::string>()).body);
  EXPECT_TRUE(third["letters"].empty());
  EXPECT_TRUE(third["next"].is_null());
  expect_problem(client.ask("GET", "/api/dlq?pipeline=nobody"), 404);
  expect_problem(client.ask("GET", "/api/dlq?limit=0"), 400);
  expect_problem(client.ask("GET", "/api/dlq?limit=x"), 400);
}

TEST(Server, ACommandNeedsTheHeaderThatNoForeignPageSends) {
  Fixture fixture;
  // A refusal that leaves the body unread ends the connection.
  const auto post = [&](const char* path, const std::string& headers, const std::string& body) {
    return fixture.client().ask("POST", path, headers, body);
  };
  const std::string body = R"({"pipeline":"process","id":"a"})";
  expect_problem(post("/api/dlq/retry", "Content-Type: application/json\r\n", body), 403);
  expect_problem(post("/api/dlq/retry", "X-Tidemark-Request: 1\r\nContent-Type: text/plain\r\n", body), 415);
  expect_problem(post("/api/dlq/retry", std::string(kCommand) + "Origin: http://evil.example\r\n", body),
                 403);
  EXPECT_TRUE(fixture.backend.with([&] { return fixture.backend.commands.empty(); }));
  EXPECT_EQ(post("/api/dlq/retry", std::string(kCommand), body).status, 200);
  EXPECT_EQ(post("/api/dlq/discard", std::string(kCommand) + "Origin: http://127.0.0.1\r\n", body).status,
            200);
  const std::vector<std::string> expected = {"retry process a", "discard process a"};
  EXPECT_EQ(fixture.backend.with([&] { return fixture.backend.commands; }), expected);
  expect_problem(post("/api/dlq/retry", std::string(kCommand), R"({"pipeline":"process","id":"gone"})"), 404);
  expect_problem(post("/api/dlq/retry", std::string(kCommand), "[]"), 400);
}

TEST(Server, FaultsAreInflictedInTheDemoAlone) {
  Fixture fixture;
  Client client = fixture.client();
  EXPECT_EQ(client.ask("GET", "/api/demo/faults").body, R"({"faults":[]})");
  expect_problem(client.ask("POST", "/api/demo/inflict", kCommand, R"({"fault":"step_down"})"), 404);
  fixture.backend.with([&] { fixture.backend.buttons = {{"step_down", "Step down"}}; });
  EXPECT_EQ(client.ask("POST", "/api/demo/inflict", kCommand, R"({"fault":"step_down"})").status, 200);
  expect_problem(client.ask("POST", "/api/demo/inflict", kCommand, R"({"fault":"else"})"), 404);
}

// --- token

TEST(Server, ATokenGuardsEverythingButHealthAndThePage) {
  ServerOptions options;
  options.token = "t0ken-of-this-test";
  Fixture fixture(options);
  Client client = fixture.client();
  EXPECT_EQ(client.ask("GET", "/healthz").status, 200);
  for (const char* path : {"/api/pipelines", "/api/pipelines/process", "/api/timeline", "/api/dlq",
                           "/api/demo/faults", "/openapi.json", "/metrics", "/readyz"}) {
    expect_problem(client.ask("GET", path), 401);
    expect_problem(client.ask("GET", path, "Authorization: Bearer wrong\r\n"), 401);
    EXPECT_EQ(client.ask("GET", path, "Authorization: Bearer t0ken-of-this-test\r\n").status, 200) << path;
  }
  const HttpAnswer refused = client.ask("POST", "/events", kEvents, "{}");
  expect_problem(refused, 401);
  EXPECT_THAT(refused.headers.at("www-authenticate"), HasSubstr("Bearer"));
  EXPECT_TRUE(fixture.inlet->bodies().empty());
}

TEST(Server, NoAnswerShowsTheToken) {
  ServerOptions options;
  options.token = "t0ken-of-this-test";
  Fixture fixture(options);
  Client client = fixture.client();
  for (const char* path :
       {"/healthz", "/api/pipelines", "/metrics", "/openapi.json", "/readyz", "/nowhere"}) {
    for (const char* token : {"t0ken-of-this-test", "t0ken-of-this-tesu"}) {
      const HttpAnswer answer = client.ask("GET", path, fmt::format("Authorization: Bearer {}\r\n", token));
      EXPECT_THAT(answer.body, Not(HasSubstr("t0ken"))) << path;
    }
  }
}

TEST(Server, MetricsCanBeOpen) {
  ServerOptions options;
  options.token = "t0ken";
  options.metrics_open = true;
  Fixture fixture(options);
  Client client = fixture.client();
  EXPECT_EQ(client.ask("GET", "/metrics").status, 200);
  EXPECT_EQ(client.ask("GET", "/readyz").status, 200);
  EXPECT_EQ(client.ask("GET", "/api/pipelines").status, 401);
}

// --- metrics, readiness

TEST(Server, ReadinessNamesThePipelineThatIsNot) {
  Fixture fixture;
  Client client = fixture.client();
  EXPECT_EQ(client.ask("GET", "/readyz").status, 200);
  fixture.backend.with([&] {
    fixture.backend.views[1].ready = false;
    fixture.backend.views[1].not_ready = "the cursor is dead";
  });
  const HttpAnswer answer = client.ask("GET", "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(json::parse(answer.body)["pipelines"][1]["reason"], "the cursor is dead");
}

TEST(Server, MetricsLeaveOutWhatIsUnknown) {
  Fixture fixture;
  Client client = fixture.client();
  client.ask("GET", "/healthz");
  const HttpAnswer answer = client.ask("GET", "/metrics");
  EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("tidemark_build_info{version=\"1.2.3\"} 1"));
  EXPECT_THAT(answer.body, HasSubstr("tidemark_pipeline_events_delivered_total{pipeline=\"process\"} 7"));
  EXPECT_THAT(answer.body, HasSubstr("tidemark_pipeline_lag_seconds{pipeline=\"process\"} 0.5"));
  EXPECT_THAT(answer.body, Not(HasSubstr("tidemark_pipeline_lag_seconds{pipeline=\"observe\"}")));
  EXPECT_THAT(answer.body,
              HasSubstr("tidemark_pipeline_retries_total{pipeline=\"process\",side=\"sink\"} 0"));
  EXPECT_THAT(answer.body, HasSubstr("tidemark_pipeline_state{pipeline=\"process\",state=\"streaming\"} 1"));
  EXPECT_THAT(
      answer.body,
      HasSubstr("tidemark_pipeline_write_duration_seconds_bucket{pipeline=\"process\",le=\"+Inf\"} 7"));
  EXPECT_THAT(answer.body, HasSubstr("tidemark_http_requests_total{route=\"/healthz\",status=\"200\"} 1"));
}

// --- the end

TEST(Server, FinishesWhatIsInFlightAndRefusesTheRest) {
  Fixture fixture;
  fixture.inlet->hold();
  Client waiting = fixture.client();
  Client kept = fixture.client();
  EXPECT_EQ(kept.ask("GET", "/healthz").status, 200);
  waiting.send("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
  ASSERT_TRUE(fixture.inlet->wait_pending(1));
  fixture.server->stop_accepting();
  const HttpAnswer refused = kept.ask("POST", "/events", kEvents, "{}");
  expect_problem(refused, 503);
  EXPECT_EQ(refused.headers.at("connection"), "close");
  EXPECT_FALSE(fixture.server->wait_drained(20ms));
  fixture.inlet->release(1, {.kind = Answer::Kind::kAccepted, .events = 1});
  EXPECT_EQ(waiting.answer().status, 202);
  EXPECT_TRUE(fixture.server->wait_drained(kPatience));
  fixture.server->close();
  EXPECT_FALSE(fixture.feed->listened());
}

TEST(Server, APortThatIsTakenIsAConfigurationError) {
  Fixture fixture;
  ServerOptions options;
  options.port = fixture.port();
  const auto second = Server::listen(options, fixture.backend, {}, {}, fixture.clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().react, React::kConfig);
  EXPECT_THAT(second.error().what, HasSubstr("can't bind"));
}

TEST(Server, TellsItsAddress) {
  Fixture fixture;
  EXPECT_EQ(fixture.server->url(), "http://127.0.0.1:" + std::to_string(fixture.port()));
}

}  // namespace
}  // namespace tidemark::http::testing
