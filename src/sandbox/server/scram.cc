#include "sandbox/server/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/digest.h"

namespace tidemark::sandbox {
namespace {

constexpr int kIterations = 4096;

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > 1024) return std::nullopt;
  std::string out(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') padding++;
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

std::string hmac(std::string_view key, std::string_view data) {
  std::string out(32, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(),
       reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

// The value of attribute `name` in "a=1,b=2".
std::optional<std::string_view> attribute(std::string_view message, char name) {
  while (!message.empty()) {
    const size_t comma = message.find(',');
    const auto part = message.substr(0, comma);
    if (part.size() >= 2 && part[0] == name && part[1] == '=') return part.substr(2);
    if (comma == std::string_view::npos) return std::nullopt;
    message.remove_prefix(comma + 1);
  }
  return std::nullopt;
}

// RFC 5802: "=2C" for a comma and "=3D" for an equals sign.
std::string unescape(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); i++) {
    const auto code = name.substr(i, 3);
    if (code == "=2C" || code == "=3D") {
      out += code == "=2C" ? ',' : '=';
      i += 2;
    } else {
      out += name[i];
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> scram_user(std::string_view message) {
  // "n,,n=user,r=nonce": no channel binding.
  if (!message.starts_with("n,,")) return std::nullopt;
  const auto user = attribute(message.substr(3), 'n');
  return user ? std::optional(unescape(*user)) : std::nullopt;
}

std::optional<std::string> ScramConversation::first(std::string_view message) {
  if (scram_user(message) != user_) return std::nullopt;
  client_first_bare_ = message.substr(3);
  const auto nonce = attribute(client_first_bare_, 'r');
  if (!nonce) return std::nullopt;
  nonce_ = std::string(*nonce) + nonce_;
  server_first_ = "r=" + nonce_ + ",s=" + base64(salt_) + ",i=" + std::to_string(kIterations);
  return server_first_;
}

std::optional<std::string> ScramConversation::last(std::string_view message) {
  const auto nonce = attribute(message, 'r');
  const auto proof_text = attribute(message, 'p');
  const size_t proof_at = message.rfind(",p=");
  if (!nonce || *nonce != nonce_ || !proof_text || proof_at == std::string_view::npos) return std::nullopt;
  const auto proof = from_base64(*proof_text);
  if (!proof || proof->size() != 32) return std::nullopt;
  std::string salted(32, '\0');
  PKCS5_PBKDF2_HMAC(password_.data(), static_cast<int>(password_.size()),
                    reinterpret_cast<const unsigned char*>(salt_.data()), static_cast<int>(salt_.size()),
                    kIterations, EVP_sha256(), 32, reinterpret_cast<unsigned char*>(salted.data()));
  const std::string auth =
      client_first_bare_ + "," + server_first_ + "," + std::string(message.substr(0, proof_at));
  const std::string client_key = hmac(salted, "Client Key");
  const Sha256 stored = sha256(client_key);
  const std::string signature = hmac({reinterpret_cast<const char*>(stored.data()), stored.size()}, auth);
  std::string expected = client_key;
  for (size_t i = 0; i < expected.size(); i++) expected[i] = static_cast<char>(expected[i] ^ signature[i]);
  if (CRYPTO_memcmp(expected.data(), proof->data(), expected.size()) != 0) return std::nullopt;
  proven_ = true;
  return "v=" + base64(hmac(hmac(salted, "Server Key"), auth));
}

}  // namespace tidemark::sandbox
