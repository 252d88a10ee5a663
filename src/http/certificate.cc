#include "http/certificate.h"

#include <ctime>

#include <boost/asio/buffer.hpp>
#include <fmt/chrono.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/log.h"

namespace tidemark::http {
namespace {

using ErrorCode = boost::system::error_code;
namespace ssl = boost::asio::ssl;

constexpr int64_t kDay_ms = 86'400'000;
constexpr int64_t kLookEvery_ms = 60'000;
constexpr int64_t kWarnBefore_ms = 14 * kDay_ms;

std::string date_of(int64_t ms) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(ms / 1000)));
}

int64_t ms_of(const ASN1_TIME* time) {
  std::tm broken_down{};
  if (ASN1_TIME_to_tm(time, &broken_down) != 1) return 0;
  return int64_t{::timegm(&broken_down)} * 1000;
}

Result<std::unique_ptr<ssl::context>> make_context(const TlsPair& pair) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  ErrorCode error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 |
                           ssl::context::no_compression,
                       error);
  if (!error) context->use_certificate_chain(boost::asio::buffer(pair.certificate_pem), error);
  if (error)
    return fail(React::kConfig, "server: tls_certificate can't be used: " + error.message(),
                "PEM: the server's certificate first, then those that lead to its root");
  context->use_private_key(boost::asio::buffer(pair.key_pem), ssl::context::pem, error);
  if (error)
    return fail(React::kConfig, "server: tls_key can't be used: " + error.message(), "PEM, not encrypted");
  return context;
}

}  // namespace

Result<Validity> validity_of(const TlsPair& pair) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(
      BIO_new_mem_buf(pair.certificate_pem.data(), static_cast<int>(pair.certificate_pem.size())), BIO_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  if (certificate == nullptr)
    return fail(React::kConfig, "server: tls_certificate holds no certificate", "PEM is asked for");
  return Validity{ms_of(X509_get0_notBefore(certificate.get())),
                  ms_of(X509_get0_notAfter(certificate.get()))};
}

Status check_validity(const TlsPair& pair, int64_t now_ms) {
  if (pair.certificate_pem.empty()) return {};
  TIDEMARK_ASSIGN(const Validity validity, validity_of(pair));
  if (now_ms >= validity.until_ms)
    return fail(React::kConfig, "server: tls_certificate expired at " + date_of(validity.until_ms),
                "renew it; no client that checks certificates would connect");
  if (now_ms < validity.from_ms)
    return fail(React::kConfig,
                "server: tls_certificate is not good before " + date_of(validity.from_ms) + ", and it is " +
                    date_of(now_ms),
                "is this machine's clock right?");
  return {};
}

Status ServerCertificate::use(const TlsPair& pair, int64_t now_ms) {
  TIDEMARK_TRY(check_validity(pair, now_ms));
  TIDEMARK_ASSIGN(const Validity validity, validity_of(pair));
  TIDEMARK_ASSIGN(context_, make_context(pair));
  pair_ = pair;
  until_ms_ = validity.until_ms;
  said_ms_ = 0;
  return {};
}

Status ServerCertificate::load(int64_t now_ms) {
  looked_ms_ = now_ms;
  if (!options_.tls()) return {};
  return use(options_.tls_pair, now_ms);
}

void ServerCertificate::look(int64_t now_ms) {
  if (!context_ || now_ms - looked_ms_ < kLookEvery_ms) return;
  looked_ms_ = now_ms;
  if (options_.reread_tls) {
    // A file in the middle of being replaced is read again at the next look.
    const auto found = options_.reread_tls();
    if (found && !(*found == pair_) && !(*found == refused_)) {
      if (Status used = use(*found, now_ms); used) {
        log::info("server: the certificate was renewed, it is good until {}", date_of(until_ms_));
      } else {
        refused_ = *found;
        log::error("server: the certificate's files have changed and can't be used, the one before stays: {}",
                   used.error().describe());
      }
    }
  }
  const int64_t left_ms = until_ms_ - now_ms;
  if (left_ms > kWarnBefore_ms || (said_ms_ != 0 && now_ms - said_ms_ < kDay_ms)) return;
  said_ms_ = now_ms;
  if (left_ms > 0)
    log::warn("server: the certificate expires at {}; a renewed one is taken from the same files",
              date_of(until_ms_));
  else
    log::error("server: the certificate expired at {}: clients refuse to connect until its files are renewed",
               date_of(until_ms_));
}

}  // namespace tidemark::http
