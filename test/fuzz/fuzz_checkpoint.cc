// The checkpoints of audits: whatever the bytes, decode() answers with a checkpoint or with kCorrupt, and what it accepts is
// exactly what encode() writes.
//
// The checksum would stop nearly every mutation at the door, so the first byte of the input chooses: even = the rest is the
// file as it stands, odd = the rest is a body that gets its right checksum.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/digest.h"
#include "guard/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 != 0) {
    const tidemark::Sha256 digest = tidemark::sha256(bytes);
    bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  const auto checkpoint = tidemark::guard::Checkpoint::decode(bytes);
  if (!checkpoint) {
    if (checkpoint.error().react != tidemark::React::kCorrupt) std::abort();
    return 0;
  }
  if (checkpoint->encode() != bytes) std::abort();
  return 0;
}
