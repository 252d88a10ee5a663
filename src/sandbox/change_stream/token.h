// Resume tokens in the two forms that servers write: version 1 (4.2), whose event part is the documentKey,
// and version 2 (7.0), whose event part is {operationType, documentKey | operationDescription} and which can
// number fragments.
//
// A token is {_data: <KeyString in hexadecimal>[, _typeBits]}; comparing the hexadecimal texts compares
// positions in the stream. Plain values; TokenWriter belongs to one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sandbox/change_stream/key_string.h"
#include "sandbox/store/version.h"

namespace tidemark::sandbox {

// What a token says, taken apart.
struct TokenData {
  bson::Timestamp time;
  int version = 2;
  bool high_water_mark = false;  // a position between events, not an event
  int64_t txn_op_index = 0;
  bool from_invalidate = false;
  std::optional<Uuid> uuid;
  std::string event_id;  // the KeyString bytes of the event part; empty: none
  std::optional<int64_t> fragment;

  friend bool operator==(const TokenData&, const TokenData&) = default;
};

// The version of the tokens that a server writes.
int token_version(ServerVersion server);

// Makes the tokens of events; its buffers are reused, so that a token costs no allocation.
class TokenWriter {
 public:
  // An event with a documentKey (version 1 has nothing else in its event part, so `key` may be no document
  // there).
  void event(int version, bson::Timestamp time, int64_t txn_op_index, bool from_invalidate, const Uuid* uuid,
             std::string_view operation_type, bson::View key, bson::View operation_description,
             std::optional<int64_t> fragment = {});
  void high_water_mark(int version, bson::Timestamp time);
  void encode(const TokenData& token);

  // The KeyString itself: compares as the token does.
  const std::string& bytes() const { return key_.bytes(); }
  const std::string& hex() const { return hex_; }
  // Appends {_data[, _typeBits]} as `name`.
  void append_to(bson_t* parent, std::string_view name) const;
  bson::Document document() const;

 private:
  void head(int version, bson::Timestamp time, bool high_water_mark, int64_t txn_op_index,
            bool from_invalidate);
  void finish();

  KeyStringWriter key_;
  std::string hex_;
  std::string type_bits_;
};

// Takes apart what stands in _data. Errors carry the server's codes; `server` decides which versions are
// known.
Reply<TokenData> decode_token(std::string_view hex, ServerVersion server);
// The same for a whole token document.
Reply<TokenData> parse_token(bson::View token, ServerVersion server);

}  // namespace tidemark::sandbox
