// The same server behind TLS, with a certificate made for the test.
#include <memory>

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "env/posix/clock.h"
#include "http/certificate.h"
#include "http/client.h"
#include "http/testing/server_harness.h"

namespace tidemark::http::testing {
namespace {

template <class T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

// Good from a minute ago for `seconds`.
ServerOptions options_with_tls(long seconds = 3600) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), std::min(-60L, seconds - 60));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  ServerOptions options;
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate.get());
  options.tls_pair.certificate_pem = text_of(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  options.tls_pair.key_pem = text_of(bio);
  return options;
}

// A connection with TLS that trusts whatever it meets.
class TlsClient : public Client {
 public:
  explicit TlsClient(uint16_t port) : Client(port), context_(SSL_CTX_new(TLS_client_method())) {
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), fd_);
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  bool connected() const { return connected_; }
  // Until `end` was read, or the connection ended.
  std::string exchange(std::string_view request, std::string_view end) {
    SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size()));
    std::string text;
    char bytes[4096];
    while (text.find(end) == std::string::npos) {
      const int count = SSL_read(ssl_.get(), bytes, sizeof bytes);
      if (count <= 0) break;
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>> context_;
  std::unique_ptr<SSL, Freed<SSL, SSL_free>> ssl_;
  bool connected_ = false;
};

TEST(Tls, ServesHttpAndWebSocket) {
  Fixture fixture(options_with_tls());
  EXPECT_THAT(fixture.server->url(), ::testing::StartsWith("https://"));
  fixture.feed->push(1);
  TlsClient client(fixture.port());
  ASSERT_TRUE(client.connected());
  const std::string health = client.exchange("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "}");
  EXPECT_THAT(health, ::testing::StartsWith("HTTP/1.1 200 OK"));
  const std::string live = client.exchange(
      "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tidemark.v1\r\n"
      "Origin: https://localhost\r\n\r\n",
      R"("type":"events")");
  EXPECT_THAT(live, ::testing::HasSubstr(R"({"type":"hello")"));
  EXPECT_THAT(live, ::testing::HasSubstr(R"({"type":"events","feed":"observe","items":[{"seq":1,)"));
}

TEST(Tls, AHandshakeThatDoesNotComeIsGivenUp) {
  ServerOptions options = options_with_tls();
  options.header_timeout = 100ms;
  Fixture fixture(options);
  Client silent = fixture.client();
  EXPECT_TRUE(silent.ended());
  Client plain = fixture.client();
  plain.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(plain.ended());
  EXPECT_TRUE(fixture.eventually([&] { return fixture.server->gauges().connections == 0; }));
}

TEST(Tls, APeerWithACertificateOfItsOwnIsNotTrusted) {
  Fixture fixture(options_with_tls());
  const auto answer = ask(*parse_url(fixture.server->url()), {.token = "t0ken", .body = {}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().react, React::kRetry);
  EXPECT_THAT(answer.error().what, ::testing::HasSubstr("certificate"));
}

TEST(Tls, AKeyOfAnotherCertificateIsAConfigurationError) {
  ServerOptions options = options_with_tls();
  options.tls_pair.key_pem = options_with_tls().tls_pair.key_pem;
  FakeBackend backend;
  PosixClock clock;
  const auto server = Server::listen(options, backend, {}, {}, clock);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().react, React::kConfig);
}

int64_t now_ms() { return PosixClock().wall_ms(); }

TEST(ServerCertificate, AnExpiredOneIsRefusedAtTheStartWithItsDate) {
  const ServerOptions options = options_with_tls(-5);
  std::atomic<int64_t> until_ms{0};
  ServerCertificate certificate(options, until_ms);
  const Status loaded = certificate.load(now_ms());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().react, React::kConfig);
  EXPECT_THAT(loaded.error().what, ::testing::HasSubstr("tls_certificate expired at 20"));
  EXPECT_EQ(certificate.context(), nullptr);
  EXPECT_FALSE(check_validity(options.tls_pair, now_ms())) << "`check` says the same";
}

TEST(ServerCertificate, OneThatIsNotGoodYetIsRefused) {
  const ServerOptions options = options_with_tls();
  const Status refused = check_validity(options.tls_pair, now_ms() - 86'400'000);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr("is not good before"));
}

TEST(ServerCertificate, ARenewedPairIsTakenFromTheSameFilesWithoutARestart) {
  ServerOptions options = options_with_tls();
  TlsPair files = options.tls_pair;
  options.reread_tls = [&files]() -> Result<TlsPair> { return files; };
  std::atomic<int64_t> until_ms{0};
  ServerCertificate certificate(options, until_ms);
  ASSERT_TRUE(certificate.load(now_ms()));
  const int64_t first_ms = until_ms;
  const auto* before = certificate.context();

  certificate.look(now_ms() + 61'000);
  EXPECT_EQ(certificate.context(), before) << "the same files change nothing";

  files = options_with_tls(-5).tls_pair;
  certificate.look(now_ms() + 122'000);
  EXPECT_EQ(certificate.context(), before) << "an expired pair replaces nothing";

  files = options_with_tls(86'400 * 90).tls_pair;
  certificate.look(now_ms() + 130'000);
  EXPECT_EQ(certificate.context(), before) << "a look a minute";
  certificate.look(now_ms() + 183'000);
  EXPECT_NE(certificate.context(), before);
  EXPECT_GT(until_ms, first_ms + 86'400'000);
}

}  // namespace
}  // namespace tidemark::http::testing
