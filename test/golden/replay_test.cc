// Asks a sandbox what was asked of a real mongod, and compares every reply with the recorded one.
#include <set>

#include <gtest/gtest.h>

#include "bson/json.h"
#include "env/posix/clock.h"
#include "golden/placeholders.h"
#include "golden/transcript.h"
#include "golden/wire_client.h"
#include "sandbox/server/replica_set.h"

namespace tidemark::golden {
namespace {

const std::string kFolder = std::string(TIDEMARK_SOURCE_DIR) + "/test/golden";

// The sections that 7.0 is replayed on: what is known of it is how its change streams answer.
const std::set<std::string> kStreamSections = {"open and events",      "invalidate by drop",
                                               "invalidate by rename", "dropDatabase",
                                               "transactions",         "large events"};

class Replay {
 public:
  explicit Replay(Server server) : server_(server) {}

  void run() {
    auto steps = load_steps(kFolder, server_);
    ASSERT_TRUE(steps) << steps.error().what;
    auto known = load_differences(kFolder);
    ASSERT_TRUE(known) << known.error().what;
    known_ = std::move(*known);
    ASSERT_NO_FATAL_FAILURE(start());
    for (const Step& step : *steps) ASSERT_NO_FATAL_FAILURE(play(step));
    for (const KnownDifference& row : known_) {
      EXPECT_TRUE(row.used || row.version != version())
          << "differences.md lists what is no longer so: " << row.version << " step " << row.first << " "
          << row.path;
    }
  }

 private:
  std::string version() const { return server_ == Server::kFourTwo ? "4.2" : "7.0"; }

  void start() {
    sandbox::ReplicaSetOptions options;
    options.version =
        server_ == Server::kFourTwo ? sandbox::ServerVersion{4, 2} : sandbox::ServerVersion{7, 0};
    // A no-op between two steps would move high-water marks that were recorded as equal.
    options.noop = std::chrono::hours(1);
    auto set = sandbox::ReplicaSet::start(options, clock_);
    ASSERT_TRUE(set) << set.error().what;
    set_ = std::move(*set);
    const auto primary = set_->wait_for_primary(std::chrono::seconds(10));
    ASSERT_TRUE(primary);
    const std::string& address = set_->address(*primary);
    auto client =
        WireClient::connect(static_cast<uint16_t>(std::stoul(address.substr(address.rfind(':') + 1))));
    ASSERT_TRUE(client) << client.error().what;
    client_ = std::make_unique<WireClient>(std::move(*client));
  }

  void play(const Step& step) {
    SCOPED_TRACE("step " + std::to_string(step.number) + " [" + step.section + "] " + step.name);
    if (!step.skip.empty()) return;
    if (step.number >= 0) await_commit();
    auto reply = client_->run(step.database, bindings_.fill(step.command));
    ASSERT_TRUE(reply) << reply.error().what << ": " << bson::to_json(step.command);
    if (step.number < 0) {
      const auto ok = reply->view().find("ok");
      ASSERT_TRUE(ok && ok->truthy() && !reply->view().find("writeErrors"))
          << bson::to_json(step.command).substr(0, 500) << " gave " << bson::to_json(*reply);
      return;
    }
    if (const auto events = step.reply.view().find("events")) return count_events(*events->integer(), *reply);
    if (server_ == Server::kSeven && !kStreamSections.contains(step.section)) return;
    // What is recorded of 7.0's errors are their fields, not the order of those.
    const bool ordered = server_ == Server::kFourTwo || step.reply.view().find("cursor");
    for (const Difference& difference : bindings_.compare(step.reply, *reply, ordered)) {
      if (is_known(step.number, difference.path)) continue;
      ADD_FAILURE() << version() << " step " << step.number << " [" << step.section << "] " << step.name
                    << ": " << difference.path << ": " << difference.what;
    }
  }

  // The recording was made at a person's pace: what was written before a step had long been committed by a majority.
  // A stream shows nothing else, and a lookup not the state in between.
  void await_commit() {
    const auto primary = set_->primary();
    if (!primary) return;
    const sandbox::Oplog& oplog = set_->cluster().nodes[static_cast<size_t>(*primary)]->member.oplog;
    bson::Timestamp before = oplog.newest().ts;
    if (before.increment == 0) return;
    --before.increment;
    ASSERT_TRUE(oplog.wait_committed(before, std::chrono::seconds(20), {}));
  }

  static void count_events(int64_t expected, bson::View reply) {
    const auto batch = reply.find_path("cursor.nextBatch");
    ASSERT_TRUE(batch);
    int64_t count = 0;
    for (const bson::Element event : batch->document()) count += event.is_document() ? 1 : 0;
    EXPECT_EQ(count, expected);
  }

  bool is_known(int step, const std::string& path) {
    bool known = false;
    for (KnownDifference& row : known_) {
      if (row.version != version() || step < row.first || step > row.last || !matches_glob(row.path, path))
        continue;
      row.used = known = true;
    }
    return known;
  }

  const Server server_;
  PosixClock clock_;
  std::unique_ptr<sandbox::ReplicaSet> set_;
  std::unique_ptr<WireClient> client_;
  Bindings bindings_;
  std::vector<KnownDifference> known_;
};

TEST(Golden, TheSandboxAnswersAsTheRecordedFourTwo) { Replay(Server::kFourTwo).run(); }

TEST(Golden, TheSandboxAnswersAsSevenIsKnownToAnswer) { Replay(Server::kSeven).run(); }

}  // namespace
}  // namespace tidemark::golden
