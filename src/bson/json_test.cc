#include "bson/json.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "bson/json_reader.h"

namespace {

// Counts the allocations of this program, for the test that rendering makes none.
thread_local size_t g_allocations = 0;

}  // namespace

// The sanitizers bring an operator new of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TIDEMARK_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TIDEMARK_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef TIDEMARK_COUNTS_ALLOCATIONS
#define TIDEMARK_COUNTS_ALLOCATIONS 1
#endif

#if TIDEMARK_COUNTS_ALLOCATIONS
// Not inlined, or g++ takes the pair below for a mismatch.
[[gnu::noinline]] void* operator new(size_t size) {
  ++g_allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace tidemark::bson {
namespace {

// libbson writes blanks between the tokens and we don't: the rest must agree byte for byte.
std::string without_blanks(const std::string& json) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (in_string && json[i] == '\\') {
      out += json[i++];
    } else if (json[i] == '"') {
      in_string = !in_string;
    } else if (!in_string && json[i] == ' ') {
      continue;
    }
    out += json[i];
  }
  return out;
}

std::string libbson_json(View view, JsonMode mode) {
  const bson_t doc = view.raw();
  size_t length = 0;
  char* json = mode == JsonMode::kCanonical ? bson_as_canonical_extended_json(&doc, &length)
                                            : bson_as_relaxed_extended_json(&doc, &length);
  if (json == nullptr) return "libbson gives up";
  std::string result(json, length);
  bson_free(json);
  return without_blanks(result);
}

rc::Gen<std::string> text() {
  return rc::gen::container<std::string>(rc::gen::weightedOneOf<char>({
      {12, rc::gen::inRange<char>(' ', '~')},
      {1, rc::gen::elementOf(std::string("\"\\\b\f\n\r\t/\x01\x1f\x7f"))},
  }));
}

std::string with_unicode(std::string base) {
  return base +
         *rc::gen::elementOf(std::vector<std::string>{"", "é", "日本", "😀", "\xc2\x80", "\xf4\x8f\xbf\xbf"});
}

void append_scalar(bson_t* doc, const std::string& key, bool doubles) {
  const char* name = key.c_str();
  const int length = static_cast<int>(key.size());
  switch (*rc::gen::inRange(0, 16)) {
    case 0: {
      const std::string value = with_unicode(*text());
      bson_append_utf8(doc, name, length, value.data(), static_cast<int>(value.size()));
      return;
    }
    case 1:
      bson_append_int32(doc, name, length, *rc::gen::arbitrary<int32_t>());
      return;
    case 2:
      bson_append_int64(doc, name, length, *rc::gen::arbitrary<int64_t>());
      return;
    case 3:
      bson_append_double(doc, name, length,
                         doubles ? *rc::gen::arbitrary<double>() : 0.25 * *rc::gen::inRange(-4000, 4000));
      return;
    case 4:
      bson_append_bool(doc, name, length, *rc::gen::arbitrary<bool>());
      return;
    case 5:
      bson_append_null(doc, name, length);
      return;
    case 6:
      bson_append_date_time(doc, name, length,
                            *rc::gen::inRange<int64_t>(-100'000'000'000'000, 253'402'300'800'000));
      return;
    case 7:
      bson_append_timestamp(doc, name, length, *rc::gen::arbitrary<uint32_t>(),
                            *rc::gen::arbitrary<uint32_t>());
      return;
    case 8: {
      const auto bytes = *rc::gen::container<std::vector<uint8_t>>(rc::gen::arbitrary<uint8_t>());
      const auto subtype = static_cast<bson_subtype_t>(*rc::gen::element(0, 1, 2, 3, 4, 5, 6, 128));
      bson_append_binary(doc, name, length, subtype, bytes.data(), static_cast<uint32_t>(bytes.size()));
      return;
    }
    case 9: {
      const std::string pattern = *text();
      bson_append_regex(doc, name, length, pattern.c_str(), *rc::gen::element("", "i", "mi", "xsi"));
      return;
    }
    case 10: {
      bson_oid_t oid;
      for (auto& byte : oid.bytes) byte = *rc::gen::arbitrary<uint8_t>();
      if (*rc::gen::arbitrary<bool>())
        bson_append_oid(doc, name, length, &oid);
      else
        bson_append_dbpointer(doc, name, length, "db.things", &oid);
      return;
    }
    case 11: {
      // Far from the ends of its range, where libbson's own parser gives NaN for what its printer wrote.
      bson_decimal128_t decimal;
      char number[64];
      std::snprintf(number, sizeof number, "%lldE%d", static_cast<long long>(*rc::gen::arbitrary<int64_t>()),
                    *rc::gen::inRange(-6000, 6000));
      bson_decimal128_from_string(number, &decimal);
      bson_append_decimal128(doc, name, length, &decimal);
      return;
    }
    case 12:
      bson_append_code(doc, name, length, (*text()).c_str());
      return;
    case 13:
      bson_append_symbol(doc, name, length, (*text()).c_str(), -1);
      return;
    case 14:
      *rc::gen::arbitrary<bool>() ? bson_append_minkey(doc, name, length)
                                  : bson_append_maxkey(doc, name, length);
      return;
    default: {
      bson_t scope = BSON_INITIALIZER;
      bson_append_int32(&scope, "x", 1, *rc::gen::arbitrary<int32_t>());
      bson_append_code_with_scope(doc, name, length, "return x;", &scope);
      bson_destroy(&scope);
    }
  }
}

void append_fields(bson_t* doc, int depth, bool array, bool doubles) {
  const int count = *rc::gen::inRange(0, 5);
  for (int i = 0; i < count; ++i) {
    const std::string key = array ? std::to_string(i) : "k" + std::to_string(i) + *text();
    const int kind = depth < 4 ? *rc::gen::inRange(0, 6) : 0;
    bson_t child;
    if (kind == 4) {
      bson_append_document_begin(doc, key.data(), static_cast<int>(key.size()), &child);
      append_fields(&child, depth + 1, false, doubles);
      bson_append_document_end(doc, &child);
    } else if (kind == 5) {
      bson_append_array_begin(doc, key.data(), static_cast<int>(key.size()), &child);
      append_fields(&child, depth + 1, true, doubles);
      bson_append_array_end(doc, &child);
    } else {
      append_scalar(doc, key, doubles);
    }
  }
}

Document any_document(bool doubles) {
  bson_t doc = BSON_INITIALIZER;
  append_fields(&doc, 0, false, doubles);
  Document result(&doc);
  bson_destroy(&doc);
  return result;
}

std::string canonical(const char* json) { return to_json(Document::from_json(json).value()); }

std::string value_json(double value, JsonMode mode) {
  return to_json(Builder().append("d", value).view(), mode);
}

// libbson prints doubles with %.20g and we print the shortest form, so byte equality is asked of doubles that
// have one short form (quarters); the round trip below takes every double.
RC_GTEST_PROP(Json, AgreesWithLibbsonByteForByte, ()) {
  const Document document = any_document(false);
  RC_LOG() << to_json(document) << "\n" << libbson_json(document, JsonMode::kCanonical);
  RC_ASSERT(to_json(document) == libbson_json(document, JsonMode::kCanonical));
}

RC_GTEST_PROP(Json, RelaxedAgreesWithLibbsonByteForByte, ()) {
  const Document document = any_document(false);
  RC_LOG() << to_json(document, JsonMode::kRelaxed) << "\n" << libbson_json(document, JsonMode::kRelaxed);
  RC_ASSERT(to_json(document, JsonMode::kRelaxed) == libbson_json(document, JsonMode::kRelaxed));
}

// Keys of arrays aside: libbson's parser forgets the index of a $code or $dbPointer inside an array.
bool are_same(View a, View b, bool array) {
  auto left = a.begin(), right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    const Element x = *left, y = *right;
    if (x.type() != y.type() || (!array && x.key() != y.key())) return false;
    const auto bytes = x.value_bytes(), others = y.value_bytes();
    const bool nested = x.is_document() || x.is_array();
    if (nested ? !are_same(x.document(), y.document(), x.is_array())
               : !std::equal(bytes.begin(), bytes.end(), others.begin(), others.end()))
      return false;
  }
  return !(left != a.end()) && !(right != b.end());
}

// Other readers of Extended JSON take our text for the same document.
RC_GTEST_PROP(Json, CanonicalIsTheSameDocumentToLibbson, ()) {
  const Document document = any_document(true);
  const auto again = Document::from_json(to_json(document));
  RC_ASSERT(again.has_value());
  RC_LOG() << to_json(document) << "\n" << to_json(*again);
  RC_ASSERT(are_same(*again, document, false));
}

TEST(Json, WritesDoublesAsTheSpecificationDoes) {
  EXPECT_EQ(value_json(1.0, JsonMode::kCanonical), R"({"d":{"$numberDouble":"1.0"}})");
  EXPECT_EQ(value_json(-0.0, JsonMode::kCanonical), R"({"d":{"$numberDouble":"-0.0"}})");
  EXPECT_EQ(value_json(0.1, JsonMode::kCanonical), R"({"d":{"$numberDouble":"0.1"}})");
  EXPECT_EQ(value_json(NAN, JsonMode::kCanonical), R"({"d":{"$numberDouble":"NaN"}})");
  EXPECT_EQ(value_json(-INFINITY, JsonMode::kCanonical), R"({"d":{"$numberDouble":"-Infinity"}})");
  EXPECT_EQ(value_json(1.0, JsonMode::kRelaxed), R"({"d":1.0})");
  EXPECT_EQ(value_json(1e300, JsonMode::kRelaxed), R"({"d":1e+300})");
  EXPECT_EQ(value_json(INFINITY, JsonMode::kRelaxed), R"({"d":{"$numberDouble":"Infinity"}})");
  EXPECT_EQ(value_json(std::numeric_limits<double>::denorm_min(), JsonMode::kCanonical),
            R"({"d":{"$numberDouble":"5e-324"}})");
}

TEST(Json, WritesEveryTypeOfTheSpecificationsCorpus) {
  for (const char* line : {
           R"({"a":{"$numberInt":"-2147483648"}})",
           R"({"a":{"$numberLong":"9223372036854775807"}})",
           R"({"a":{"$numberDecimal":"0.00100"}})",
           R"({"a":{"$numberDecimal":"1.000E+614"}})",
           R"({"a":{"$numberDecimal":"NaN"}})",
           R"({"x":{"$binary":{"base64":"c//SZESzTGmQ6OfR38A11A==","subType":"04"}}})",
           R"({"x":{"$binary":{"base64":"//8=","subType":"02"}}})",
           R"({"x":{"$binary":{"base64":"","subType":"80"}}})",
           R"({"a":{"$date":{"$numberLong":"-284643869501"}}})",
           R"({"a":{"$timestamp":{"t":123456789,"i":4294967295}}})",
           R"({"a":{"$regularExpression":{"pattern":"a/b\\.c\"","options":"imx"}}})",
           R"({"a":{"$dbPointer":{"$ref":"b","$id":{"$oid":"56e1fc72e0c917e9c4714161"}}}})",
           R"({"a":{"$code":"x\ny","$scope":{"b":[{"$numberInt":"1"},null,true]}}})",
           R"({"a":{"$code":"\u00010"}})",
           R"({"a":{"$symbol":"é"}})",
           R"({"a":{"$minKey":1},"b":{"$maxKey":1},"c":{"$undefined":true}})",
           R"({"":{"":[]},"a":{}})",
           R"({"a":"ab\u0000ba\u0000ab"})",
       })
    EXPECT_EQ(canonical(line), line);
}

TEST(Json, RelaxedDatesAreReadableWithinFourDigitYears) {
  const auto date = [](int64_t ms) {
    return to_json(Builder().append_date("a", ms).view(), JsonMode::kRelaxed);
  };
  EXPECT_EQ(date(0), R"({"a":{"$date":"1970-01-01T00:00:00Z"}})");
  EXPECT_EQ(date(1356351330501), R"({"a":{"$date":"2012-12-24T12:15:30.501Z"}})");
  EXPECT_EQ(date(253402300799999), R"({"a":{"$date":"9999-12-31T23:59:59.999Z"}})");
  EXPECT_EQ(date(253402300800000), R"({"a":{"$date":{"$numberLong":"253402300800000"}}})");
  EXPECT_EQ(date(-1), R"({"a":{"$date":{"$numberLong":"-1"}}})");
}

TEST(Json, ReplacesBytesThatAreNotUtf8) {
  std::string out;
  append_json_string(
      "a\xff"
      "b\xc0\x80\xed\xa0\x80 \xe2\x82",
      out);
  EXPECT_EQ(out, "\"a\ufffdb\ufffd\ufffd\ufffd\ufffd\ufffd \ufffd\ufffd\"");
}

TEST(Json, TextOfAStringReadsBackWhateverItIs) {
  for (const std::string& text :
       {std::string("plain"), std::string("caf\xe9"), std::string("a\0\xff", 3), std::string()}) {
    std::string out;
    append_json_text(text, out);
    EXPECT_EQ(out.find("\ufffd"), std::string::npos);
    const auto back = read_json_value(out, "v");
    ASSERT_TRUE(back) << out;
    EXPECT_EQ(back->view().find("v")->string(), text) << out;
  }
}

TEST(Json, EscapesAtEveryPlaceOfALongString) {
  for (size_t at = 0; at < 24; ++at) {
    for (const auto& [special, expected] : std::vector<std::pair<char, std::string>>{{'"', "\\\""},
                                                                                     {'\\', "\\\\"},
                                                                                     {'\n', "\\n"},
                                                                                     {'\x1f', "\\u001f"},
                                                                                     {'\0', "\\u0000"},
                                                                                     {'\x7f', "\x7f"}}) {
      std::string text(24, 'x'), out;
      text[at] = special;
      append_json_string(text, out);
      EXPECT_EQ(out, "\"" + std::string(at, 'x') + expected + std::string(23 - at, 'x') + "\"");
    }
  }
}

TEST(Json, GivesTheBytesOfWhatLiesTooDeep) {
  Document document = Builder().append("x", 1).finish();
  for (int i = 0; i < 3000; ++i) document = Builder().append("a", document.view()).finish();
  const std::string json = to_json(document);
  EXPECT_NE(json.find(R"({"a":{"$bson":{"type":"03","base64":")"), std::string::npos);
  EXPECT_EQ(std::count(json.begin(), json.end(), '{'), 252);
}

TEST(Json, AllocatesNothingOnceTheBufferHasGrown) {
  if (TIDEMARK_COUNTS_ALLOCATIONS == 0) GTEST_SKIP() << "the sanitizer's own operator new can't be counted";
  const auto document = Document::from_json(
      R"({"_id":{"$oid":"56e1fc72e0c917e9c4714161"},"name":"a long enough text to need the heap","n":[1,2.5,{"$numberLong":"7"}],
          "when":{"$date":{"$numberLong":"1356351330501"}},"d":{"$numberDecimal":"1.5"},"b":{"$binary":{"base64":"//8=","subType":"00"}}})");
  ASSERT_TRUE(document);
  std::string out;
  append_json(*document, JsonMode::kCanonical, out);
  const size_t before = g_allocations;
  out.clear();
  append_json(*document, JsonMode::kCanonical, out);
  EXPECT_EQ(g_allocations, before);
}

TEST(Json, NoDocumentIsAnEmptyObject) { EXPECT_EQ(to_json(View()), "{}"); }

}  // namespace
}  // namespace tidemark::bson
