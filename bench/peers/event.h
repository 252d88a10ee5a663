// The CloudEvent that the benchmark's programs send: the same bytes whether they go through Tidemark or past it, but for
// the id, which has a place of fixed width.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemark::bench {

class EventTemplate {
 public:
  static constexpr size_t kIdBytes = 16;

  EventTemplate() {
    text_ = R"({"specversion":"1.0","id":")";
    id_at_ = text_.size();
    text_ += std::string(kIdBytes, '0') +
             R"(","source":"/bench/load","type":"bench.event","time":"2026-01-01T00:00:00Z",)"
             R"("datacontenttype":"application/json","data":{"mag":4.5,"place":"12 km SSW of nowhere",)"
             R"("depth":10.25,"felt":7,"url":"https://example.org/events/benchmark","note":")" +
             std::string(120, 'n') + "\"}}";
  }

  const std::string& text() const { return text_; }
  // Writes id `n` into a copy of text() that begins at `event`.
  void stamp(char* event, uint64_t n) const {
    for (char* digit = event + id_at_ + kIdBytes; digit-- > event + id_at_; n /= 10)
      *digit = static_cast<char>('0' + n % 10);
  }

 private:
  std::string text_;
  size_t id_at_ = 0;
};

}  // namespace tidemark::bench
