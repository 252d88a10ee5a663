// Feeds arbitrary bytes, as hexadecimal and as they are, to the decoder of resume tokens. What it accepts
// must survive being written and read again, for servers of both versions.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sandbox/change_stream/token.h"

namespace {

void decode(std::string_view hex, tidemark::sandbox::ServerVersion version) {
  const auto token = tidemark::sandbox::decode_token(hex, version);
  if (!token) return;
  tidemark::sandbox::TokenWriter writer;
  writer.encode(*token);
  const auto again = tidemark::sandbox::decode_token(writer.hex(), version);
  if (!again || !(*again == *token)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string hex;
  tidemark::sandbox::append_hex(input, hex);
  for (const tidemark::sandbox::ServerVersion version :
       {tidemark::sandbox::ServerVersion{4, 2}, tidemark::sandbox::ServerVersion{7, 0}}) {
    decode(input, version);
    decode(hex, version);
  }
  return 0;
}
