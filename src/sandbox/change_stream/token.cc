#include "sandbox/change_stream/token.h"

#include "sandbox/change_stream/text.h"

namespace tidemark::sandbox {
namespace {

constexpr int64_t kHighWaterMarkType = 0;
constexpr int64_t kEventType = 128;

// 4.2 has no version 2, and no event part outside of documents.
bool is_classic(std::string_view operation_type) {
  return operation_type == "insert" || operation_type == "update" || operation_type == "replace" ||
         operation_type == "delete" || operation_type == "drop" || operation_type == "rename" ||
         operation_type == "dropDatabase" || operation_type == "invalidate";
}

}  // namespace

int token_version(ServerVersion server) { return server.major >= 7 ? 2 : 1; }

void TokenWriter::head(int version, bson::Timestamp time, bool high_water_mark, int64_t txn_op_index,
                       bool from_invalidate) {
  key_.clear();
  key_.timestamp(time);
  key_.integer(version);
  key_.integer(high_water_mark ? kHighWaterMarkType : kEventType);
  key_.integer(txn_op_index);
  key_.boolean(from_invalidate);
}

void TokenWriter::finish() {
  key_.end();
  hex_.clear();
  append_hex(key_.bytes(), hex_);
  type_bits_ = key_.type_bits();
}

void TokenWriter::event(int version, bson::Timestamp time, int64_t txn_op_index, bool from_invalidate,
                        const Uuid* uuid, std::string_view operation_type, bson::View key,
                        bson::View operation_description, std::optional<int64_t> fragment) {
  head(version, time, false, txn_op_index, from_invalidate);
  if (uuid != nullptr) {
    key_.uuid(*uuid);
  } else if (version >= 2) {
    key_.null();
  }
  if (version >= 2 || !is_classic(operation_type)) {
    key_.begin_object();
    key_.field_string("operationType", operation_type);
    if (key) {
      key_.field_object("documentKey", key);
    } else if (operation_description) {
      key_.field_object("operationDescription", operation_description);
    }
    key_.end_object();
    if (fragment) key_.integer(*fragment);
  } else if (key) {
    key_.object(key);
  }
  finish();
}

void TokenWriter::high_water_mark(int version, bson::Timestamp time) {
  head(version, time, true, 0, false);
  if (version >= 2) key_.null();
  finish();
}

void TokenWriter::encode(const TokenData& token) {
  head(token.version, token.time, token.high_water_mark, token.txn_op_index, token.from_invalidate);
  if (token.uuid) {
    key_.uuid(*token.uuid);
  } else if (token.version >= 2) {
    key_.null();
  }
  key_.raw(token.event_id);
  if (token.fragment) key_.integer(*token.fragment);
  finish();
}

void TokenWriter::append_to(bson_t* parent, std::string_view name) const {
  bson_t token;
  bson_append_document_begin(parent, name.data(), static_cast<int>(name.size()), &token);
  bson_append_utf8(&token, "_data", 5, hex_.data(), static_cast<int>(hex_.size()));
  if (!type_bits_.empty()) {
    bson_append_binary(&token, "_typeBits", 9, BSON_SUBTYPE_BINARY,
                       reinterpret_cast<const uint8_t*>(type_bits_.data()),
                       static_cast<uint32_t>(type_bits_.size()));
  }
  bson_append_document_end(parent, &token);
}

bson::Document TokenWriter::document() const {
  bson::Builder outer;
  append_to(outer.raw(), "t");
  return bson::Document(outer.view().find("t")->document());
}

Reply<TokenData> decode_token(std::string_view hex, ServerVersion server) {
  std::string bytes;
  if (!parse_hex(hex, bytes))
    return command_error(kFailedToParse, "resume token string was not a valid hex string");
  KeyStringReader reader(bytes);
  TokenData token;
  if (reader.at_end()) return command_error(40649, "invalid empty resume token");
  if (reader.next_type() != KeyStringReader::kTimestampType) {
    SANDBOX_TRY(reader.any());  // a broken value is reported as such
    return command_error(kBadValue, "Invalid resume token: expected a timestamp");
  }
  SANDBOX_ASSIGN(token.time, reader.timestamp());

  if (reader.at_end()) return command_error(50796, "Resume Token does not contain version");
  if (!KeyStringReader::is_number(reader.next_type())) {
    SANDBOX_TRY(reader.any());
    return command_error(50854, "Invalid resume token: wrong type for version");
  }
  SANDBOX_ASSIGN(const int64_t version, reader.integer());
  const int newest = token_version(server);
  if (version < 0 || version > newest) {
    return command_error(50795, newest == 1 ? "Invalid Resume Token: only supports version 0 or 1"
                                            : "Invalid Resume Token: only supports version 0, 1 and 2");
  }
  // Version 0 is that of 3.6 and 4.0; the sandbox is neither and can't have written it.
  if (version == 0) return command_error(50795, "Invalid Resume Token: the sandbox never wrote version 0");
  token.version = static_cast<int>(version);

  if (reader.at_end()) return command_error(51055, "Resume Token does not contain tokenType");
  if (!KeyStringReader::is_number(reader.next_type())) {
    SANDBOX_TRY(reader.any());
    return command_error(51056, "Resume Token tokenType is not an int.");
  }
  SANDBOX_ASSIGN(const int64_t type, reader.integer());
  if (type != kHighWaterMarkType && type != kEventType) {
    return command_error(51057, "Token type " + std::to_string(type) + " not recognized");
  }
  token.high_water_mark = type == kHighWaterMarkType;

  if (reader.at_end()) return command_error(50793, "Resume Token does not contain txnOpIndex");
  if (!KeyStringReader::is_number(reader.next_type())) {
    SANDBOX_TRY(reader.any());
    return command_error(50855, "Resume Token txnOpIndex is not an integer");
  }
  SANDBOX_ASSIGN(token.txn_op_index, reader.integer());
  if (token.txn_op_index < 0)
    return command_error(50794, "Invalid Resume Token: txnOpIndex should be non-negative");

  if (reader.at_end()) return command_error(50872, "Resume Token does not contain fromInvalidate");
  if (!KeyStringReader::is_boolean(reader.next_type())) {
    SANDBOX_TRY(reader.any());
    return command_error(50870, "Resume Token fromInvalidate is not a boolean.");
  }
  SANDBOX_ASSIGN(token.from_invalidate, reader.boolean());

  if (reader.at_end()) {
    if (token.version >= 2) return command_error(6189500, "Expected UUID or null");
    return token;
  }
  if (reader.next_type() == KeyStringReader::kNullType) {
    SANDBOX_TRY(reader.any());
  } else if (reader.next_type() == KeyStringReader::kBinaryType) {
    SANDBOX_ASSIGN(const Uuid uuid, reader.uuid());
    token.uuid = uuid;
  } else {
    SANDBOX_TRY(reader.any());
    return command_error(207, "uuid must be a 16-byte binary field with UUID (4) subtype");
  }

  if (reader.at_end()) {
    if (token.version >= 2 && !token.high_water_mark) {
      return command_error(6189501, "Expected an eventIdentifier for an event resume token");
    }
    return token;
  }
  if (token.high_water_mark) return command_error(6189504, "Invalid high water mark token");
  const bool object = reader.next_type() == KeyStringReader::kObjectType;
  SANDBOX_ASSIGN(const std::string_view event_id, reader.any());
  if (!object) return command_error(6189503, "Resume Token eventIdentifier is not an object");
  token.event_id = std::string(event_id);

  if (token.version >= 2 && !reader.at_end()) {
    const bool number = KeyStringReader::is_number(reader.next_type());
    Reply<int64_t> fragment = number ? reader.integer() : Reply<int64_t>(-1);
    if (!fragment || *fragment < 0) {
      return command_error(7182501, "Resume token 'fragmentNum' must be a non-negative integer.");
    }
    token.fragment = *fragment;
  }
  if (!reader.at_end()) return command_error(40646, "invalid oversized resume token");
  return token;
}

Reply<TokenData> parse_token(bson::View token, ServerVersion server) {
  const auto data = token.find("_data");
  if (!data || !data->is_string()) {
    return command_error(40647, "Bad resume token: _data of missing or of wrong type. Expected string, got " +
                                    document_text(token));
  }
  const auto bits = token.find("_typeBits");
  if (bits && bits->type() != BSON_TYPE_BINARY) {
    return command_error(40648, "Bad resume token: _typeBits of wrong type " + document_text(token));
  }
  return decode_token(data->string(), server);
}

}  // namespace tidemark::sandbox
