// The example of one process per plane, as it stands in examples/planes: each does its part, and the page's server
// shows all of them, the one that is gone included.
#include <csignal>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "e2e/planes.h"

namespace tidemark::e2e {
namespace {

using ::testing::HasSubstr;
using testing::Process;

constexpr int kPlanes = 3;
constexpr int64_t kEvents = 200;

class SeparatePlanes : public Planes {
 protected:
  void SetUp() override {
    Planes::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ports_ = testing::free_ports(kPlanes);
  }
  void TearDown() override {
    for (auto& process : processes_) process.reset();
    if (broker_ != nullptr) {
      for (const char* queue : {"events", "events.dead"}) broker_->delete_queue(queue);
    }
    Planes::TearDown();
  }

  // The example, on ports and in a database of this test's own.
  std::string example(const std::string& plane) const {
    const char* root = std::getenv("TIDEMARK_SOURCE_DIR");
    const std::string path =
        std::string(root != nullptr ? root : TIDEMARK_SOURCE_DIR) + "/examples/planes/" + plane + ".toml";
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_NE(text, "") << path;
    for (int i = 0; i < kPlanes; ++i)
      replace_all(text, fmt::format("127.0.0.1:832{}", i), fmt::format("127.0.0.1:{}", ports_ + i));
    replace_all(text, "\"planes\"", "\"" + database_ + "\"");
    return text;
  }
  static void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  }

  // Number 0 observes, 1 takes events in, 2 processes them.
  void start_plane(int number, const std::string& plane) {
    processes_[number] =
        std::make_unique<Process>(std::vector<std::string>{testing::bin_dir() + "/tidemark", "run",
                                                           folder_.write(plane + ".toml", example(plane))},
                                  Process::Options{.env = {{"TIDEMARK_AMQP_URI", broker_->uri()},
                                                           {"TIDEMARK_MONGODB_URI", set_->uri()}}});
  }
  // What the page's server says of the pipeline; null when it doesn't know it.
  nlohmann::json pipeline(const std::string& name) {
    const auto answer = HttpClient(ports_).get("/api/pipelines");
    if (!answer || answer->status != 200) return nullptr;
    const auto overview = nlohmann::json::parse(answer->body, nullptr, false);
    for (const auto& each : overview.value("pipelines", nlohmann::json::array()))
      if (each.value("name", "") == name) return each;
    return nullptr;
  }
  bool eventually_is(const std::string& name, const std::string& field, const nlohmann::json& value) {
    return testing::eventually([&] {
      const auto found = pipeline(name);
      return found.is_object() && found.value(field, nlohmann::json()) == value;
    });
  }
  std::string words() const {
    std::string all;
    for (const auto& process : processes_)
      if (process) all += process->error_output() + "\n--\n";
    return all;
  }
  void post_events(int64_t first) {
    HttpClient http(ports_ + 1);
    std::vector<std::string> events;
    for (int64_t n = first; n < first + kEvents; ++n)
      events.push_back(event_json("event-" + std::to_string(n)));
    ASSERT_TRUE(testing::eventually([&] {
      const auto answer = http.post("/events", kBatchType, batch_body(events));
      return answer && answer->status == 202;
    })) << words();
  }

  int ports_ = 0;
  std::unique_ptr<Process> processes_[kPlanes];
};

TEST_F(SeparatePlanes, WorkTogetherAndAreAllShownOnOnePage) {
  start_plane(1, "ingest");
  start_plane(2, "process");
  start_plane(0, "observe");
  ASSERT_TRUE(eventually_is("observe", "state", "streaming")) << words();
  post_events(0);
  ASSERT_NO_FATAL_FAILURE(await_stored(kEvents, *processes_[2]));
  ASSERT_TRUE(eventually_is("observe", "events_delivered", kEvents)) << pipeline("observe") << words();

  const struct {
    const char *name, *plane;
    std::string process;
  } kExpected[] = {{"ingest", "ingest", fmt::format("http://127.0.0.1:{}", ports_ + 1)},
                   {"process", "process", fmt::format("http://127.0.0.1:{}", ports_ + 2)},
                   {"observe", "observe", ""}};
  for (const auto& expected : kExpected) {
    ASSERT_TRUE(eventually_is(expected.name, "events_delivered", kEvents))
        << pipeline(expected.name) << words();
    const auto found = pipeline(expected.name);
    EXPECT_EQ(found.value("plane", ""), expected.plane) << found;
    EXPECT_EQ(found.value("process", "?"), expected.process) << found;
    EXPECT_TRUE(eventually_is(expected.name, "ready", true)) << pipeline(expected.name);
  }

  // A plane that is gone is shown as that, and the others go on without it.
  processes_[2]->kill_now();
  ASSERT_TRUE(eventually_is("process", "state", "unreachable")) << pipeline("process");
  EXPECT_EQ(pipeline("process").value("ready", true), false);
  EXPECT_NE(pipeline("process").value("error", ""), "");
  post_events(kEvents);
  EXPECT_TRUE(eventually_is("ingest", "events_delivered", 2 * kEvents)) << pipeline("ingest");
  EXPECT_EQ(stored_count(), kEvents) << "nobody is there to store it";
  start_plane(2, "process");
  ASSERT_NO_FATAL_FAILURE(await_stored(2 * kEvents, *processes_[2]));
  EXPECT_TRUE(eventually_is("process", "state", "streaming")) << pipeline("process");
  EXPECT_TRUE(eventually_is("observe", "events_delivered", 2 * kEvents)) << pipeline("observe");
  EXPECT_EQ(stored_ids().size(), static_cast<size_t>(2 * kEvents));

  for (auto& process : processes_) {
    process->signal(SIGTERM);
    const auto ended = process->wait();
    ASSERT_TRUE(ended.has_value()) << process->error_output();
    EXPECT_EQ(ended->code, 0) << process->error_output();
  }
}

}  // namespace
}  // namespace tidemark::e2e
