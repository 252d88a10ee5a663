#include "sources/rabbitmq/ack_position.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(AckPosition, ComesBackAsItWas) {
  for (const AckPoint point : {AckPoint{0, 0}, AckPoint{1, 0}, AckPoint{7, UINT64_MAX}})
    EXPECT_EQ(ack_point(position_of(point)).value(), point);
  EXPECT_EQ(ack_point(Position()).value(), AckPoint());
  EXPECT_EQ(token_data(position_of({3, 14}).token()), "3:14");
}

TEST(AckPosition, RefusesThePositionOfAnotherSource) {
  for (const char* data : {"", "8265", "1:", ":1", "1:2:3", "1:-2", "1:2 ", "99999999999999999999:1"}) {
    bson::Builder token;
    token.append("_data", data);
    EXPECT_FALSE(ack_point(Position(token.view()))) << data;
  }
}

}  // namespace
}  // namespace tidemark
