#include "cloudevents/number.h"

#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark::cloudevents {
namespace {

// "int64 5", "double 1.5", "decimal 1E+400", "none".
std::string shown(std::string_view token) {
  const auto number = exact_number(token);
  if (!number) return "none";
  if (const auto* whole = std::get_if<int64_t>(&*number)) return "int64 " + std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&*number)) {
    char text[64];
    return "double " + std::string(text, std::to_chars(std::begin(text), std::end(text), *real).ptr);
  }
  char text[BSON_DECIMAL128_STRING];
  bson_decimal128_to_string(&std::get<bson_decimal128_t>(*number), text);
  return std::string("decimal ") + text;
}

TEST(Numbers, KeepTheirValueToTheLastDigit) {
  for (const auto& [token, expected] : std::vector<std::pair<std::string, std::string>>{
           {"0", "int64 0"},
           {"-7", "int64 -7"},
           {"9223372036854775807", "int64 9223372036854775807"},
           {"-9223372036854775808", "int64 -9223372036854775808"},
           {"9223372036854775808", "decimal 9223372036854775808"},
           {"18446744073709551615", "decimal 18446744073709551615"},
           {"-18446744073709551616", "decimal -18446744073709551616"},
           {"1234567890123456789012345678901234", "decimal 1234567890123456789012345678901234"},
           {"1.5", "double 1.5"},
           {"1.0", "double 1"},
           {"0.1", "double 0.1"},
           {"1.10", "double 1.1"},
           {"0.30000000000000004", "double 0.30000000000000004"},
           {"1e3", "double 1000"},
           {"5e-324", "double 5e-324"},
           {"1.7976931348623157e308", "double 1.7976931348623157e+308"},
           {"-0", "double -0"},
           {"-0.0", "double -0"},
           {"0e999999999999999999999", "double 0"},
           {"12345678901234567890.5", "decimal 12345678901234567890.5"},
           {"0.1000000000000000000000000000000001", "decimal 0.1000000000000000000000000000000001"},
           {"1e309", "decimal 1E+309"},
           {"0.1e400", "decimal 1E+399"},
           {"-1e-400", "decimal -1E-400"},
           {"3e-324", "decimal 3E-324"},  // a double has 5e-324 next
           // All digits of a double, more than a Decimal128 has.
           {"3.141592653589793115997963468544185161590576171875", "double 3.141592653589793"},
           {"10000000000000000000000000000000000000000",
            "decimal 1.000000000000000000000000000000000E+40"}}) {
    EXPECT_EQ(shown(token), expected) << token;
  }
}

TEST(Numbers, ThatNoTypeHoldsAreNone) {
  for (const char* token :
       {"12345678901234567890123456789012345", "1234567890123456789012345678901234567891",
        "0.12345678901234567890123456789012345", "1e6145", "1e-6177", "1e99999999999999999999",
        "-1e99999999999999999999", "1.00000000000000000000000000000000000000000000001"}) {
    EXPECT_TRUE(is_number(token)) << token;
    EXPECT_EQ(shown(token), "none") << token;
  }
}

TEST(Numbers, AreToldFromWhatIsNone) {
  for (const char* token : {"0", "-0", "10", "1.0", "1e5", "1E+5", "1.25e-7", "0.0"})
    EXPECT_TRUE(is_number(token)) << token;
  for (const char* token : {"", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10", "1 ", " 1", "NaN",
                            "Infinity", "1.5.2", "1e5e5", "1_000"})
    EXPECT_FALSE(is_number(token)) << token;
}

// Every double that is written with its shortest text comes back, and its neighbours in the text don't.
RC_GTEST_PROP(Numbers, AnyDoubleThatIsWrittenAsOneIsOne, (double value)) {
  RC_PRE(std::isfinite(value));
  char text[64];
  std::string token(text, std::to_chars(std::begin(text), std::end(text), value).ptr);
  if (token.find_first_of(".e") == std::string::npos) token += ".0";
  const auto number = exact_number(token);
  RC_ASSERT(number.has_value());
  RC_ASSERT(std::holds_alternative<double>(*number));
  RC_ASSERT(std::get<double>(*number) == value);
}

}  // namespace
}  // namespace tidemark::cloudevents
