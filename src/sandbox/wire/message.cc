#include "sandbox/wire/message.h"

#include <cstring>

#include "base/check.h"
#include "sandbox/wire/check_bson.h"

namespace tidemark::sandbox::wire {
namespace {

uint32_t load_u32(const uint8_t* p) {
  return uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}
int32_t load_i32(const uint8_t* p) { return static_cast<int32_t>(load_u32(p)); }

void store_u32(uint8_t* p, uint32_t value) {
  for (int i = 0; i < 4; i++) p[i] = static_cast<uint8_t>(value >> (8 * i));
}
void append_u32(std::vector<uint8_t>& out, uint32_t value) {
  uint8_t bytes[4];
  store_u32(bytes, value);
  out.insert(out.end(), bytes, bytes + 4);
}
void append_bytes(std::vector<uint8_t>& out, std::span<const uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// Walks the bytes of one message; every step checks what is left.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  Result<uint32_t> u32(const char* what) {
    if (left() < 4) return cut(what);
    at_ += 4;
    return load_u32(&bytes_[at_ - 4]);
  }
  Result<uint8_t> u8(const char* what) {
    if (left() < 1) return cut(what);
    return bytes_[at_++];
  }
  Result<std::string_view> cstring(const char* what, size_t end) {
    const void* nul = std::memchr(bytes_.data() + at_, 0, end - at_);
    if (nul == nullptr) return cut(what);
    const char* text = reinterpret_cast<const char*>(bytes_.data() + at_);
    const std::string_view result(text, static_cast<size_t>(static_cast<const char*>(nul) - text));
    at_ += result.size() + 1;
    return result;
  }
  Result<bson::View> document(const char* what, size_t end) {
    if (end - at_ < 5) return cut(what);
    const int32_t size = load_i32(&bytes_[at_]);
    if (size < 5 || static_cast<size_t>(size) > end - at_) return cut(what);
    const auto bytes = bytes_.subspan(at_, static_cast<size_t>(size));
    if (const auto valid = check_bson(bytes); !valid) {
      Error error = valid.error();
      error.what += " (" + std::string(what) + " at byte " + std::to_string(at_) + ")";
      return tl::unexpected(std::move(error));
    }
    at_ += static_cast<size_t>(size);
    return bson::View::unchecked(bytes.data(), static_cast<uint32_t>(size));
  }
  void limit(size_t end) { bytes_ = bytes_.first(end); }

  tl::unexpected<Error> cut(const char* what) const {
    return fail(React::kReject, std::string("wire message: ") + what + " at byte " + std::to_string(at_) +
                                    " doesn't fit into the message");
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = kHeaderBytes;
};

Status parse_sequence(Reader& in, Message& out) {
  const size_t begin = in.at();
  TIDEMARK_ASSIGN(const uint32_t size, in.u32("the size of a document sequence"));
  if (size < 5 || size - 4 > in.left()) return in.cut("a document sequence");
  if (out.sequences.size() >= kSequencesMax)
    return fail(React::kReject, "wire message: more than " + std::to_string(kSequencesMax) + " sections");
  const size_t end = begin + size;
  DocumentSequence sequence;
  TIDEMARK_ASSIGN(sequence.name, in.cstring("the name of a document sequence", end));
  while (in.at() < end) {
    TIDEMARK_ASSIGN(auto view, in.document("a document of a sequence", end));
    sequence.documents.push_back(view);
  }
  for (const auto& other : out.sequences)
    if (other.name == sequence.name)
      return fail(React::kReject, "wire message: two document sequences of one name");
  out.sequences.push_back(std::move(sequence));
  return {};
}

Status parse_msg(std::span<const uint8_t> bytes, Message& out) {
  Reader in(bytes);
  TIDEMARK_ASSIGN(out.flags, in.u32("the flags"));
  if ((out.flags & kRequiredFlagsMask & ~(kChecksumPresent | kMoreToCome)) != 0)
    return fail(React::kReject, "wire message: unknown required flag bits " + std::to_string(out.flags));
  if ((out.flags & kChecksumPresent) != 0) {
    if (in.left() < 4) return in.cut("the checksum");
    const size_t end = bytes.size() - 4;
    if (crc32c(bytes.first(end)) != load_u32(&bytes[end]))
      return fail(React::kReject, "wire message: the checksum doesn't match");
    in.limit(end);
  }
  while (in.left() > 0) {
    TIDEMARK_ASSIGN(const uint8_t kind, in.u8("the kind of a section"));
    if (kind == 0) {
      if (out.body) return fail(React::kReject, "wire message: two body sections");
      TIDEMARK_ASSIGN(out.body, in.document("the body", in.at() + in.left()));
    } else if (kind == 1) {
      TIDEMARK_TRY(parse_sequence(in, out));
    } else {
      return fail(React::kReject, "wire message: unknown section kind " + std::to_string(kind));
    }
  }
  if (!out.body) return fail(React::kReject, "wire message: no body section");
  return {};
}

Status parse_query(std::span<const uint8_t> bytes, Message& out) {
  Reader in(bytes);
  TIDEMARK_TRY(in.u32("the flags"));
  TIDEMARK_ASSIGN(out.collection, in.cstring("the collection", bytes.size()));
  TIDEMARK_TRY(in.u32("numberToSkip"));
  TIDEMARK_TRY(in.u32("numberToReturn"));
  TIDEMARK_ASSIGN(out.body, in.document("the query", bytes.size()));
  // An optional field selector, which commands don't use.
  if (in.left() > 0) TIDEMARK_TRY(in.document("the field selector", bytes.size()));
  if (in.left() > 0) return fail(React::kReject, "wire message: bytes after the query");
  return {};
}

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

void store_header(uint8_t* p, const Header& header) {
  store_u32(p, static_cast<uint32_t>(header.length));
  store_u32(p + 4, static_cast<uint32_t>(header.request_id));
  store_u32(p + 8, static_cast<uint32_t>(header.response_to));
  store_u32(p + 12, static_cast<uint32_t>(header.op_code));
}

}  // namespace

uint32_t crc32c(std::span<const uint8_t> bytes) {
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ byte) & 0xff];
  return ~crc;
}

Result<Header> parse_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < kHeaderBytes) return fail(React::kReject, "wire message: shorter than its header");
  Header header{load_i32(&bytes[0]), load_i32(&bytes[4]), load_i32(&bytes[8]), load_i32(&bytes[12])};
  if (header.length < kHeaderBytes || header.length > kMessageBytesMax)
    return fail(React::kReject, "wire message: its length is " + std::to_string(header.length) +
                                    ", it must be between 16 and " + std::to_string(kMessageBytesMax));
  return header;
}

Result<Message> parse(std::span<const uint8_t> bytes) {
  Message message;
  TIDEMARK_ASSIGN(message.header, parse_header(bytes));
  if (static_cast<size_t>(message.header.length) != bytes.size())
    return fail(React::kReject, "wire message: its length field disagrees with its bytes");
  switch (static_cast<OpCode>(message.header.op_code)) {
    case OpCode::kMsg:
      TIDEMARK_TRY(parse_msg(bytes, message));
      return message;
    case OpCode::kQuery:
      TIDEMARK_TRY(parse_query(bytes, message));
      return message;
    case OpCode::kCompressed:
      return fail(React::kReject, "wire message: OP_COMPRESSED, but no compressor was agreed on");
    default:
      return fail(React::kReject, "wire message: op code " + std::to_string(message.header.op_code) +
                                      " isn't supported, only OP_MSG and the OP_QUERY handshake are");
  }
}

Prelude msg_prelude(int32_t request_id, int32_t response_to, uint32_t flags, uint32_t body_bytes) {
  Prelude out;
  out.size = 21;
  TIDEMARK_CHECK(body_bytes <= kMessageBytesMax - out.bytes.size(), "a reply beyond the message bound");
  store_header(out.bytes.data(), {static_cast<int32_t>(out.size + body_bytes), request_id, response_to,
                                  static_cast<int32_t>(OpCode::kMsg)});
  store_u32(&out.bytes[16], flags);
  out.bytes[20] = 0;
  return out;
}

Prelude reply_prelude(int32_t request_id, int32_t response_to, uint32_t body_bytes) {
  // A failed command is an ordinary reply with ok: 0; the flag QueryFailure is for failed queries alone.
  constexpr uint32_t kAwaitCapable = 8;
  Prelude out;
  out.size = 36;
  TIDEMARK_CHECK(body_bytes <= kMessageBytesMax - out.bytes.size(), "a reply beyond the message bound");
  out.bytes.fill(0);
  store_header(out.bytes.data(), {static_cast<int32_t>(out.size + body_bytes), request_id, response_to,
                                  static_cast<int32_t>(OpCode::kReply)});
  store_u32(&out.bytes[16], kAwaitCapable);
  store_u32(&out.bytes[32], 1);
  return out;
}

std::vector<uint8_t> serialize_msg(int32_t request_id, int32_t response_to, uint32_t flags, bson::View body,
                                   std::span<const DocumentSequence> sequences) {
  std::vector<uint8_t> out(kHeaderBytes);
  append_u32(out, flags);
  out.push_back(0);
  append_bytes(out, body.bytes());
  for (const auto& sequence : sequences) {
    out.push_back(1);
    const size_t begin = out.size();
    append_u32(out, 0);
    out.insert(out.end(), sequence.name.begin(), sequence.name.end());
    out.push_back(0);
    for (const auto& document : sequence.documents) append_bytes(out, document.bytes());
    store_u32(&out[begin], static_cast<uint32_t>(out.size() - begin));
  }
  const bool checksum = (flags & kChecksumPresent) != 0;
  store_header(out.data(), {static_cast<int32_t>(out.size() + (checksum ? 4 : 0)), request_id, response_to,
                            static_cast<int32_t>(OpCode::kMsg)});
  if (checksum) append_u32(out, crc32c(out));
  return out;
}

std::vector<uint8_t> serialize_query(int32_t request_id, std::string_view collection, bson::View body) {
  std::vector<uint8_t> out(kHeaderBytes);
  append_u32(out, 4);  // secondaryOk
  out.insert(out.end(), collection.begin(), collection.end());
  out.push_back(0);
  append_u32(out, 0);
  append_u32(out, static_cast<uint32_t>(-1));
  append_bytes(out, body.bytes());
  store_header(out.data(),
               {static_cast<int32_t>(out.size()), request_id, 0, static_cast<int32_t>(OpCode::kQuery)});
  return out;
}

}  // namespace tidemark::sandbox::wire
