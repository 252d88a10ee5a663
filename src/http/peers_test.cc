// Two servers on real sockets, one the other's peer.
#include "http/peers.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "http/testing/server_harness.h"

namespace tidemark::http::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Url url_of(const Fixture& fixture) { return *parse_url(fixture.server->url()); }

const PipelineView* find(const std::vector<PipelineView>& views, const std::string& name) {
  const auto it =
      std::find_if(views.begin(), views.end(), [&](const auto& view) { return view.name == name; });
  return it == views.end() ? nullptr : &*it;
}

TEST(Peers, TheirPipelinesAreShownAmongTheOwn) {
  Fixture far;
  FakeBackend own;
  own.views.emplace_back().name = "ingest";
  PeeredBackend peered(own, {url_of(far)}, "", far.clock);
  ASSERT_TRUE(far.eventually([&] { return peered.pipelines().size() == 3; }));
  const auto views = peered.pipelines();
  EXPECT_EQ(views[0].name, "ingest");
  EXPECT_EQ(views[0].process, "");
  EXPECT_EQ(views[1].name, "process");
  EXPECT_EQ(views[1].process, far.server->url());
  EXPECT_EQ(views[1].events_delivered, 7u);
  EXPECT_EQ(views[1].state, "streaming");
}

TEST(Peers, WhatAPeerShowedStaysWhenItIsGoneAndSaysSo) {
  Fixture far;
  FakeBackend own;
  PeeredBackend peered(own, {url_of(far)}, "", far.clock);
  ASSERT_TRUE(far.eventually([&] { return peered.pipelines().size() == 2; }));
  const std::string url = far.server->url();
  far.server.reset();
  ASSERT_TRUE(far.eventually([&] { return peered.pipelines()[0].state == "unreachable"; }));
  const auto views = peered.pipelines();
  EXPECT_THAT(views[0].error, HasSubstr(url));
  EXPECT_FALSE(views[0].ready);
  EXPECT_EQ(views[0].events_delivered, 7u);
  EXPECT_GT(*views[0].proof_of_life_s, 0);
  EXPECT_GT(*peered.pipelines()[0].proof_of_life_s, *views[0].proof_of_life_s);

  // A server before this backend lists the letters it can still reach.
  Fixture near;
  near.server.reset();
  own.views.emplace_back().name = "ingest";
  own.views.back().dead_letters = 1;
  own.letters_by_pipeline["ingest"] = {{.pipeline = "ingest", .id = "mine"}};
  near.start(peered);
  const HttpAnswer answer = near.client().ask("GET", "/api/dlq");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json::parse(answer.body)["letters"].size(), 1u);
}

TEST(Peers, WhatTheirGuardsFoundIsShownWithTheOwnFindings) {
  Fixture far;
  guard::GuardView there = full_guard();
  there.alerts[1].process = "http://somebody:1";  // a peer of the peer's: theirs to show
  far.backend.with([&] { far.backend.guard_view = there; });
  FakeBackend own;
  PeeredBackend alone(own, {url_of(far)}, "", far.clock);
  ASSERT_TRUE(far.eventually([&] { return alone.guard().configured; }));
  own.guard_view = full_guard();
  own.guard_view.age_s = 0.5;
  own.guard_view.alerts.front().fired_at_ms += 1;
  const guard::GuardView all = alone.guard();
  ASSERT_EQ(all.alerts.size(), 3u);
  EXPECT_EQ(all.alerts[0].process, "");
  EXPECT_EQ(all.alerts[1].process, far.server->url());
  EXPECT_TRUE(all.alerts[1].firing);
  EXPECT_FALSE(all.alerts[2].firing);
  EXPECT_EQ(all.audits.size(), 4u);
  EXPECT_EQ(all.audits[2].process, far.server->url());
  EXPECT_EQ(all.notices_sent, 10u);
  EXPECT_GE(*all.age_s, 4.5);

  far.server.reset();
  ASSERT_TRUE(far.eventually([&] { return *alone.guard().age_s > 5.5; }));
  EXPECT_EQ(alone.guard().alerts.size(), 3u);
}

TEST(Peers, CommandsGoWhereThePipelineIs) {
  ServerOptions options;
  options.token = "t0ken-of-the-peer";
  Fixture far(options);
  FakeBackend own;
  own.views.emplace_back().name = "ingest";
  own.letters_by_pipeline["ingest"] = {
      {.pipeline = "ingest", .id = "mine", .reason = "", .origin = "", .event = ""}};
  PeeredBackend peered(own, {url_of(far)}, options.token, far.clock);
  ASSERT_TRUE(far.eventually([&] { return find(peered.pipelines(), "process") != nullptr; }));

  const auto letters = peered.letters("process", "a", 10);
  ASSERT_TRUE(letters) << letters.error().describe();
  ASSERT_EQ(letters->size(), 1u);
  EXPECT_EQ(letters->front().id, "b");
  EXPECT_EQ(peered.letters("ingest", "", 10)->front().id, "mine");
  EXPECT_TRUE(peered.retry_letter("process", "a"));
  EXPECT_TRUE(peered.discard_letter("process", "b"));
  EXPECT_TRUE(peered.discard_letter("ingest", "mine"));
  const std::vector<std::string> there = {"retry process a", "discard process b"};
  EXPECT_EQ(far.backend.with([&] { return far.backend.commands; }), there);
  EXPECT_EQ(own.commands, std::vector<std::string>{"discard ingest mine"});
  const Status gone = peered.retry_letter("process", "gone");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().react, React::kReject);
}

TEST(Peers, AWrongTokenIsSaidAndNotShown) {
  ServerOptions options;
  options.token = "t0ken-of-the-peer";
  Fixture far(options);
  FakeBackend own;
  PeeredBackend right(own, {url_of(far)}, options.token, far.clock);
  PeeredBackend wrong(own, {url_of(far)}, "wr0ng", far.clock);
  ASSERT_TRUE(far.eventually([&] { return right.pipelines().size() == 2; }));
  EXPECT_TRUE(wrong.pipelines().empty());
}

}  // namespace
}  // namespace tidemark::http::testing
