#include "bson/json_scanner.h"

#include <array>

#include "bson/utf8.h"

namespace tidemark::bson {
namespace {

constexpr int8_t kNoDigit = -1;

constexpr std::array<int8_t, 256> kHexDigits = [] {
  std::array<int8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (int i = 0; i < 10; ++i) digits['0' + i] = static_cast<int8_t>(i);
  for (int i = 0; i < 6; ++i) digits['a' + i] = digits['A' + i] = static_cast<int8_t>(10 + i);
  return digits;
}();

constexpr std::array<int8_t, 256> kBase64Digits = [] {
  std::array<int8_t, 256> digits{};
  digits.fill(kNoDigit);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i)
    digits[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  return digits;
}();

int8_t hex_digit(char c) { return kHexDigits[static_cast<uint8_t>(c)]; }

// Decodes in place, as the bytes are never longer than their text: the bytes' number, or empty for text that is no
// canonical base64 (RFC 4648: padded, unused bits zero).
std::optional<size_t> decode_base64(char* text, size_t size) {
  if (size % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < size && text[size - 1 - padding] == '=') ++padding;
  const size_t digits = size - padding;
  uint32_t word = 0;
  size_t written = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int8_t digit = kBase64Digits[static_cast<uint8_t>(text[i])];
    if (digit == kNoDigit) return std::nullopt;
    word = word << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 3) {
      text[written++] = static_cast<char>(word >> 16);
      text[written++] = static_cast<char>(word >> 8);
      text[written++] = static_cast<char>(word);
      word = 0;
    }
  }
  if (padding == 1) {
    if ((word & 3) != 0) return std::nullopt;
    text[written++] = static_cast<char>(word >> 10);
    text[written++] = static_cast<char>(word >> 2);
  } else if (padding == 2) {
    if ((word & 15) != 0) return std::nullopt;
    text[written++] = static_cast<char>(word >> 4);
  }
  return written;
}

}  // namespace

Error JsonScanner::error() const {
  return {React::kReject,
          std::string("not canonical Extended JSON: ") + why_ + ", near byte " + std::to_string(at_)};
}

bool JsonScanner::take_word(std::string_view word) {
  skip_blanks();
  if (json_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

std::string_view JsonScanner::take_digits() {
  skip_blanks();
  const size_t start = at_;
  while (at_ < json_.size() && json_[at_] >= '0' && json_[at_] <= '9') ++at_;
  return json_.substr(start, at_ - start);
}

bool JsonScanner::escape() {
  if (at_ + 1 >= json_.size()) return fail("a string without its end");
  const char c = json_[at_ + 1];
  at_ += 2;
  switch (c) {
    case '"':
    case '\\':
    case '/':
      out_.push_back(c);
      return true;
    case 'b':
      out_.push_back('\b');
      return true;
    case 'f':
      out_.push_back('\f');
      return true;
    case 'n':
      out_.push_back('\n');
      return true;
    case 'r':
      out_.push_back('\r');
      return true;
    case 't':
      out_.push_back('\t');
      return true;
    case 'u':
      return code_point();
    default:
      return fail("an escape that JSON doesn't have");
  }
}

std::optional<uint32_t> JsonScanner::four_digits() {
  if (json_.size() - at_ < 4) return std::nullopt;
  uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int8_t digit = hex_digit(json_[at_ + static_cast<size_t>(i)]);
    if (digit == kNoDigit) return std::nullopt;
    unit = unit << 4 | static_cast<uint32_t>(digit);
  }
  at_ += 4;
  return unit;
}

bool JsonScanner::code_point() {
  auto code = four_digits();
  if (!code) return fail("an escape without its four digits");
  if (*code >= 0xdc00 && *code <= 0xdfff) return fail("half of a surrogate pair");
  if (*code >= 0xd800 && *code <= 0xdbff) {
    if (json_.substr(at_, 2) != "\\u") return fail("half of a surrogate pair");
    at_ += 2;
    const auto low = four_digits();
    if (!low || *low < 0xdc00 || *low > 0xdfff) return fail("half of a surrogate pair");
    code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
  }
  if (*code < 0x80) {
    out_.push_back(static_cast<char>(*code));
  } else if (*code < 0x800) {
    out_.push_back(static_cast<char>(0xc0 | *code >> 6));
    out_.push_back(static_cast<char>(0x80 | (*code & 0x3f)));
  } else if (*code < 0x10000) {
    out_.push_back(static_cast<char>(0xe0 | *code >> 12));
    out_.push_back(static_cast<char>(0x80 | (*code >> 6 & 0x3f)));
    out_.push_back(static_cast<char>(0x80 | (*code & 0x3f)));
  } else {
    out_.push_back(static_cast<char>(0xf0 | *code >> 18));
    out_.push_back(static_cast<char>(0x80 | (*code >> 12 & 0x3f)));
    out_.push_back(static_cast<char>(0x80 | (*code >> 6 & 0x3f)));
    out_.push_back(static_cast<char>(0x80 | (*code & 0x3f)));
  }
  return true;
}

bool JsonScanner::string() {
  if (!take('"')) return fail("a string was expected");
  const auto* bytes = reinterpret_cast<const uint8_t*>(json_.data());
  const size_t size = json_.size();
  size_t run = at_;  // json_[run, at_) goes out as it is
  while (at_ < size) {
    if (size - at_ >= 8 && eight_plain(bytes + at_)) {
      at_ += 8;
    } else if (is_plain(bytes[at_])) {
      ++at_;
    } else if (bytes[at_] >= 0x80) {
      const size_t sequence = utf8_length(bytes + at_, size - at_);
      if (sequence == 0) return fail("text that is not UTF-8");
      at_ += sequence;
    } else {
      out_.append(json_.data() + run, at_ - run);
      if (bytes[at_] == '"') {
        ++at_;
        return true;
      }
      if (bytes[at_] != '\\') return fail("a control character that is not escaped");
      if (!escape()) return false;
      run = at_;
    }
  }
  return fail("a string without its end");
}

bool JsonScanner::hex(size_t count) {
  const size_t start = out_.size();
  if (!string()) return false;
  if (out_.size() - start != 2 * count) return fail("not as many hexadecimal digits as the type has");
  for (size_t i = 0; i < count; ++i) {
    const int8_t high = hex_digit(out_[start + 2 * i]), low = hex_digit(out_[start + 2 * i + 1]);
    if (high == kNoDigit || low == kNoDigit) return fail("not hexadecimal digits");
    out_[start + i] = static_cast<char>(high << 4 | low);
  }
  out_.resize(start + count);
  return true;
}

bool JsonScanner::base64() {
  const size_t start = out_.size();
  if (!string()) return false;
  const auto size = decode_base64(out_.data() + start, out_.size() - start);
  if (!size) return fail("not base64");
  out_.resize(start + *size);
  return true;
}

}  // namespace tidemark::bson
