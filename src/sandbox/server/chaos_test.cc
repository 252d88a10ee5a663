#include "sandbox/server/chaos.h"

#include "base/bounded_queue.h"
#include "sandbox/server/testing/client.h"

namespace tidemark::sandbox {
namespace {

using std::chrono::milliseconds;

class ChaosTest : public SetTest {};

TEST_F(ChaosTest, LosesNoWriteThatAMajorityAcknowledged) {
  start();
  BoundedQueue<std::string> events(1000);
  auto chaos = std::make_unique<Chaos>(
      *set, ChaosOptions{3, milliseconds(1), milliseconds(5), milliseconds(1), milliseconds(120)}, clock,
      [&events](const std::string& what) { events.try_push(std::string(what)); });
  std::vector<int> acknowledged;
  int id = 0;
  // Writes go on until twelve faults were told.
  for (size_t faults = 0; faults < 12;) {
    auto client = connect(set->primary().value_or(0));
    bson::Document reply;
    do {
      id++;
      reply = client->run(
          "t", R"({"insert":"a","writeConcern":{"w":"majority","wtimeout":2000},"documents":[{"_id":)" +
                   std::to_string(id) + "}]}");
      if (number(reply, "n") == 1 && !reply.view().find("writeConcernError")) acknowledged.push_back(id);
      while (events.size() > 0 && events.pop_for(milliseconds(0))) faults++;
    } while (number(reply, "ok") == 1 && faults < 12);
  }
  chaos.reset();
  auto client = connect_primary();
  client->ok("t", R"({"insert":"a","documents":[{"_id":"last"}],"writeConcern":{"w":3}})");
  EXPECT_GT(acknowledged.size(), 0u);
  for (const int each : acknowledged) {
    const auto found = client->ok("t", R"({"find":"a","filter":{"_id":)" + std::to_string(each) + "}}");
    EXPECT_EQ(length(found, "cursor.firstBatch"), 1u) << each;
  }
}

}  // namespace
}  // namespace tidemark::sandbox
