// The guard as its users have it: it sees from outside that a pipeline stands still or that its destination was damaged, tells
// a webhook once, and once more when it is over.
#include <csignal>
#include <filesystem>

#include "base/digest.h"
#include "e2e/audited.h"
#include "e2e/hook_receiver.h"
#include "e2e/http_client.h"

namespace tidemark::e2e {
namespace {

using ::testing::ElementsAre;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Process;

constexpr const char* kApart = "enabled = false\n";  // the relay has no guard inside
constexpr const char* kSecret = "a secret of the test's";

class Guarded : public Audited {
 protected:
  void SetUp() override {
    Audited::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) audit_to(EndKind::kSqlite, guard_toml("[\"lag\"]", kApart));
  }

  // A guard that looks often, to whom a second of lag is too much.
  std::string guard_toml(const std::string& alerts, const std::string& further = "") const {
    return "[guard]\ninterval = \"100ms\"\n" + further +
           "[[guard.rule]]\nalert = \"lag\"\nthreshold = \"1s\"\nfor = \"0s\"\nclear = \"0s\"\n"
           "[[guard.webhook]]\nurl = \"" +
           hook_.url() + "\"\nsecret = \"" + kSecret + "\"\nalerts = " + alerts + "\n";
  }
  void configure(const std::string& guard, const std::string& further = "") {
    setup_.after = guard + further;
    write_config();
  }
  std::unique_ptr<Process> start_guard(std::vector<std::string> further = {}) {
    std::vector<std::string> args = {testing::bin_dir() + "/tidemark", "guard", config_};
    args.insert(args.end(), further.begin(), further.end());
    return std::make_unique<Process>(std::move(args));
  }
  static int stop(Process& process) {
    process.signal(SIGTERM);
    const auto status = process.wait();
    return status ? status->code : -1;
  }
  // "fired lag", "resolved lag", ... in the order in which they came.
  std::vector<std::string> notices() const {
    std::vector<std::string> all;
    for (const HookCall& call : hook_.calls()) {
      const auto notice = nlohmann::json::parse(call.body, nullptr, false);
      all.push_back(notice.is_discarded() ? "no JSON: " + call.body
                                          : notice["event"].get<std::string>() + " " +
                                                notice["alert"]["name"].get<std::string>());
    }
    return all;
  }
  // The deployment moves on while nobody carries its changes.
  void write_until(const std::function<bool()>& done) {
    int n = 10'000;
    EXPECT_TRUE(testing::eventually([&] {
      (void)client_->insert(setup_.database, setup_.collection,
                            "{\"_id\": " + std::to_string(n++) + ", \"status\": \"open\"}");
      return done();
    }));
  }

  HookReceiver hook_;
};

TEST_F(Guarded, AStoppedRelayIsToldOfOnceAndOnceMoreWhenItIsBack) {
  copy(10);
  auto guard = start_guard();
  write_until([&] { return !notices().empty(); });
  EXPECT_THAT(notices(), ElementsAre("fired lag")) << guard->error_output();
  relay_ = start_relay(config_);
  EXPECT_TRUE(testing::eventually([&] { return notices().size() >= 2; })) << guard->error_output();
  stop_relay();
  EXPECT_EQ(stop(*guard), 0) << guard->error_output();
  EXPECT_THAT(notices(), ElementsAre("fired lag", "resolved lag"));
  EXPECT_THAT(guard->error_output(), HasSubstr("alert lag"));

  const HookCall first = hook_.calls().front();
  EXPECT_EQ(
      first.header("X-Tidemark-Signature"),
      "sha256=" + to_hex(hmac_sha256(kSecret, first.header("X-Tidemark-Timestamp") + "." + first.body)));
  const auto notice = nlohmann::json::parse(first.body);
  EXPECT_EQ(notice["alert"]["pipeline"], "orders");
  EXPECT_GE(notice["alert"]["figure"].get<double>(), 1.0);
  EXPECT_THAT(guard->error_output(), Not(HasSubstr(kSecret)));
}

TEST_F(Guarded, OneLookSaysWhatIsWrongByItsExitCode) {
  // However patient the rule is: there is no second look.
  configure(setup_.after, "[[guard.rule]]\nalert = \"lag\"\nfor = \"1h\"\n");
  copy(10);
  const Finished well = tidemark({"guard", config_, "--once"});
  EXPECT_THAT(well, ExitsWith(0));
  EXPECT_THAT(well.output, HasSubstr("nothing is wrong"));

  write_until([&] {
    return tidemark({"guard", config_, "--once"}).output.find("lag (") != std::string::npos;
  });
  const Finished json = tidemark({"guard", config_, "--once", "--json"});
  EXPECT_THAT(json, ExitsWith(1));
  const auto found = nlohmann::json::parse(json.output, nullptr, false);
  ASSERT_FALSE(found.is_discarded()) << describe(json);
  EXPECT_EQ(found["file"], config_);
  ASSERT_FALSE(found["alerts"].empty());
  for (const char* key : {"name", "pipeline", "severity", "text", "hint", "figure", "limit", "unit"})
    EXPECT_TRUE(found["alerts"][0].contains(key)) << key;
  // A replica set this young has an oplog of seconds, so that its window may be short too.
  std::vector<std::string> names;
  for (const auto& alert : found["alerts"]) names.push_back(alert["name"]);
  EXPECT_THAT(names, ::testing::Contains("lag"));
  EXPECT_TRUE(found["errors"].empty());
  EXPECT_TRUE(hook_.calls().empty()) << "a look by hand calls nobody";

  setup_.uri = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300";
  write_config();
  EXPECT_THAT(tidemark({"guard", config_, "--once"}), ExitsWith(69));
}

TEST_F(Guarded, InsideTheRelayDamageIsFoundToldOfAndForgottenOnceRepaired) {
  configure(guard_toml("[\"audit_missing\", \"audit_different\", \"pipeline_ended\", \"position_stuck\"]",
                       "state = \"" + folder_.path() + "/state\"\n"),
            "[[guard.audit]]\npipeline = \"orders\"\nevery = \"500ms\"\nrecheck_after = \"50ms\"\n");
  copy(300, true);
  end_->remove({7});
  ASSERT_TRUE(testing::eventually([&] { return !notices().empty(); })) << relay_->error_output();
  EXPECT_THAT(notices(), ElementsAre("fired audit_missing"));
  // The guard inside may hold the audit's progress for a moment: then it is another's turn.
  ASSERT_TRUE(testing::eventually([&] {
    return tidemark({"audit", config_, "--repair"}).status->code == 0;
  }));
  EXPECT_TRUE(testing::eventually([&] { return notices().size() == 2; })) << relay_->error_output();
  stop_relay();
  EXPECT_THAT(notices(), ElementsAre("fired audit_missing", "resolved audit_missing"))
      << "a stop is no reason to call anybody";
  EXPECT_THAT(relay_->error_output(), HasSubstr("silence the guard"));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("state/orders.checksum.last.json")));
}

TEST_F(Guarded, TheApiShowsTheGuardOfItsProcess) {
  const int port = testing::free_ports();
  configure(guard_toml("[\"lag\"]"),
            "[server]\nlisten = \"127.0.0.1:" + std::to_string(port) + "\"\n" + kQuick);
  copy(10, true);
  const auto guard_of = [](int where) {
    HttpClient http(where);
    const auto answer = http.get("/api/guard");
    return answer ? nlohmann::json::parse(answer->body, nullptr, false) : nlohmann::json();
  };
  ASSERT_TRUE(testing::eventually([&] {
    const auto view = guard_of(port);
    return view.is_object() && view.value("configured", false) && view["audits"].size() == 1;
  })) << relay_->error_output();

  // A guard apart takes no port but the one it is given.
  const int own = testing::free_ports();
  auto apart = start_guard({"--listen", "127.0.0.1:" + std::to_string(own)});
  EXPECT_TRUE(testing::eventually([&] { return guard_of(own).is_object(); })) << apart->error_output();
  EXPECT_TRUE(guard_of(own).value("configured", false));
  EXPECT_EQ(stop(*apart), 0) << apart->error_output();
  stop_relay();
}

// Looks and audits of a deployment that doesn't answer are given up at once.
TEST_F(Guarded, AServerThatHangsDoesNotHoldUpTheStop) {
  if (!set_->is_sandbox()) GTEST_SKIP() << "only the test's own process can be paused";
  configure(
      guard_toml("[\"source_unreachable\"]",
                 "[[guard.rule]]\nalert = \"source_unreachable\"\nthreshold = \"500ms\"\nfor = \"0s\"\n"),
      "[[guard.audit]]\npipeline = \"orders\"\nevery = \"200ms\"\n");
  copy(10, true);
  auto apart = start_guard();
  set_->process().signal(SIGSTOP);
  EXPECT_TRUE(testing::eventually([&] { return notices().size() >= 2; })) << "neither guard saw it";
  relay_->signal(SIGTERM);
  apart->signal(SIGTERM);
  const auto relay = relay_->wait(std::chrono::seconds(15));
  const auto guard = apart->wait(std::chrono::seconds(5));
  set_->process().signal(SIGCONT);
  ASSERT_TRUE(relay.has_value()) << relay_->error_output();
  EXPECT_EQ(relay->code, 0) << relay_->error_output();
  ASSERT_TRUE(guard.has_value()) << apart->error_output();
  EXPECT_EQ(guard->code, 0) << apart->error_output();
}

TEST_F(Guarded, EnabledFalseLeavesItToTheGuardApart) {
  copy(10, true);
  stop_relay();
  EXPECT_THAT(relay_->error_output(), Not(HasSubstr("silence the guard")));
  auto guard = start_guard({"--only", "orders"});
  write_until([&] { return !notices().empty(); });
  EXPECT_EQ(stop(*guard), 0);
}

TEST_F(Guarded, TheLogBeginsAnewOnRequest) {
  const std::string log = folder_.file("guard.log");
  configure(guard_toml("[\"lag\"]"), "[log]\nfile = \"" + log + "\"\n");
  init_position();
  auto guard = start_guard();
  ASSERT_TRUE(
      testing::eventually([&] { return folder_.read("guard.log").find("watching") != std::string::npos; }));
  std::filesystem::rename(log, log + ".1");
  guard->signal(SIGHUP);
  EXPECT_TRUE(
      testing::eventually([&] { return folder_.read("guard.log").find("anew") != std::string::npos; }));
  EXPECT_EQ(stop(*guard), 0);
}

TEST_F(Guarded, WhatItIsToldMustBeRight) {
  EXPECT_THAT(tidemark({"guard", config_, "--only", "ordres"}), ExitsWith(64));
  EXPECT_THAT(tidemark({"guard", config_, "--json"}), ExitsWith(64)) << "--json belongs to --once";
  const auto refused = [&](const std::string& tables, const std::string& why) {
    configure(tables);
    for (const char* command : {"check", "guard"}) {
      const Finished finished = tidemark({command, config_});
      EXPECT_THAT(finished, ExitsWith(78)) << command << tables;
      EXPECT_THAT(finished.error_output, HasSubstr(why));
      EXPECT_THAT(finished.error_output, HasSubstr("orders.toml:")) << "the place";
    }
  };
  refused("[[guard.rule]]\nalert = \"lagg\"\n", "did you mean \"lag\"?");
  refused("[[guard.rule]]\nalert = \"lag\"\nthreshold = \"soon\"\n", "threshold");
  refused("[[guard.webhook]]\nurl = \"ftp://host/\"\n", "url");
  refused("[[guard.webhook]]\nurl = \"http://host/\"\nalerts = [\"position_stuk\"]\n",
          "did you mean \"position_stuck\"?");
  refused("[[guard.audit]]\npipeline = \"ordres\"\n", "did you mean \"orders\"?");
  refused("[guard]\nintervall = \"1s\"\n", "did you mean \"interval\"?");

  configure("[guard]\nstate = \"/proc/none/state\"\n");
  const Finished nowhere = tidemark({"guard", config_});
  EXPECT_THAT(nowhere, ExitsWith(78));
  EXPECT_THAT(nowhere.error_output, HasSubstr("/proc/none/state"));
}

}  // namespace
}  // namespace tidemark::e2e
