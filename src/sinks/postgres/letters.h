// Which characters a database can store whose encoding isn't UTF8 (LATIN1, say): the server refuses a text that holds any
// other, as a value and as a parameter. Each character is asked for once. One thread.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "sinks/postgres/connection.h"

namespace tidemark::postgres {

class Letters {
 public:
  // Asks for the database's encoding.
  Status of(Connection& connection, std::stop_token stop);

  // True where every text can be stored.
  bool all() const { return all_; }
  const std::string& encoding() const { return encoding_; }

  // False where `text` holds a character that can't; missing() is then its name. Not inside a transaction: the question may end
  // it.
  Result<bool> hold(std::string_view text, Connection& connection, std::stop_token stop);
  const std::string& missing() const { return missing_; }  // "U+1F600"

 private:
  Result<bool> ask(std::string_view character, Connection& connection, std::stop_token stop);

  bool all_ = true;
  std::string encoding_;
  std::unordered_map<char32_t, bool> known_;  // at most as many as there are characters
  std::string missing_;
};

}  // namespace tidemark::postgres
