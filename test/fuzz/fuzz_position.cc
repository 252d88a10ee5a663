// Position files: whatever the bytes, decode() answers with a position or with kCorrupt, and what it accepts
// is exactly what encode() writes.
//
// The checksum would stop nearly every mutation at the door, so the first byte of the input chooses: even =
// the rest is the file as it stands, odd = the rest is a token to make a position of, encoded, and then
// damaged in one byte.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/position.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string rest(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 == 0) {
    const auto stored = tidemark::StoredPosition::decode(rest);
    if (stored && stored->encode() != rest) std::abort();
    if (!stored && stored.error().react != tidemark::React::kCorrupt) std::abort();
    return 0;
  }
  const auto token = tidemark::bson::View::parse({data + 1, size - 1});
  if (!token) return 0;
  tidemark::StoredPosition stored;
  stored.position = tidemark::Position(*token, tidemark::token_time(*token));
  stored.fingerprint = std::string(tidemark::token_data(*token));
  stored.epoch = data[0];
  std::string bytes = stored.encode();
  const auto back = tidemark::StoredPosition::decode(bytes);
  if (!back || !(back->position == stored.position)) std::abort();
  bytes[data[0] % bytes.size()] ^= 1;
  if (tidemark::StoredPosition::decode(bytes)) std::abort();
  return 0;
}
