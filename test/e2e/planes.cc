#include "e2e/planes.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

namespace tidemark::e2e {

using testing::Process;
using testing::RabbitServer;

namespace {

constexpr const char* kCollection = "events";

}  // namespace

std::string event_json(const std::string& id, bool poisoned) {
  const std::string data =
      poisoned ? R"({"mark":1,"note":"no document, so that `mark` can't be placed in it"})"
               : fmt::format(R"({{"mag":{}.5,"place":"somewhere","note":"{}"}})", id.size() % 9, id);
  return fmt::format(R"({{"specversion":"1.0","id":"{}","source":"{}","type":"test.event","data":{}}})", id,
                     kEventSource, data);
}

std::string queue_pipeline_toml(const std::string& pipeline, const std::string& broker_uri,
                                const std::string& queue, const std::string& sink_uri,
                                const std::string& database) {
  return fmt::format(R"(
[[pipeline]]
name = "{}"
retry_initial = "20ms"
retry_max = "500ms"
[pipeline.source]
type = "rabbitmq"
uri = "{}"
queue = "{}"
[pipeline.sink]
type = "mongodb"
uri = "{}"
database = "{}"
collection = "{}"
mode = "insert"
unique_key = ["source", "id"]
)",
                     pipeline, broker_uri, queue, sink_uri, database, kCollection);
}

void Planes::SetUp() {
  const auto set = shared_replica_set();
  if (!set && set.error().react == React::kConfig) GTEST_SKIP() << set.error().describe();
  ASSERT_TRUE(set) << set.error().describe();
  if (const auto reason = RabbitServer::unavailable()) GTEST_SKIP() << *reason;
  set_ = *set;
  broker_ = &RabbitServer::shared();
  client_ = std::make_unique<testing::Mongo>(set_->uri());
  static int tests = 0;
  const std::string own = set_->database() + "_planes" + std::to_string(++tests);
  database_ = own;
  queue_ = own + ".events";
  dead_queue_ = own + ".dead";
  exchange_ = own;
  port_ = testing::free_ports();
}

void Planes::TearDown() {
  if (client_) (void)client_->run(database_, R"({"dropDatabase": 1})");
  if (broker_ == nullptr) return;
  broker_->resume();
  if (!broker_->running()) broker_->start();
  broker_->delete_queue(queue_);
  broker_->delete_queue(dead_queue_);
  broker_->delete_exchange(exchange_);
}

std::string Planes::ingest_toml() const {
  return fmt::format(R"(
[[pipeline]]
name = "ingest"
retry_initial = "20ms"
retry_max = "500ms"
[pipeline.source]
type = "http"
path = "/events"
[pipeline.sink]
type = "rabbitmq"
uri = "{}"
exchange = "{}"
routing_key = "events"
queue = "{}"
)",
                     broker_->uri(), exchange_, queue_);
}

std::string Planes::process_toml() const {
  return fmt::format(R"(
[[pipeline]]
name = "process"
retry_initial = "20ms"
retry_max = "500ms"
on_reject = "dead_letter"
[pipeline.source]
type = "rabbitmq"
uri = "{0}"
queue = "{1}"
prefetch = 1000
[pipeline.sink]
type = "mongodb"
uri = "{3}"
database = "{4}"
collection = "{5}"
mode = "insert"
unique_key = ["raw.source", "raw.id"]
[[pipeline.transform]]
type = "enrich"
wrap = "raw"
[[pipeline.transform]]
type = "classify"
rules = '''[{{"when": {{"raw.data.mag": {{"$gte": 7}}}}, "set": {{"severity": "major", "category": "quake", "tags": ["felt"]}}}}]'''
otherwise = '{{"severity": "minor", "category": "quake", "tags": []}}'
[[pipeline.transform]]
type = "project"
rename = {{ "raw.data.mark" = "raw.data.note.mark" }}
[pipeline.dead_letters]
type = "rabbitmq"
uri = "{0}"
queue = "{2}"
retry_queue = "{1}"
attempts_max = 3
)",
                     broker_->uri(), queue_, dead_queue_, set_->uri(), database_, kCollection);
}

std::string Planes::observe_toml() const {
  return fmt::format(R"(
[[pipeline]]
name = "observe"
[pipeline.source]
type = "mongodb"
uri = "{}"
database = "{}"
collection = "{}"
filter = '[{{"$match": {{"operationType": "insert"}}}}]'
[pipeline.sink]
type = "live"
[pipeline.position]
type = "memory"
start = "now"
)",
                     set_->uri(), database_, kCollection);
}

std::string Planes::server_toml(const std::string& further) const {
  return fmt::format("[server]\nlisten = \"127.0.0.1:{}\"\n{}\n", port_, further);
}

std::unique_ptr<Process> Planes::start(const std::string& name, const std::string& toml) {
  return start_relay(folder_.write(name + ".toml", toml));
}

void Planes::await_ready(Process& process, const std::string& headers) {
  HttpClient http(port_);
  std::string last;
  const bool ready = testing::eventually([&] {
    if (!process.running()) return true;
    const auto answer = http.get("/readyz", headers);
    last = answer ? answer->body : answer.error().describe();
    return answer && answer->status == 200;
  });
  ASSERT_TRUE(process.running()) << "it ended: " << process.error_output();
  ASSERT_TRUE(ready) << last << "\n" << process.error_output();
}

std::multiset<std::string> Planes::stored_ids() {
  const auto documents = client_->find(database_, kCollection);
  EXPECT_TRUE(documents) << documents.error().describe();
  std::multiset<std::string> ids;
  if (!documents) return ids;
  for (const bson::Document& document : *documents) {
    const auto raw = document.view().find("raw");
    const auto id = raw && raw->is_document() ? raw->document().find("id") : std::nullopt;
    ids.insert(id ? std::string(id->string()) : "a document without raw.id");
  }
  return ids;
}

int64_t Planes::stored_count() {
  const auto count = client_->count(database_, kCollection);
  return count ? *count : -1;
}

void Planes::await_stored(int64_t count, Process& process, Process::Milliseconds patience) {
  int64_t found = 0;
  const bool there =
      testing::eventually([&] { return !process.running() || (found = stored_count()) >= count; }, patience);
  ASSERT_TRUE(process.running()) << "it ended: " << process.error_output();
  ASSERT_TRUE(there) << found << " of " << count << " stored; " << process.error_output();
}

nlohmann::json Planes::get_json(const std::string& path, const std::string& headers) {
  const auto answer = HttpClient(port_).get(path, headers);
  EXPECT_TRUE(answer) << answer.error().describe();
  if (!answer) return nullptr;
  EXPECT_EQ(answer->status, 200) << path << ": " << answer->body;
  return nlohmann::json::parse(answer->body, nullptr, false);
}

size_t open_files(pid_t pid) {
  const std::filesystem::directory_iterator files("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

size_t resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace tidemark::e2e
