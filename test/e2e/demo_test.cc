// `tidemark demo` itself, for a few seconds: its page answers, it survives its own faults, ends with the audit and leaves
// nothing behind.
#include <csignal>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "e2e/planes.h"

namespace tidemark::e2e {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using testing::Finished;
using ::testing::HasSubstr;
using testing::Process;

class Demo : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path installed =
        std::filesystem::path(TIDEMARK_SOURCE_DIR) / "node_modules/vega-datasets/data/earthquakes.json";
    if (!std::filesystem::exists(installed)) GTEST_SKIP() << "the demo's data is not installed (make deps)";
    if (const auto reason = testing::RabbitServer::unavailable()) GTEST_SKIP() << *reason;
    data_ = installed.string();
    ASSERT_TRUE(std::filesystem::create_directory(folder_.file("tmp")));
  }
  std::vector<std::string> args(std::vector<std::string> further) const {
    std::vector<std::string> all = {
        testing::bin_dir() + "/tidemark", "demo", "--plain", "--port", "0", "--data", data_};
    all.insert(all.end(), further.begin(), further.end());
    return all;
  }
  // What it makes goes to a folder that the test can look into.
  Process::Options options() const { return {.env = {{"TMPDIR", folder_.file("tmp")}}}; }
  void expect_nothing_left() const { EXPECT_TRUE(std::filesystem::is_empty(folder_.file("tmp"))); }
  // The port that the demo says its page has; 0 with a failure where it says none.
  static int page_port(Process& demo) {
    const auto line = demo.read_until("The page:");
    const size_t at = line ? line->rfind(':') : std::string::npos;
    EXPECT_TRUE(at != std::string::npos) << demo.output() << demo.error_output();
    return at == std::string::npos ? 0 : std::atoi(line->c_str() + at + 1);
  }
  static nlohmann::json get(int port, const std::string& path) {
    const auto answer = HttpClient(port).get(path);
    return answer && answer->status == 200 ? nlohmann::json::parse(answer->body, nullptr, false)
                                           : nlohmann::json();
  }

  // Of a demo that keeps its folder as "kept".
  std::string mongodb_uri() const {
    const std::string config = folder_.read("kept/worker.toml");
    const size_t from = config.find("mongodb://");
    EXPECT_NE(from, std::string::npos) << config;
    return from == std::string::npos ? std::string() : config.substr(from, config.find('"', from) - from);
  }

  testing::TempFolder folder_;
  std::string data_;
};

constexpr const char* kEqual[] = {"missing +0 +0", "extra +0 +0", "different +0 +0", "doubled +0 "};

TEST_F(Demo, SurvivesItsFaultsAndFindsEveryEventExactlyOnce) {
  const Finished finished = testing::run(args({"--for", "12s", "--seed", "3"}), options(), seconds(180));
  EXPECT_THAT(finished, ExitsWith(0));
  for (const char* line : kEqual) EXPECT_THAT(finished.output, ContainsRegex(line));
  EXPECT_THAT(finished.output,
              AllOf(HasSubstr("seed 3"), HasSubstr("faults survived"), HasSubstr("exactly once")));
  expect_nothing_left();
}

TEST_F(Demo, AnOrdinaryStartAndStopWarnOfNothing) {
  const Finished finished = testing::run(args({"--for", "2s", "--no-faults"}), options(), seconds(120));
  EXPECT_THAT(finished, ExitsWith(0));
  EXPECT_THAT(finished.output + finished.error_output, ::testing::Not(HasSubstr("warn")));
}

TEST_F(Demo, ThePageAnswersAndItsButtonsInflictFaults) {
  Process demo(args({"--for", "10m", "--no-faults"}), options());
  const int port = page_port(demo);
  const auto page = HttpClient(port).get("/");
  ASSERT_TRUE(page) << page.error().describe();
  EXPECT_EQ(page->status, 200);
  EXPECT_THAT(page->header("content-type"), HasSubstr("text/html"));
  EXPECT_TRUE(get(port, "/api/pipelines")["demo"].get<bool>());
  const auto faults = get(port, "/api/demo/faults");
  EXPECT_EQ(faults["faults"].size(), 8u) << faults.dump();
  ASSERT_TRUE(demo.read_until("(posting)", seconds(60))) << demo.output();
  const auto ordered = HttpClient(port).post("/api/demo/inflict", "application/json",
                                             R"({"fault":"kill_worker"})", "X-Tidemark-Request: 1\r\n");
  ASSERT_TRUE(ordered) << ordered.error().describe();
  EXPECT_LT(ordered->status, 300) << ordered->body;
  EXPECT_TRUE(demo.read_until("survived 1 of 1", seconds(60))) << demo.output();
  bool told = false;
  const auto timeline = get(port, "/api/timeline?after=0");
  for (const auto& entry : timeline["entries"])
    told = told || entry["text"].get<std::string>().find("kill -9 of the worker") == 0;
  EXPECT_TRUE(told) << "the timeline names it";
  demo.signal(SIGINT);
  const auto status = demo.wait(seconds(120));
  ASSERT_TRUE(status.has_value()) << demo.output();
  EXPECT_EQ(status->code, 0) << demo.output() << demo.error_output();
  for (const char* line : kEqual) EXPECT_THAT(demo.output(), ContainsRegex(line));
  expect_nothing_left();
}

// What the audit is worth: one document of the three kinds each, changed behind the planes' back.
TEST_F(Demo, TheAuditFindsWhatWasTamperedWith) {
  Process demo(args({"--for", "10m", "--no-faults", "--keep", folder_.file("kept")}), options());
  ASSERT_TRUE(demo.read_until("(posting)", seconds(60))) << demo.output() << demo.error_output();
  testing::Mongo mongo(mongodb_uri());
  ASSERT_TRUE(testing::eventually([&] { return mongo.count("planes", "events").value_or(0) > 50; }));
  ASSERT_TRUE(mongo.run(
      "planes",
      R"({"update": "events", "updates": [{"q": {}, "u": {"$set": {"raw.data.mag": -1, "changed": true}}}]})"));
  ASSERT_TRUE(mongo.run(
      "planes", R"({"delete": "events", "deletes": [{"q": {"changed": {"$exists": false}}, "limit": 1}]})"));
  ASSERT_TRUE(mongo.insert("planes", "events", R"({"_id": "foreign", "raw": {"source": "x", "id": "y"}})"));
  demo.signal(SIGINT);
  const auto status = demo.wait(seconds(120));
  ASSERT_TRUE(status.has_value()) << demo.output();
  EXPECT_EQ(status->code, 1) << demo.output();
  EXPECT_THAT(demo.output(), AllOf(ContainsRegex("missing +1 +0"), ContainsRegex("extra +1 +0"),
                                   ContainsRegex("different +1 +0"), HasSubstr("extra in MongoDB: x y"),
                                   HasSubstr("DIFFER")));
}

TEST_F(Demo, APortThatIsTakenIsLeftAlone) {
  Process first(args({"--for", "10m", "--no-faults"}), options());
  const int taken = page_port(first);
  auto second_args = args({"--for", "10m", "--no-faults"});
  for (std::string& argument : second_args)
    if (argument == "0") argument = std::to_string(taken);
  Process second(second_args, options());
  EXPECT_NE(page_port(second), taken);
}

TEST_F(Demo, KilledItLeavesNoProcessBehind) {
  Process demo(args({"--for", "10m", "--no-faults", "--keep", folder_.file("kept")}), options());
  ASSERT_TRUE(demo.read_until("(posting)", seconds(60)).has_value()) << demo.error_output();
  const std::string uri = mongodb_uri() + "&serverSelectionTimeoutMS=200";
  ASSERT_TRUE(testing::Mongo(uri).run("admin", R"({"ping": 1})"));
  const std::string broker = folder_.read("kept/broker/rabbitmq.conf");
  const int broker_port = std::atoi(broker.c_str() + broker.find("127.0.0.1:") + 10);
  ASSERT_TRUE(HttpClient(broker_port).connect());
  demo.kill_now();
  EXPECT_TRUE(testing::eventually([&] {
    return !testing::Mongo(uri).run("admin", R"({"ping": 1})").has_value();
  })) << "the sandbox outlives the demo";
  EXPECT_TRUE(testing::eventually([&] { return !HttpClient(broker_port).connect(); }))
      << "the broker outlives the demo";
  // The lock of the archive's position is free once the worker is gone.
  EXPECT_TRUE(testing::eventually([&] {
    const Finished reset =
        tidemark({"position", "reset", folder_.file("kept/worker.toml"), "archive", "--yes"});
    return reset.status && reset.status->code == 0;
  })) << "the worker outlives the demo";
}

TEST_F(Demo, WithoutItsDataItSaysHowToGetIt) {
  const Finished finished = tidemark({"demo", "--data", folder_.file("absent.json")});
  EXPECT_THAT(finished, ExitsWith(78));
  EXPECT_THAT(finished.error_output, AllOf(HasSubstr("absent.json"), HasSubstr("make deps")));
}

TEST_F(Demo, AKeptFolderHoldsEverything) {
  const std::string keep = folder_.file("kept");
  const Finished finished =
      testing::run(args({"--for", "1s", "--no-faults", "--keep", keep}), options(), seconds(120));
  EXPECT_THAT(finished, ExitsWith(0));
  for (const char* name :
       {"demo.toml", "worker.toml", "demo.db", "demo.log", "worker.log", "broker/rabbitmq.conf"})
    EXPECT_TRUE(std::filesystem::exists(keep + "/" + name)) << name;
  EXPECT_THAT(testing::run(args({"--for", "1s", "--keep", keep}), options()), ExitsWith(78))
      << "it is not overwritten";
}

}  // namespace
}  // namespace tidemark::e2e
