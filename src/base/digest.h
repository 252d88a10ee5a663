// Digests and their text forms. The digests come from OpenSSL's libcrypto, which libmongoc already links. Pure: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
// HMAC with SHA-256 (RFC 2104), for signatures; a key of any length.
Sha256 hmac_sha256(std::string_view key, std::string_view message);

using Md5 = std::array<uint8_t, 16>;

// False where the system's OpenSSL refuses it (FIPS mode); md5() must not be called then.
bool md5_available();
// For sums that an SQL server makes too, never where somebody could gain by a collision.
Md5 md5(std::string_view bytes);
// Of the parts one after the other.
Md5 md5(std::span<const std::string_view> parts);

// Lower-case hexadecimal.
std::string to_hex(std::span<const uint8_t> bytes);

// Both cases are taken; empty for an odd length or any other character.
std::optional<std::vector<uint8_t>> from_hex(std::string_view text);

// A fast 64-bit hash of bytes (FNV-1a with a final mix) for partitioning by key; not for untrusted tables.
uint64_t hash64(std::span<const uint8_t> bytes);

}  // namespace tidemark
