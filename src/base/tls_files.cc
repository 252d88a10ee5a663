#include "base/tls_files.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace tidemark {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, FreeBio>;
using CertificatePtr = std::unique_ptr<X509, FreeCertificate>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeKey>;

// The first error that this thread's queue holds: what came after it only says where it was noticed.
std::string reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* text = ERR_reason_error_string(code);
  return text == nullptr ? "it can't be read" : text;
}

tl::unexpected<Error> unusable(const std::string& path, const std::string& why, std::string hint) {
  return fail(React::kConfig, path + ": " + why, std::move(hint));
}

Result<BioPtr> opened(const std::string& path) {
  ERR_clear_error();
  BioPtr file(BIO_new_file(path.c_str(), "r"));
  if (!file) return unusable(path, reason(), "does the file exist, and may this user read it?");
  return file;
}

// Never asks a terminal.
int give_password(char* buffer, int size, int, void* user) {
  const auto& password = *static_cast<const std::string*>(user);
  const size_t length = std::min(password.size(), static_cast<size_t>(std::max(size, 0)));
  std::memcpy(buffer, password.data(), length);
  return password.empty() ? -1 : static_cast<int>(length);
}

Result<CertificatePtr> first_certificate(const std::string& path) {
  TIDEMARK_ASSIGN(const BioPtr file, opened(path));
  std::string none;
  CertificatePtr certificate(PEM_read_bio_X509_AUX(file.get(), nullptr, give_password, &none));
  if (!certificate)
    return unusable(path, "no certificate in PEM stands in it: " + reason(), "give a PEM file");
  return certificate;
}

}  // namespace

Status check_ca_file(const std::string& path) {
  TIDEMARK_TRY(first_certificate(path));
  return {};
}

Status check_certificate_files(const std::string& certificate, const std::string& key,
                               const std::string& password) {
  TIDEMARK_ASSIGN(const CertificatePtr own, first_certificate(certificate));
  TIDEMARK_ASSIGN(const BioPtr file, opened(key));
  std::string secret = password;
  const KeyPtr loaded(PEM_read_bio_PrivateKey(file.get(), nullptr, give_password, &secret));
  if (!loaded) {
    return unusable(key, "no private key in PEM that can be read stands in it: " + reason(),
                    "give a PEM file, and its password where it is encrypted");
  }
  if (X509_check_private_key(own.get(), loaded.get()) == 1) return {};
  ERR_clear_error();
  return unusable(key, "the key doesn't belong to the certificate in " + certificate,
                  "give the key that the certificate was made for");
}

void forget_tls_trouble() { ERR_clear_error(); }

std::string tls_trouble() {
  const unsigned long code = ERR_peek_last_error();
  const char* text = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return text == nullptr ? "" : text;
}

}  // namespace tidemark
