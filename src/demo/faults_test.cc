#include "demo/faults.h"

#include <gtest/gtest.h>

#include "env/posix/clock.h"

namespace tidemark::demo {
namespace {

TEST(FaultOrders, ComeOneAfterTheOther) {
  PosixClock clock;
  FaultOrders orders;
  EXPECT_TRUE(orders.order("kill_worker"));
  EXPECT_TRUE(orders.order("step_down"));
  const Mono soon = clock.now() + std::chrono::seconds(20);
  EXPECT_EQ(orders.next(soon, clock, {}), FaultKind::kWorkerKilled);
  EXPECT_EQ(orders.next(soon, clock, {}), FaultKind::kElection);
  EXPECT_EQ(orders.next(clock.now(), clock, {}), std::nullopt) << "none waits, and the deadline has come";
}

TEST(FaultOrders, RefuseWhatIsNoFault) {
  FaultOrders orders;
  const Status refused = orders.order("format_disk");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kReject);
}

TEST(FaultOrders, AreBounded) {
  FaultOrders orders;
  int taken = 0;
  while (taken < 100 && orders.order("poison")) ++taken;
  EXPECT_LT(taken, 100);
  EXPECT_EQ(orders.order("poison").error().react, React::kRetry);
}

TEST(FaultOrders, EndWithTheDemo) {
  PosixClock clock;
  FaultOrders orders;
  orders.close();
  EXPECT_EQ(orders.order("poison").error().react, React::kRetry);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(orders.next(clock.now() + std::chrono::hours(1), clock, stop.get_token()), std::nullopt);
}

}  // namespace
}  // namespace tidemark::demo
