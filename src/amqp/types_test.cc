#include "amqp/types.h"

#include <gtest/gtest.h>

namespace tidemark::amqp {
namespace {

TEST(AmqpUri, IsTakenApart) {
  const Endpoint all = parse_uri("amqps://us%40er:p%3Aw%2F@broker.example:5999/v%2Fh").value();
  EXPECT_EQ(all.host, "broker.example");
  EXPECT_EQ(all.port, 5999);
  EXPECT_EQ(all.user, "us@er");
  EXPECT_EQ(all.password, "p:w/");
  EXPECT_EQ(all.vhost, "v/h");
  EXPECT_TRUE(all.tls);
}

TEST(AmqpUri, HasTheBrokersDefaults) {
  for (const char* uri : {"amqp://", "amqp://localhost", "amqp://localhost/", "amqp://localhost/%2f"}) {
    const Endpoint endpoint = parse_uri(uri).value();
    EXPECT_EQ(endpoint.host, "localhost") << uri;
    EXPECT_EQ(endpoint.port, 5672) << uri;
    EXPECT_EQ(endpoint.user, "guest") << uri;
    EXPECT_EQ(endpoint.vhost, "/") << uri;
  }
  EXPECT_EQ(parse_uri("amqps://h").value().port, 5671);
  EXPECT_EQ(parse_uri("amqp://[::1]:7").value().host, "::1");
  EXPECT_EQ(parse_uri("amqp://[::1]:7").value().port, 7);
  EXPECT_EQ(parse_uri("amqp://[::1]").value().port, 5672);
}

TEST(AmqpUri, WrongOnesAreRefusedWithoutShowingTheSecret) {
  for (const char* uri :
       {"", "http://h", "amqp:/h", "amqp://u:s3cret@h:0", "amqp://u:s3cret@h:70000", "amqp://u:s3cret@h:x",
        "amqp://u:s3cret%2@h", "amqp://u:s3cret@h/%zz", "amqp://u:s3cret@h/a/b", "amqp://:s3cret@h",
        "amqp://u:s3cret@h?heartbeat=3", "amqp://u:s3cret@[::1", "amqp://u:s3cret@[::1]x",
        "amqp://u:s3cret@a,b", "amqp://u:s3cret%00@h"}) {
    const auto parsed = parse_uri(uri);
    ASSERT_FALSE(parsed.has_value()) << uri;
    EXPECT_EQ(parsed.error().react, React::kConfig) << uri;
    EXPECT_EQ(parsed.error().describe().find("s3cret"), std::string::npos) << uri;
  }
}

TEST(AmqpUri, DescribesItselfWithoutTheLogin) {
  const std::string text = parse_uri("amqp://user:s3cret@h:1/v").value().describe();
  EXPECT_EQ(text, "amqp h:1 vhost v");
}

TEST(Delivery, FindsItsHeaders) {
  Delivery delivery;
  delivery.headers = {{"n", int64_t{3}}, {"d", 4.0}, {"half", 0.5}, {"s", std::string("x")}};
  EXPECT_EQ(delivery.number("n"), 3);
  EXPECT_EQ(delivery.number("d"), 4);
  EXPECT_EQ(delivery.number("half"), std::nullopt);
  EXPECT_EQ(delivery.number("s"), std::nullopt);
  EXPECT_EQ(delivery.number("none"), std::nullopt);
  EXPECT_EQ(*delivery.text("s"), "x");
  EXPECT_EQ(delivery.text("n"), nullptr);
}

}  // namespace
}  // namespace tidemark::amqp
