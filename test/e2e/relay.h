// The program under test: its configuration, its commands, and a replica set that the tests share.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/destination.h"
#include "e2e/workload.h"
#include "support/mongo.h"
#include "support/process.h"
#include "support/sandbox.h"
#include "support/temp_folder.h"

namespace tidemark::testing {
// How GoogleTest shows it.
void PrintTo(const Finished& finished, std::ostream* out);
}  // namespace tidemark::testing

namespace tidemark::e2e {

// A configuration of one pipeline "orders", with waits short enough for tests.
struct PipelineSetup {
  std::string uri;
  std::string database;
  std::string collection = "orders";
  std::string full_document = "update_lookup";
  std::string frame;   // further lines of [[pipeline]]
  std::string source;  // further lines of [pipeline.source]
  std::string after;   // further tables
  std::string sink;    // Destination::toml(), or a table of the test's own

  std::string toml() const;
};

// One replica set for the whole test program. Empty with the reason when this run can't have one.
Result<testing::ReplicaSet*> shared_replica_set();

// Runs `tidemark ARGS...` to its end.
testing::Finished tidemark(std::vector<std::string> args, std::map<std::string, std::string> env = {});
// Starts `tidemark run FILE`, or another program in its place.
std::unique_ptr<testing::Process> start_relay(const std::string& config,
                                              const std::string& program = "tidemark",
                                              std::vector<std::string> further = {});

// A test with a replica set, a folder, a database of its own and one destination.
class EndToEnd : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Skips the test where the destination's server is not there.
  void use(SinkKind kind, Mode mode);
  // Writes orders.toml and returns its path.
  std::string write_config();
  std::string write_config(const PipelineSetup& setup);
  // `position init --from now`, which must succeed.
  void init_position();

  testing::Mongo& client() { return *client_; }
  void insert(const std::string& document) {
    const Status done = client_->insert(setup_.database, setup_.collection, document);
    ASSERT_TRUE(done) << done.error().describe();
  }
  // failCommand on the sandbox; taken back by TearDown.
  void fail_commands(const std::string& data, const std::string& mode = "\"alwaysOn\"");
  void stop_failing();

  // Runs the relay until the destination holds what the source holds, and ends it in order.
  void run_until_equal();
  // In mode log: until every event of the reference arrived; then kills it.
  void run_until_delivered(const std::vector<std::string>& reference);
  // Both ends, document by document.
  void expect_equal_ends();
  // The events of the destination are those of the reference: none twice, none missing, in order.
  void expect_same_events(const std::vector<std::string>& reference);
  bool equal_ends();

  testing::ReplicaSet* set_ = nullptr;
  std::unique_ptr<testing::Mongo> client_;
  testing::TempFolder folder_;
  PipelineSetup setup_;
  std::unique_ptr<Destination> destination_;
  std::string config_;
  bool failing_ = false;

 private:
  std::unique_ptr<testing::Process> run_until(const std::function<bool()>& done);
  std::map<std::string, std::string> source_documents();
};

// "ended with exit code 78: <standard error>"
std::string describe(const testing::Finished& finished);

MATCHER_P(ExitsWith, code, "") {
  return arg.status.has_value() && arg.status->signal == 0 && arg.status->code == code;
}

}  // namespace tidemark::e2e
