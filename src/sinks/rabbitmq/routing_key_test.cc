#include "sinks/rabbitmq/routing_key.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

Event event_of(std::string_view database, std::string_view collection, std::string_view op) {
  Event event;
  event.ns = {database, collection};
  event.op_name = op;
  return event;
}

TEST(RoutingKey, IsTheTextItself) {
  RoutingKey key = RoutingKey::parse("events").value();
  EXPECT_EQ(key.of(event_of("d", "c", "insert")), "events");
  EXPECT_FALSE(key.has_placeholders());
  EXPECT_EQ(key.topic_pattern(), "events");
  EXPECT_EQ(RoutingKey::parse("").value().of(Event()), "");
}

TEST(RoutingKey, FillsInTheEventsOwn) {
  RoutingKey key = RoutingKey::parse("a.{database}.{collection}-{op}").value();
  EXPECT_EQ(key.of(event_of("shop", "orders", "update")), "a.shop.orders-update");
  EXPECT_EQ(key.of(event_of("x", "", "drop")), "a.x.-drop");
  EXPECT_EQ(key.topic_pattern(), "a.#");
  EXPECT_EQ(RoutingKey::parse("ev-{op}").value().topic_pattern(), "#");
  EXPECT_EQ(RoutingKey::parse("{op}").value().topic_pattern(), "#");
}

TEST(RoutingKey, RefusesWhatIsNoPlaceholder) {
  for (const char* text : {"{id}", "a{", "{database", "{}"}) {
    const auto key = RoutingKey::parse(text);
    ASSERT_FALSE(key.has_value()) << text;
    EXPECT_EQ(key.error().react, React::kConfig);
  }
}

}  // namespace
}  // namespace tidemark
