// Digests and their text forms. SHA-256 comes from OpenSSL's libcrypto, which libmongoc already links.
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

// Lower-case hexadecimal.
std::string to_hex(std::span<const uint8_t> bytes);

// Both cases are taken; empty for an odd length or any other character.
std::optional<std::vector<uint8_t>> from_hex(std::string_view text);

// A fast 64-bit hash of bytes (FNV-1a with a final mix) for partitioning by key; not for untrusted tables.
uint64_t hash64(std::span<const uint8_t> bytes);

}  // namespace tidemark
