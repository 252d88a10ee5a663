// The first byte chooses: odd = the rest is a text, and what can be read of it can be written and read back to the same
// bytes; even = the rest is a document, and what is written of it reads back to the same bytes.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bson/json.h"
#include "bson/json_reader.h"

namespace bson = tidemark::bson;

namespace {

void require_round_trip(bson::View document) {
  const auto back = bson::read_json(bson::to_json(document));
  if (!back || !(back->view() == document)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  if (data[0] % 2 == 0) {
    const auto view = bson::View::parse({data + 1, size - 1});
    if (!view) return 0;
    require_round_trip(*view);
    (void)bson::to_json(*view, bson::JsonMode::kRelaxed);
    return 0;
  }
  const auto read = bson::read_json({reinterpret_cast<const char*>(data + 1), size - 1});
  if (!read) {
    if (read.error().what.empty()) std::abort();
    return 0;
  }
  if (!bson::View::parse(read->view().bytes())) std::abort();
  require_round_trip(*read);
  return 0;
}
