// A configuration full of secrets, run against servers that are away: in nothing that the program writes, answers or sends
// does one of them stand, nor what `redact` hides.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "e2e/http_client.h"
#include "e2e/relay.h"

namespace tidemark::e2e {
namespace {

using ::testing::AllOf;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;

class SecretsOfAService : public EndToEnd {
 protected:
  static constexpr const char* kMark = "s3cr3t";  // in every one of them

  void SetUp() override {
    EndToEnd::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    port_ = testing::free_ports();
    config_ = folder_.write("service.toml", toml());
  }
  void TearDown() override {
    if (process_) process_->signal(SIGKILL);
    EndToEnd::TearDown();
  }

  std::string toml() const {
    const std::string here = fmt::format("uri = \"{}\"\ndatabase = \"{}\"\ncollection = \"orders\"\n",
                                         setup_.uri, setup_.database);
    const auto away = [](const std::string& who) {
      return fmt::format(
          "uri = \"mongodb://u:s3cr3t-{}@127.0.0.1:1/?replicaSet=none&serverSelectionTimeoutMS=200\"\n", who);
    };
    const auto pipeline = [](const std::string& name, const std::string& source, const std::string& sink,
                             const std::string& after = "") {
      return fmt::format(
          "[[pipeline]]\nname = \"{}\"\non_reject = \"{}\"\nretry_initial = \"20ms\"\nretry_max = "
          "\"200ms\"\n[pipeline.source]\n{}[pipeline.sink]\n"
          "{}{}",
          name, after.find("dead_letters") == std::string::npos ? "stop" : "dead_letter", source, sink,
          after);
    };
    const std::string orders = "type = \"mongodb\"\n" + here,
                      memory = "[pipeline.position]\ntype = \"memory\"\nstart = \"now\"\n";
    const std::string redact =
        "[[pipeline.transform]]\ntype = \"redact\"\npaths = [\"card\"]\naction = \"hash\"\nsalt = "
        "\"s3cr3t-salt\"\n";
    return fmt::format(
               "[log]\nlevel = \"debug\"\n[server]\nlisten = \"127.0.0.1:{}\"\ntoken = "
               "\"s3cr3t-token\"\npeers = "
               "[\"http://127.0.0.1:1\"]\npeer_token = \"s3cr3t-peer\"\n[guard]\ninterval = "
               "\"1s\"\n[[guard.webhook]]\nurl "
               "= \"http://127.0.0.1:1/hooks/s3cr3t-hook\"\nsecret = \"s3cr3t-signature\"\nattempts_max = "
               "2\n[[guard.rule]]\nalert = \"dead_letters_growing\"\nfor = \"0s\"\n[[stats]]\ntype = "
               "\"mongodb\"\n{}"
               "database = \"d\"\ncollection = \"c\"\n",
               port_, away("stats")) +
           pipeline("relay", orders,
                    fmt::format("type = \"sqlite\"\npath = \"{}\"\ntable = \"orders\"\nmode = \"log\"\n",
                                folder_.file("orders.db")),
                    "[[pipeline.transform]]\ntype = \"project\"\nrename = { \"mark\" = \"note.mark\" }\n" +
                        redact +
                        fmt::format("[pipeline.dead_letters]\ntype = \"sqlite\"\npath = \"{}\"\n",
                                    folder_.file("letters.db"))) +
           pipeline("live", orders, "type = \"live\"\n", redact + memory) +
           pipeline("to-postgres", orders,
                    "type = \"postgres\"\nuri = \"postgres://u:s3cr3t-pg@127.0.0.1:1/d\"\ntable = "
                    "\"t\"\nmode = \"log\"\n") +
           pipeline("to-rabbitmq", orders,
                    "type = \"rabbitmq\"\nuri = \"amqp://u:s3cr3t-amqp@127.0.0.1:1/\"\n", memory) +
           pipeline("from-mongodb", "type = \"mongodb\"\n" + away("source") + "database = \"d\"\n",
                    fmt::format("type = \"file\"\npath = \"{}\"\n", folder_.file("out.jsonl")),
                    "[pipeline.position]\ntype = \"mongodb\"\n" + away("position") +
                        "[pipeline.dead_letters]\ntype = \"mongodb\"\n" + away("letters")) +
           pipeline("from-rabbitmq",
                    "type = \"rabbitmq\"\nuri = \"amqp://u:s3cr3t-queue@127.0.0.1:1/\"\nqueue = \"q\"\n",
                    "type = \"mongodb\"\n" + away("sink") +
                        "database = \"d\"\ncollection = \"c\"\nmode = \"insert\"\nunique_key = [\"id\"]\n");
  }

  std::string get(const std::string& path) {
    HttpClient client(port_);
    const auto answer = client.get(path, "Authorization: Bearer s3cr3t-token\r\n");
    EXPECT_TRUE(answer) << path << ": " << answer.error().describe();
    return answer ? answer->head + answer->body : "";
  }
  // What the page's socket brings, until `awaited` is in it.
  std::string socket_until(const std::string& awaited) {
    HttpClient client(port_);
    EXPECT_TRUE(client.connect());
    EXPECT_TRUE(
        client.send("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Protocol: tidemark.v1\r\nAuthorization: Bearer s3cr3t-token\r\n\r\n"));
    std::string text;
    EXPECT_TRUE(testing::eventually([&] {
      bool closed = false;
      text += client.drain(HttpClient::Milliseconds(50), closed);
      return closed || text.find(awaited) != std::string::npos;
    })) << text;
    return text;
  }
  // Every way to read that the server itself says it has.
  std::vector<std::string> readable_paths() {
    HttpClient client(port_);
    const auto answer = client.get("/openapi.json", "Authorization: Bearer s3cr3t-token\r\n");
    EXPECT_TRUE(answer);
    std::vector<std::string> paths = {"/api/dlq?pipeline=relay"};
    const auto described = nlohmann::json::parse(answer ? answer->body : "{}", nullptr, false);
    for (const auto& [path, methods] : described.value("paths", nlohmann::json::object()).items()) {
      if (!methods.contains("get") || path == "/ws") continue;
      if (path.find("{name}") == std::string::npos) {
        paths.push_back(path);
        continue;
      }
      for (const char* name :
           {"relay", "live", "to-postgres", "to-rabbitmq", "from-mongodb", "from-rabbitmq"})
        paths.push_back("/api/pipelines/" + std::string(name));
    }
    return paths;
  }
  static std::string content_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static void expect_clean(const std::string& text, const std::string& where) {
    const size_t at = text.find(kMark);
    EXPECT_EQ(at, std::string::npos) << where << ": ..." << text.substr(at < 120 ? 0 : at - 120, 240);
  }
  static std::string words(const Finished& finished) { return finished.output + finished.error_output; }

  int port_ = 0;
  std::unique_ptr<testing::Process> process_;
};

TEST_F(SecretsOfAService, StandInNoLineNoAnswerAndNoFrame) {
  ASSERT_THAT(tidemark({"position", "init", config_, "relay", "--from", "now"}), ExitsWith(0));
  process_ = start_relay(config_);
  ASSERT_TRUE(testing::eventually([&] {
    HttpClient client(port_);
    const auto answer = client.get("/healthz");
    return !process_->running() || (answer && answer->status == 200);
  })) << process_->error_output();
  ASSERT_TRUE(process_->running()) << process_->error_output();
  // Until the feed is open what is written is not its to show.
  ASSERT_TRUE(testing::eventually([&] {
    return get("/api/pipelines/live").find("\"state\":\"streaming\"") != std::string::npos;
  })) << get("/api/pipelines/live");
  insert(R"({"_id": 1, "card": "s3cr3t-card", "shown": "first"})");
  insert(
      R"({"_id": 2, "card": "s3cr3t-card", "mark": 1, "note": "n", "shown": "second"})");  // `rename` rejects it

  const std::string frames = socket_until("\"second\"");
  EXPECT_THAT(frames, AllOf(HasSubstr("\"first\""), HasSubstr("\"second\"")));
  expect_clean(frames, "the page's socket");
  // Every server that is away was asked, and said to be.
  ASSERT_TRUE(testing::eventually([&] {
    // Letters that are there at the guard's first look don't grow, and make no notice.
    insert(R"({"card": "s3cr3t-card", "mark": 1, "note": "n", "shown": "second"})");
    const std::string all = get("/api/pipelines");
    size_t errors = 0;
    for (size_t at = 0; (at = all.find("\"error\":\"", at)) != std::string::npos; ++errors) {
      at += 9;
      if (all[at] == '"') --errors;
    }
    return errors >= 4 && get("/api/dlq?pipeline=relay").find("second") != std::string::npos &&
           get("/metrics").find("tidemark_guard_notices_total{result=\"failed\"} 0") == std::string::npos;
  })) << get("/api/pipelines")
      << get("/api/guard");
  for (const std::string& path : readable_paths()) expect_clean(get(path), path);
  EXPECT_THAT(get("/api/dlq?pipeline=relay"), HasSubstr("second"))
      << "the letter is there, without what is hidden";
  EXPECT_THAT(get("/"), HasSubstr("<html"));

  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"status", config_, "--json"},
                                             {"status", config_},
                                             {"dlq", "list", config_, "--json"},
                                             {"dlq", "list", config_},
                                             {"check", config_, "--connect"},
                                             {"guard", config_, "--once", "--json"},
                                             {"position", "show", config_, "relay"},
                                             {"position", "show", config_, "from-mongodb"},
                                             {"audit", config_, "--json"}})
    expect_clean(words(tidemark(command)), command[0]);
  process_->signal(SIGTERM);
  EXPECT_TRUE(process_->wait().has_value());
  expect_clean(process_->output() + process_->error_output(), "run");
  EXPECT_THAT(process_->error_output(), HasSubstr("127.0.0.1:1")) << "it said what it can't reach";
  for (const char* kept : {"orders.db", "letters.db"}) expect_clean(content_of(folder_.file(kept)), kept);
}

TEST_F(SecretsOfAService, StandInNoReferencePage) {
  const std::string uri = "mongodb://u:s3cr3t@127.0.0.1:1/";
  ASSERT_TRUE(std::filesystem::create_directory(folder_.file("reference")));
  const Finished finished =
      tidemark({"reference", "--out", folder_.file("reference")},
               {{"TIDEMARK_MONGODB_URI", uri}, {"TIDEMARK_TOKEN", uri}, {"TIDEMARK_POSTGRES_URI", uri}});
  EXPECT_THAT(finished, ExitsWith(0));
  std::string all = words(finished);
  for (const auto& page : std::filesystem::recursive_directory_iterator(folder_.file("reference"))) {
    if (page.is_regular_file()) all += content_of(page.path());
  }
  EXPECT_GT(all.size(), 10'000u);
  expect_clean(all, "reference");
}

}  // namespace
}  // namespace tidemark::e2e
