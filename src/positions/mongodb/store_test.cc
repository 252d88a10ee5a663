#include <gtest/gtest.h>

#include "positions/mongodb/component.h"
#include "support/manual_clock.h"

namespace tidemark {
namespace {

TEST(MongodbPosition, RefusesAUriThatIsNone) {
  testing::ManualClock clock;
  config::Settings settings;
  settings.set("uri", std::string("http://x"), "orders.toml:3:1, pipeline.position.uri");
  ComponentContext context;
  context.pipeline = "orders";
  context.clock = &clock;
  const auto store = mongodb_position_component().make(settings, context);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().react, React::kConfig);
  EXPECT_TRUE(store.error().what.starts_with("orders.toml:3:1"));
}

TEST(MongodbPosition, SaysWhereItIsWithoutThePassword) {
  testing::ManualClock clock;
  config::Settings settings;
  settings.set("uri", std::string("mongodb://user:hidden@db1/?replicaSet=rs0"));
  settings.set("database", std::string("tidemark"));
  settings.set("collection", std::string("positions"));
  ComponentContext context;
  context.pipeline = "orders";
  context.clock = &clock;
  const auto store = mongodb_position_component().make(settings, context);
  ASSERT_TRUE(store);
  EXPECT_NE((*store)->describe().find("tidemark.positions"), std::string::npos);
  EXPECT_EQ((*store)->describe().find("hidden"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
