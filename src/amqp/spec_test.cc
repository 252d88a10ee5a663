#include "amqp/spec.h"

#include <gtest/gtest.h>

#include "support/process.h"
#include "support/temp_folder.h"

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

// A certificate with its key, made anew.
class AmqpSpecFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made =
        testing::run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                      "-nodes", "-subj", "/CN=h", "-keyout", key_, "-out", certificate_});
    if (!made.status || made.status->code != 0) GTEST_SKIP() << "no openssl to make certificates with";
  }
  testing::TempFolder folder_;
  const std::string certificate_ = folder_.file("own.pem");
  const std::string key_ = folder_.file("own.key");
};

TEST_F(AmqpSpecFiles, OptionsComeFromTheFields) {
  config::Settings given = settings("amqps://u:p@h/v");
  given.set("tls_ca", certificate_);
  const ConnectionOptions options = connection_options(given, "me").value();
  EXPECT_EQ(options.endpoint.vhost, "v");
  EXPECT_EQ(options.ca, certificate_);
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

TEST_F(AmqpSpecFiles, AFileThatCanNotBeUsedIsNamedWithTheReason) {
  config::Settings given = settings("amqps://h");
  given.set("tls_ca", folder_.file("absent.pem"));
  const auto absent = connection_options(given, "me");
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().react, React::kConfig);
  EXPECT_NE(absent.error().what.find("absent.pem: No such file"), std::string::npos) << absent.error().what;
  given.set("tls_ca", key_);
  EXPECT_FALSE(connection_options(given, "me").has_value());
  given.set("tls_ca", certificate_);
  given.set("tls_certificate", certificate_);
  given.set("tls_key", certificate_);
  const auto no_key = connection_options(given, "me");
  ASSERT_FALSE(no_key.has_value());
  EXPECT_NE(no_key.error().what.find("no private key"), std::string::npos) << no_key.error().what;
}

TEST_F(AmqpSpecFiles, TlsIsAskedForWholeOrNotAtAll) {
  EXPECT_FALSE(connection_options(settings("amqps://h"), "me").has_value());  // no authority to check with
  config::Settings plain = settings("amqp://h");
  plain.set("tls_ca", std::string("ca.pem"));
  EXPECT_FALSE(connection_options(plain, "me").has_value());
  config::Settings half = settings("amqps://h");
  half.set("tls_verify", false);
  half.set("tls_key", key_);
  EXPECT_FALSE(connection_options(half, "me").has_value());
  half.set("tls_certificate", certificate_);
  EXPECT_TRUE(connection_options(half, "me").has_value());
}

}  // namespace
}  // namespace tidemark::amqp
