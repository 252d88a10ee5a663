#include "e2e/relay.h"

#include <algorithm>
#include <csignal>
#include <set>

#include "bson/json.h"

namespace tidemark::e2e {

using testing::Finished;
using testing::Mongo;
using testing::Process;
using testing::ReplicaSet;

std::string PipelineSetup::toml() const {
  return "[[pipeline]]\nname = \"orders\"\nretry_initial = \"20ms\"\nretry_max = \"200ms\"\nread_wait = "
         "\"100ms\"\n"
         "idle_save = \"100ms\"\nbatch_events_max = 20\n" +
         frame + "\n[pipeline.source]\ntype = \"mongodb\"\nuri = \"" + uri + "\"\ndatabase = \"" + database +
         "\"\ncollection = \"" + collection + "\"\nfull_document = \"" + full_document + "\"\n" + source +
         "\n" + sink + "\n" + after;
}

Result<ReplicaSet*> shared_replica_set() {
  static Result<std::unique_ptr<ReplicaSet>> set = ReplicaSet::start();
  if (!set) return fail(set.error());
  return set->get();
}

Finished tidemark(std::vector<std::string> args, std::map<std::string, std::string> env) {
  args.insert(args.begin(), testing::bin_dir() + "/tidemark");
  Process::Options options;
  options.env = std::move(env);
  return testing::run(std::move(args), std::move(options));
}

std::unique_ptr<Process> start_relay(const std::string& config, const std::string& program,
                                     std::vector<std::string> further) {
  std::vector<std::string> args = {testing::bin_dir() + "/" + program};
  if (program == "tidemark") args.push_back("run");
  args.push_back(config);
  args.insert(args.end(), further.begin(), further.end());
  return std::make_unique<Process>(std::move(args));
}

std::string describe(const Finished& finished) {
  if (!finished.status) return "did not end in time; it wrote: " + finished.output + finished.error_output;
  const std::string how = finished.status->signal != 0 ? "signal " + std::to_string(finished.status->signal)
                                                       : "exit code " + std::to_string(finished.status->code);
  return "ended with " + how + ": " + finished.output + finished.error_output;
}

void EndToEnd::SetUp() {
  const auto set = shared_replica_set();
  if (!set && set.error().react == React::kConfig) GTEST_SKIP() << set.error().describe();
  ASSERT_TRUE(set) << set.error().describe();
  set_ = *set;
  client_ = std::make_unique<Mongo>(set_->uri());
  setup_.uri = set_->uri();
  static int tests = 0;
  setup_.database = set_->database() + "_" + std::to_string(++tests);
}

void EndToEnd::TearDown() {
  if (failing_) stop_failing();
  if (client_) (void)client_->run(setup_.database, R"({"dropDatabase": 1})");
}

void EndToEnd::use(SinkKind kind, Mode mode) {
  if (const auto reason = Destination::unavailable(kind)) GTEST_SKIP() << *reason;
  destination_ = Destination::make(kind, mode, folder_);
  setup_.sink = destination_->toml();
}

std::string EndToEnd::write_config() { return config_ = write_config(setup_); }

std::string EndToEnd::write_config(const PipelineSetup& setup) {
  return folder_.write("orders.toml", setup.toml());
}

void EndToEnd::init_position() {
  if (config_.empty()) write_config();
  const Finished init = tidemark({"position", "init", config_, "orders", "--from", "now", "--yes"});
  ASSERT_THAT(init, ExitsWith(0));
}

void EndToEnd::fail_commands(const std::string& data, const std::string& mode) {
  const auto reply = client_->run(
      "admin", R"({"configureFailPoint": "failCommand", "mode": )" + mode + R"(, "data": )" + data + "}");
  ASSERT_TRUE(reply) << reply.error().describe();
  failing_ = true;
}

void EndToEnd::stop_failing() {
  const auto reply = client_->run("admin", R"({"configureFailPoint": "failCommand", "mode": "off"})");
  EXPECT_TRUE(reply) << reply.error().describe();
  failing_ = false;
}

std::map<std::string, std::string> EndToEnd::source_documents() {
  std::map<std::string, std::string> all;
  const auto documents = client_->find(setup_.database, setup_.collection);
  EXPECT_TRUE(documents) << documents.error().describe();
  if (!documents) return all;
  for (const bson::Document& document : *documents) {
    std::string id;
    bson::append_json_value(*document.view().find("_id"), bson::JsonMode::kCanonical, id);
    // An id is compared as text; a file's is the text of its parsed form.
    all.emplace(destination_->normal(id), destination_->normal(bson::to_json(document)));
  }
  return all;
}

bool EndToEnd::equal_ends() {
  std::map<std::string, std::string> found;
  for (auto& [id, document] : destination_->documents()) found.emplace(destination_->normal(id), document);
  return source_documents() == found;
}

void EndToEnd::expect_equal_ends() {
  const auto source = source_documents();
  std::map<std::string, std::string> found;
  for (auto& [id, document] : destination_->documents()) found.emplace(destination_->normal(id), document);
  for (const auto& [id, document] : source) {
    const auto other = found.find(id);
    if (other == found.end()) {
      ADD_FAILURE() << "missing at the destination: " << id;
    } else {
      EXPECT_EQ(other->second, document) << "of " << id;
    }
  }
  for (const auto& [id, document] : found)
    EXPECT_TRUE(source.count(id) == 1) << "only at the destination: " << id;
}

void EndToEnd::expect_same_events(const std::vector<std::string>& reference) {
  const std::vector<std::string> found = destination_->tokens();
  const std::set<std::string> distinct(found.begin(), found.end());
  const std::set<std::string> expected(reference.begin(), reference.end());
  EXPECT_EQ(expected.size(), reference.size());
  size_t missing = 0, extra = 0;
  for (const std::string& token : expected) missing += distinct.count(token) == 0 ? 1 : 0;
  for (const std::string& token : distinct) extra += expected.count(token) == 0 ? 1 : 0;
  EXPECT_EQ(missing, 0u) << "events that the destination never got, of " << expected.size();
  EXPECT_EQ(extra, 0u) << "events that nobody else saw";
  if (!destination_->at_least_once()) {
    EXPECT_EQ(found.size(), distinct.size()) << "an event stands there twice";
  }
  if (!destination_->keeps_order()) return;
  // In order, but for what was delivered again: each first appearance follows the one before.
  std::set<std::string> seen;
  std::string highest;
  for (const std::string& token : found) {
    if (!seen.insert(token).second) continue;
    EXPECT_GT(token, highest) << "out of order";
    if (token <= highest) return;
    highest = token;
  }
}

void EndToEnd::run_until_equal() {
  const auto relay = run_until([this] { return equal_ends(); });
  if (!relay->running()) return;
  relay->signal(SIGTERM);
  const auto status = relay->wait();
  ASSERT_TRUE(status.has_value()) << "the relay did not stop";
  EXPECT_EQ(status->code, 0) << relay->error_output();
}

void EndToEnd::run_until_delivered(const std::vector<std::string>& reference) {
  run_until([&] {
    const std::vector<std::string> found = destination_->tokens();
    return std::set<std::string>(found.begin(), found.end()).size() >= reference.size();
  });
}

std::unique_ptr<Process> EndToEnd::run_until(const std::function<bool()>& done) {
  auto relay = start_relay(config_);
  const bool there = testing::eventually([&] { return !relay->running() || done(); });
  if (!relay->running()) {
    ADD_FAILURE() << "the relay ended: " << relay->error_output();
  } else if (!there) {
    ADD_FAILURE() << "not there in time; the relay says: " << relay->error_output();
  }
  return relay;
}

}  // namespace tidemark::e2e

void tidemark::testing::PrintTo(const Finished& finished, std::ostream* out) {
  *out << e2e::describe(finished);
}
