// Notices to a receiver on a real socket.
#include "http/webhook.h"

#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/log.h"
#include "config/value.h"
#include "env/posix/log_writer.h"
#include "http/testing/server_harness.h"
#include "http/testing/webhook_harness.h"

namespace tidemark::http::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

guard::AlertView alert_of(uint64_t seq, bool firing = true) {
  guard::AlertView alert = full_guard().alerts.front();
  alert.seq = seq;
  alert.firing = firing;
  alert.resolved_at_ms = firing ? 0 : alert.fired_at_ms + 1;
  return alert;
}

WebhookOptions options_for(const Receiver& receiver) {
  WebhookOptions options;
  options.endpoint = *parse_endpoint(receiver.url() + "/hook/p4th?x=1");
  options.secret = "k3y";
  return options;
}

// Waits until every notice has come to its end.
guard::Notifier::Counts counts_after(const Webhook& hook, uint64_t notices) {
  PosixClock clock;
  const Mono deadline = clock.now() + kPatience;
  auto counts = hook.counts();
  while (counts.sent + counts.failed < notices && clock.now() < deadline) {
    clock.sleep_until(clock.now() + 2ms, {});
    counts = hook.counts();
  }
  EXPECT_EQ(counts.sent + counts.failed, notices);
  return counts;
}

uint64_t seq_of(const Received& request) { return json::parse(request.body)["alert"]["seq"]; }

TEST(Webhook, PostsTheAlertSignedWithItsTime) {
  Receiver receiver;
  FastClock clock;
  Webhook hook(options_for(receiver.start()), clock);
  hook.notify(alert_of(7));
  const Received request = receiver.wait(1).front();
  EXPECT_EQ(request.target, "/hook/p4th?x=1");
  EXPECT_EQ(request.headers.at("content-type"), "application/json");
  EXPECT_EQ(request.headers.at("x-tidemark-timestamp"), "1700000000");
  EXPECT_EQ(request.headers.at("x-tidemark-signature"),
            "sha256=" + to_hex(hmac_sha256("k3y", "1700000000." + request.body)));
  EXPECT_EQ(request.headers.at("x-tidemark-delivery").size(), 32u);
  const json body = json::parse(request.body);
  EXPECT_EQ(body["version"], 1);
  EXPECT_EQ(body["event"], "fired");
  EXPECT_EQ(body["alert"]["name"], "lag");
  EXPECT_EQ(body["alert"]["figure"], 75);
  EXPECT_EQ(counts_after(hook, 1).sent, 1u);
}

TEST(Webhook, WithoutASecretNothingIsSigned) {
  Receiver receiver;
  FastClock clock;
  WebhookOptions options = options_for(receiver.start());
  options.secret.clear();
  Webhook hook(options, clock);
  hook.notify(alert_of(1, false));
  const Received request = receiver.wait(1).front();
  EXPECT_FALSE(request.headers.contains("x-tidemark-signature"));
  EXPECT_EQ(json::parse(request.body)["event"], "resolved");
}

TEST(Webhook, TriesAgainAfterAnOverloadedReceiverAndKeepsTheOrder) {
  Receiver receiver({503, 429, Receiver::kHangUp, 200, 500});
  FastClock clock;
  Webhook hook(options_for(receiver.start()), clock);
  hook.notify(alert_of(1));
  hook.notify(alert_of(2));
  const auto requests = receiver.wait(6);
  ASSERT_EQ(requests.size(), 6u);
  EXPECT_EQ(counts_after(hook, 2).sent, 2u);
  EXPECT_THAT(clock.waits(), ElementsAre(1s, 2s, 4s, 1s));
  std::vector<uint64_t> seqs;
  std::set<std::string> deliveries;
  for (const Received& request : requests) {
    seqs.push_back(seq_of(request));
    deliveries.insert(request.headers.at("x-tidemark-delivery"));
    EXPECT_EQ(request.headers.at("x-tidemark-signature"),
              "sha256=" + to_hex(hmac_sha256(
                              "k3y", request.headers.at("x-tidemark-timestamp") + "." + request.body)));
  }
  EXPECT_THAT(seqs, ElementsAre(1, 1, 1, 1, 2, 2));
  EXPECT_EQ(deliveries.size(), 2u);
  EXPECT_EQ(requests[3].headers.at("x-tidemark-timestamp"), "1700000007");
}

TEST(Webhook, WaitsForAReceiverThatRefusesConnections) {
  Receiver receiver;
  FastClock clock([&](size_t before) {
    if (before == 2) receiver.start();
  });
  Webhook hook(options_for(receiver), clock);
  hook.notify(alert_of(1));
  EXPECT_EQ(receiver.wait(1).size(), 1u);
  EXPECT_EQ(counts_after(hook, 1).sent, 1u);
  EXPECT_THAT(clock.waits(), ElementsAre(1s, 2s, 4s));
}

TEST(Webhook, GivesUpAfterTheLastTryAndGoesOnWithTheNext) {
  Receiver receiver(std::deque<int>(8, 503));
  FastClock clock;
  Webhook hook(options_for(receiver.start()), clock);
  hook.notify(alert_of(1));
  hook.notify(alert_of(2));
  EXPECT_EQ(receiver.wait(9).size(), 9u);
  const auto counts = counts_after(hook, 2);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.sent, 1u);
  EXPECT_THAT(clock.waits(), ElementsAre(1s, 2s, 4s, 8s, 16s, 30s, 30s));
}

TEST(Webhook, TakesARefusalForAnAnswer) {
  Receiver receiver({400, 302, 410});
  FastClock clock;
  Webhook hook(options_for(receiver.start()), clock);
  for (uint64_t seq = 1; seq <= 3; ++seq) hook.notify(alert_of(seq));
  EXPECT_EQ(counts_after(hook, 3).failed, 3u);
  EXPECT_EQ(receiver.wait(3).size(), 3u);
  EXPECT_TRUE(clock.waits().empty());
}

TEST(Webhook, AReceiverThatNeverAnswersIsWaitedForUntilTheTimeout) {
  Receiver receiver({Receiver::kHold, 200});
  FastClock clock([&](size_t) { receiver.release(); });
  WebhookOptions options = options_for(receiver.start());
  options.timeout = 100ms;
  Webhook hook(options, clock);
  hook.notify(alert_of(1));
  EXPECT_EQ(counts_after(hook, 1).sent, 1u);
  EXPECT_THAT(clock.waits(), ElementsAre(1s));
}

TEST(Webhook, BehindASlowReceiverTheOldestNoticesGiveWay) {
  Receiver receiver({Receiver::kHold});
  FastClock clock;
  Webhook hook(options_for(receiver.start()), clock);
  hook.notify(alert_of(1));
  receiver.wait(1);
  const uint64_t last = 1 + Webhook::kWaitingMax + 10;
  for (uint64_t seq = 2; seq <= last; ++seq) hook.notify(alert_of(seq));
  EXPECT_EQ(hook.counts().failed, 10u);
  receiver.release();
  EXPECT_EQ(counts_after(hook, last).sent, 1 + Webhook::kWaitingMax);
  const auto requests = receiver.wait(1 + Webhook::kWaitingMax);
  EXPECT_EQ(seq_of(requests[1]), 12u);
  EXPECT_EQ(seq_of(requests.back()), last);
}

TEST(Webhook, SendsTheAlertsThatWereAskedForAlone) {
  Receiver receiver;
  FastClock clock;
  WebhookOptions options = options_for(receiver.start());
  options.alerts = {"position_lost", "dead_letters"};
  Webhook hook(options, clock);
  hook.notify(alert_of(1));
  guard::AlertView wanted = alert_of(2);
  wanted.name = "position_lost";
  hook.notify(wanted);
  EXPECT_EQ(seq_of(receiver.wait(1).front()), 2u);
  EXPECT_EQ(counts_after(hook, 1).sent, 1u);
}

TEST(Webhook, SendsAtTheEndWhatStillWaits) {
  Receiver receiver({503, 200, 200});
  PosixClock clock;  // its first wait would be a second
  Webhook hook(options_for(receiver.start()), clock);
  hook.notify(alert_of(1));
  hook.notify(alert_of(2));
  receiver.wait(1);
  const Mono begun = clock.now();
  hook.stop();
  EXPECT_LT(clock.now() - begun, Webhook::kBackoffMin);
  EXPECT_EQ(hook.counts().sent, 2u);
  hook.notify(alert_of(3));
  EXPECT_EQ(hook.counts().failed, 1u);
  EXPECT_EQ(receiver.wait(3).size(), 3u);
}

TEST(Webhook, EndsInTimeAlthoughTheReceiverHangs) {
  Receiver receiver({Receiver::kHold});
  PosixClock clock;
  Webhook hook(options_for(receiver.start()), clock);
  for (uint64_t seq = 1; seq <= 5; ++seq) hook.notify(alert_of(seq));
  receiver.wait(1);
  const Mono begun = clock.now();
  hook.stop();
  EXPECT_LT(clock.now() - begun, Webhook::kDrain + 1s);
  EXPECT_EQ(hook.counts().failed, 5u);
}

TEST(Webhook, LogsNeitherTheSecretNorThePath) {
  const std::string path = ::testing::TempDir() + "/tidemark_webhook_log";
  init_log(LogLevel::kDebug, *make_log_writer(path));
  {
    Receiver receiver({503, 400});
    FastClock clock;
    Webhook hook(options_for(receiver.start()), clock);
    hook.notify(alert_of(1));
    EXPECT_EQ(counts_after(hook, 1).failed, 1u);
  }
  flush_log();
  init_log(LogLevel::kInfo);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("process: lag fired"));
  EXPECT_THAT(text.str(), HasSubstr("answers 503"));
  EXPECT_THAT(text.str(), HasSubstr("answers 400"));
  EXPECT_THAT(text.str(), Not(HasSubstr("p4th")));
  EXPECT_THAT(text.str(), Not(HasSubstr("k3y")));
}

// --- its options

config::Settings settings_with(const std::string& url) {
  config::Settings settings;
  settings.set_where("x.toml:1:1, guard.webhook");
  settings.set("url", url);
  settings.set("secret", std::string("k3y"));
  settings.set("timeout", int64_t{5000});
  settings.set("attempts_max", int64_t{3});
  settings.set("alerts", std::vector<std::string>{"lag"});
  return settings;
}

TEST(WebhookOptions, TakeAnAddressWithItsPath) {
  const auto options = webhook_options(settings_with("https://alerts.example/hook?token=1"));
  ASSERT_TRUE(options) << options.error().describe();
  EXPECT_TRUE(options->endpoint.server.tls);
  EXPECT_EQ(options->endpoint.server.port, 443);
  EXPECT_EQ(options->endpoint.server.text, "https://alerts.example");
  EXPECT_EQ(options->endpoint.target, "/hook?token=1");
  EXPECT_EQ(options->timeout, 5s);
  EXPECT_EQ(options->attempts_max, 3);
  EXPECT_THAT(options->alerts, ElementsAre("lag"));
}

TEST(WebhookOptions, AWrongAddressIsNotRepeatedInTheMessage) {
  const auto options = webhook_options(settings_with("https://user:p4ss@alerts.example/hook"));
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().react, React::kConfig);
  EXPECT_THAT(options.error().describe(), HasSubstr("url: is no address of a receiver"));
  EXPECT_THAT(options.error().describe(), Not(HasSubstr("p4ss")));
}

TEST(WebhookOptions, EveryDefaultIsAValueOfItsField) {
  for (const config::FieldSpec& field : guard_webhook_spec().fields) {
    EXPECT_FALSE(field.doc.empty()) << field.name;
    if (!field.default_text.empty()) {
      EXPECT_TRUE(config::value_from_text(field, field.default_text)) << field.name;
    }
  }
}

}  // namespace
}  // namespace tidemark::http::testing
