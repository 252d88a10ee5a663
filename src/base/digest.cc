#include "base/digest.h"

#include <memory>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace tidemark {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Looked up once, and one context a thread: positions are hashed with every batch, and an audit makes two digests for
// each of ten million rows; the lookup costs more than the digest of a small one, and allocates.
const EVP_MD* sha256_method() {
  static EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

EVP_MD_CTX* sha256_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                                EVP_MD_CTX_free);
  return context.get();
}

const EVP_MD* md5_method() {
  static EVP_MD* const method = EVP_MD_fetch(nullptr, "MD5", nullptr);
  return method;
}

EVP_MD_CTX* md5_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                                EVP_MD_CTX_free);
  return context.get();
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  EVP_MD_CTX* context = sha256_context();
  Sha256 digest;
  unsigned int size = 0;
  const bool done = EVP_DigestInit_ex(context, sha256_method(), nullptr) == 1 &&
                    EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context, digest.data(), &size) == 1;
  TIDEMARK_CHECK(done && size == digest.size(), "SHA-256 fails only without memory");
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view message) {
  Sha256 digest;
  unsigned int size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(), &size);
  TIDEMARK_CHECK(done != nullptr && size == digest.size(), "HMAC with SHA-256 fails only without memory");
  return digest;
}

bool md5_available() { return md5_method() != nullptr; }

Md5 md5(std::string_view bytes) { return md5(std::span(&bytes, 1)); }

Md5 md5(std::span<const std::string_view> parts) {
  EVP_MD_CTX* context = md5_context();
  bool good = EVP_DigestInit_ex(context, md5_method(), nullptr) == 1;
  for (std::string_view part : parts) good = good && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
  Md5 digest;
  unsigned int size = 0;
  good = good && EVP_DigestFinal_ex(context, digest.data(), &size) == 1;
  TIDEMARK_CHECK(good && size == digest.size(), "the caller has asked md5_available()");
  return digest;
}

std::string to_hex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::optional<std::vector<uint8_t>> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<uint8_t> bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return bytes;
}

uint64_t hash64(std::span<const uint8_t> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;
  return hash ^ hash >> 32;
}

}  // namespace tidemark
