#include "bson/json_text.h"

#include <chrono>
#include <cmath>

#include "bson/json.h"
#include "bson/utf8.h"

namespace tidemark::bson {
namespace {

void append_escape(uint8_t c, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      out.push_back(static_cast<char>(c));
      return;
    case '\b':
      out.push_back('b');
      return;
    case '\f':
      out.push_back('f');
      return;
    case '\n':
      out.push_back('n');
      return;
    case '\r':
      out.push_back('r');
      return;
    case '\t':
      out.push_back('t');
      return;
    default:
      out.append("u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

void append_padded(int value, int width, std::string& out) {
  char digits[12];
  for (int i = width - 1; i >= 0; --i, value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, static_cast<size_t>(width));
}

}  // namespace

template <bool replaces>
bool append_string(std::string_view text, std::string& out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = text.size();
  out.push_back('"');
  size_t run = 0;  // bytes[run, i) go out as they are
  size_t i = 0;
  while (i < size) {
    if (size - i >= 8 && eight_plain(bytes + i)) {
      i += 8;
      continue;
    }
    if (is_plain(bytes[i])) {
      ++i;
      continue;
    }
    const size_t sequence = bytes[i] >= 0x80 ? utf8_length(bytes + i, size - i) : 0;
    if (sequence > 0) {
      i += sequence;
      continue;
    }
    out.append(text.data() + run, i - run);
    if (bytes[i] < 0x80)
      append_escape(bytes[i], out);
    else if constexpr (replaces)
      out.append("\xef\xbf\xbd");
    else
      return false;
    run = ++i;
  }
  out.append(text.data() + run, size - run);
  out.push_back('"');
  return true;
}

template bool append_string<false>(std::string_view text, std::string& out);
template bool append_string<true>(std::string_view text, std::string& out);

void append_finite(double value, std::string& out) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view digits(text, static_cast<size_t>(end - text));
  out.append(digits);
  if (digits.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

void append_date(int64_t ms, bool canonical, std::string& out) {
  constexpr int64_t kYear10000 = 253402300800000;
  out.append("{\"$date\":");
  if (!canonical && ms >= 0 && ms < kYear10000) {
    out.push_back('"');
    append_rfc3339(ms, out);
    out.append("\"}");
    return;
  }
  out.append("{\"$numberLong\":\"");
  append_number(ms, out);
  out.append("\"}}");
}

void append_base64(std::span<const uint8_t> bytes, std::string& out) {
  const size_t size = bytes.size();
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t i = 0;
  for (; i + 3 <= size; i += 3) {
    const uint32_t word = uint32_t{bytes[i]} << 16 | uint32_t{bytes[i + 1]} << 8 | bytes[i + 2];
    const char digits[4] = {kDigits[word >> 18], kDigits[(word >> 12) & 63], kDigits[(word >> 6) & 63],
                            kDigits[word & 63]};
    out.append(digits, 4);
  }
  if (i == size) return;
  const uint32_t word = uint32_t{bytes[i]} << 16 | (i + 1 < size ? uint32_t{bytes[i + 1]} << 8 : 0);
  const char digits[4] = {kDigits[word >> 18], kDigits[(word >> 12) & 63],
                          i + 1 < size ? kDigits[(word >> 6) & 63] : '=', '='};
  out.append(digits, 4);
}

void append_hex_byte(uint8_t byte, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back(kHex[byte >> 4]);
  out.push_back(kHex[byte & 15]);
}

void append_oid(const uint8_t* bytes, std::string& out) {
  out.append("{\"$oid\":\"");
  for (int i = 0; i < 12; ++i) append_hex_byte(bytes[i], out);
  out.append("\"}");
}

void append_rfc3339(int64_t ms_since_epoch, std::string& out) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(ms_since_epoch)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  append_padded(static_cast<int>(date.year()), 4, out);
  out.push_back('-');
  append_padded(static_cast<int>(static_cast<unsigned>(date.month())), 2, out);
  out.push_back('-');
  append_padded(static_cast<int>(static_cast<unsigned>(date.day())), 2, out);
  out.push_back('T');
  append_padded(static_cast<int>(clock.hours().count()), 2, out);
  out.push_back(':');
  append_padded(static_cast<int>(clock.minutes().count()), 2, out);
  out.push_back(':');
  append_padded(static_cast<int>(clock.seconds().count()), 2, out);
  if (const auto ms = clock.subseconds().count(); ms != 0) {
    out.push_back('.');
    append_padded(static_cast<int>(ms), 3, out);
  }
  out.push_back('Z');
}

}  // namespace tidemark::bson
