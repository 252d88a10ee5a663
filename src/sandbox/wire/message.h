// MongoDB's wire messages over plain bytes: OP_MSG, and the OP_QUERY handshake of old drivers with its OP_REPLY.
// Pure parsing and serialising, no I/O: the server's connections and the fuzzer drive the same functions
// (mongodb/specifications: message/OP_MSG; the manual's "MongoDB Wire Protocol").
//
// A parsed Message borrows the bytes it was parsed from. Stateless; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::sandbox::wire {

inline constexpr int32_t kHeaderBytes = 16;
inline constexpr int32_t kMessageBytesMax = 48'000'000;
// More sequences or documents than any command can use mean a broken or hostile client.
inline constexpr size_t kSequencesMax = 16;

enum class OpCode : int32_t { kReply = 1, kQuery = 2004, kCompressed = 2012, kMsg = 2013 };

inline constexpr uint32_t kChecksumPresent = 1u << 0;
inline constexpr uint32_t kMoreToCome = 1u << 1;
inline constexpr uint32_t kExhaustAllowed = 1u << 16;
// Bits 0 to 15 must be understood by who receives them.
inline constexpr uint32_t kRequiredFlagsMask = 0xffff;

struct Header {
  int32_t length = 0;  // of the whole message, this header included
  int32_t request_id = 0;
  int32_t response_to = 0;
  int32_t op_code = 0;
};

// A section of kind 1: documents that belong to the body's field `name`.
struct DocumentSequence {
  std::string_view name;
  std::vector<bson::View> documents;
};

struct Message {
  Header header;
  uint32_t flags = 0;  // OP_MSG's; 0 for OP_QUERY
  bson::View body;
  std::vector<DocumentSequence> sequences;
  // OP_QUERY only: "admin.$cmd".
  std::string_view collection;

  bool is_query() const { return header.op_code == static_cast<int32_t>(OpCode::kQuery); }
  bool more_to_come() const { return !is_query() && (flags & kMoreToCome) != 0; }
  bool exhaust_allowed() const { return !is_query() && (flags & kExhaustAllowed) != 0; }
};

// The header alone, so that a reader knows how many bytes follow. Refuses lengths outside [16, kMessageBytesMax].
Result<Header> parse_header(std::span<const uint8_t> bytes);

// A whole message, header included; every document in it is checked all levels down. The error's text is fit
// for the log of the server: what is wrong, and at which byte.
Result<Message> parse(std::span<const uint8_t> bytes);

// What stands before the one document of a reply.
struct Prelude {
  std::array<uint8_t, 36> bytes;
  size_t size = 0;
  std::span<const uint8_t> view() const { return {bytes.data(), size}; }
};
// REQUIRES body_bytes <= kMessageBytesMax - 36.
Prelude msg_prelude(int32_t request_id, int32_t response_to, uint32_t flags, uint32_t body_bytes);
Prelude reply_prelude(int32_t request_id, int32_t response_to, uint32_t body_bytes);

// A whole OP_MSG, as a client sends it. A checksum is added when `flags` has kChecksumPresent.
std::vector<uint8_t> serialize_msg(int32_t request_id, int32_t response_to, uint32_t flags, bson::View body,
                                   std::span<const DocumentSequence> sequences = {});
// A whole OP_QUERY with one document, as old drivers send their first isMaster.
std::vector<uint8_t> serialize_query(int32_t request_id, std::string_view collection, bson::View body);

// CRC-32C (Castagnoli), the checksum of OP_MSG.
uint32_t crc32c(std::span<const uint8_t> bytes);

}  // namespace tidemark::sandbox::wire
