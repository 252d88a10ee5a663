// Saves a cursor's reply in which an event can't be walked (a length that is wrong somewhere inside, or more than kDepthMax
// levels), so that the one event is rejected and named, and the others go their way. Pure; any thread.
//
// No server sends such a reply, as it checks what it stores; a proxy, another implementation of the protocol or a broken
// disk may. Without this the same batch would fail for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bson/document.h"

namespace tidemark::mongodb {

struct MendedReply {
  // The reply, with each field of such an event that can't be walked replaced by a binary (subtype 0x80) of its bytes: they
  // are lost nowhere, and the event's name and key are mostly still there.
  bson::Document reply;
  std::vector<std::string> flaws;  // of each event in the batch: why it could not be read whole, or empty
};

// Empty when this isn't a cursor's reply, or when what is wrong lies outside of its batch.
std::optional<MendedReply> mend_reply(std::span<const uint8_t> bytes);

}  // namespace tidemark::mongodb
