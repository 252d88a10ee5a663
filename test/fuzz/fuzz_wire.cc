// Wire messages: whatever a client sends, parse() answers with a message or an error and reads nothing
// outside the bytes; a message it accepts can be written again and read back as the same.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "sandbox/wire/message.h"

namespace wire = tidemark::sandbox::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)wire::parse_header({data, size});
  const auto message = wire::parse({data, size});
  if (!message) {
    if (message.error().what.empty()) std::abort();
    return 0;
  }
  const wire::Header& header = message->header;
  const std::vector<uint8_t> again =
      message->is_query() ? wire::serialize_query(header.request_id, message->collection, message->body)
                          : wire::serialize_msg(header.request_id, header.response_to, message->flags,
                                                message->body, message->sequences);
  const auto back = wire::parse(again);
  if (!back || !(back->body == message->body) || back->sequences.size() != message->sequences.size())
    std::abort();
  return 0;
}
