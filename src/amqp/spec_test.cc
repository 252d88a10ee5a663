#include "amqp/spec.h"

#include <gtest/gtest.h>

namespace tidemark::amqp {
namespace {

config::Settings settings(const std::string& uri) {
  config::Settings settings;
  settings.set_where("t.toml:1:1, pipeline.sink");
  settings.set("uri", uri, "t.toml:2:1, pipeline.sink.uri");
  settings.set("tls_verify", true);
  settings.set("heartbeat", int64_t{1500});
  settings.set("connect_timeout", int64_t{5000});
  return settings;
}

TEST(AmqpSpec, OptionsComeFromTheFields) {
  config::Settings given = settings("amqps://u:p@h/v");
  given.set("tls_ca", std::string("ca.pem"));
  const ConnectionOptions options = connection_options(given, "me").value();
  EXPECT_EQ(options.endpoint.vhost, "v");
  EXPECT_EQ(options.ca, "ca.pem");
  EXPECT_EQ(options.heartbeat.count(), 2);
  EXPECT_EQ(options.connect_timeout.count(), 5000);
  EXPECT_EQ(options.name, "me");
}

TEST(AmqpSpec, AWrongUriIsToldWithItsPlaceAndNotShown) {
  const auto options = connection_options(settings("amqp://u:s3cret@h:x"), "me");
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().react, React::kConfig);
  EXPECT_NE(options.error().what.find("t.toml:2:1"), std::string::npos);
  EXPECT_EQ(options.error().describe().find("s3cret"), std::string::npos);
}

TEST(AmqpSpec, TlsIsAskedForWholeOrNotAtAll) {
  EXPECT_FALSE(connection_options(settings("amqps://h"), "me").has_value());  // no authority to check with
  config::Settings plain = settings("amqp://h");
  plain.set("tls_ca", std::string("ca.pem"));
  EXPECT_FALSE(connection_options(plain, "me").has_value());
  config::Settings half = settings("amqps://h");
  half.set("tls_verify", false);
  half.set("tls_key", std::string("key.pem"));
  EXPECT_FALSE(connection_options(half, "me").has_value());
  half.set("tls_certificate", std::string("client.pem"));
  EXPECT_TRUE(connection_options(half, "me").has_value());
}

}  // namespace
}  // namespace tidemark::amqp
