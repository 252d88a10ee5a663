// Takes the bytes of COPY ... TO STDOUT (FORMAT binary) apart: its pieces may end anywhere. Pure; one thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark::postgres {

class CopyReader {
 public:
  // The columns of one row, valid during the call; NULL is empty.
  using Visit = std::function<Status(std::span<const std::string_view>)>;

  // Hands out the rows that end in `piece`. Its errors are the visitor's, and kFatal for bytes that are no such copy.
  Status take(std::string_view piece, const Visit& visit);
  // The mark behind the last row has come.
  bool done() const { return done_; }

 private:
  // How many bytes at the front were used up; 0 where more are needed.
  Result<size_t> header(std::string_view bytes);
  Result<size_t> row(std::string_view bytes, const Visit& visit);

  bool begun_ = false;
  bool done_ = false;
  std::string rest_;  // of a row whose end is still to come
  std::vector<std::string_view> columns_;
};

}  // namespace tidemark::postgres
