#include "sinks/postgres/jsonb_text.h"

#include <random>

#include <gtest/gtest.h>

#include "bson/arbitrary_bson.h"
#include "bson/json.h"
#include "sinks/postgres/audit_sql.h"
#include "sinks/postgres/connection.h"
#include "sinks/postgres/rows.h"
#include "sinks/postgres/test_support.h"
#include "support/change_events.h"

namespace tidemark::postgres {
namespace {

std::string text_of(std::string_view json) {
  std::string out;
  JsonbText().append(json, out);
  return out;
}

TEST(JsonbText, OrdersKeysByLengthThenBytesAndKeepsTheLastOfEach) {
  EXPECT_EQ(text_of(R"({"bb":1,"a":{"y":[1,{}],"x":null},"B":true,"a":[],"":"e","é":0})"),
            R"({"": "e", "B": true, "a": [], "bb": 1, "é": 0})");
  EXPECT_EQ(text_of(R"({"\n":1,"aa":2,"\u0001b":3,"\"":4})"), R"({"\n": 1, "\"": 4, "\u0001b": 3, "aa": 2})");
  EXPECT_EQ(text_of("{}"), "{}");
  EXPECT_EQ(text_of(R"({"a":[[],[[]],"x, y: {}"]})"), R"({"a": [[], [[]], "x, y: {}"]})");
}

TEST(JsonbText, EndsWithAnyText) {
  for (const char* text : {"", "{", "[", R"({"a)", R"({"a")", R"({"a":)", R"({"a":1)", R"([1,)", R"({"\)",
                           "}", "]]", R"({"\u00)"})
    (void)text_of(text);
}

// Keys and strings of every kind of character, nesting, keys that stand twice.
class RandomJson {
 public:
  explicit RandomJson(uint32_t seed) : random_(seed) {}
  std::string object(int depth) {
    std::string out = "{";
    for (uint32_t i = 0, n = below(7); i < n; ++i) {
      if (i > 0) out += ',';
      string(out);
      out += ':';
      out += value(depth);
    }
    return out + "}";
  }

 private:
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(random_()) % n; }
  void string(std::string& out) {
    static const std::vector<std::string> kParts = {
        "a",    "b",  "A",    "_",    "$",    "\"", "\\", "/",  "\n",       "\t",           "\b",
        "\f",   "\r", "\x01", "\x1f", "\x7f", "é",  "中", "😀", "\xc2\x80", "\xe2\x80\xa8", "\\u0041",
        "\xff", " ",  ",",    ":",    "{",    "]"};
    std::string text;
    for (uint32_t i = 0, n = below(4); i < n; ++i)
      text += kParts[below(static_cast<uint32_t>(kParts.size()))];
    bson::append_json_string(text, out);
  }
  std::string value(int depth) {
    std::string out;
    switch (below(depth > 0 ? 8 : 5)) {
      case 0:
        return "null";
      case 1:
        return below(2) == 0 ? "true" : "false";
      case 2:
        return std::to_string(random_());
      case 3:
      case 4:
        string(out);
        return out;
      case 5: {
        out = "[";
        for (uint32_t i = 0, n = below(4); i < n; ++i) out += (i > 0 ? "," : "") + value(depth - 1);
        return out + "]";
      }
      default:
        return object(depth - 1);
    }
  }

  std::mt19937 random_;
};

class JsonbTextOfAServer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = testing::PostgresServer::unavailable()) GTEST_SKIP() << *reason;
    ConnectionOptions options;
    options.uri = testing::PostgresServer::shared().create_schema();
    connection_ = Connection::open(options, clock_, {}).value();
  }

  void expect_same(const std::vector<std::string>& texts) {
    const std::string params[] = {array_text(texts)};
    const auto rows = connection_->query("SELECT t::jsonb::text FROM unnest($1::text[]) AS t", params, {});
    ASSERT_TRUE(rows) << rows.error().describe();
    ASSERT_EQ(rows->rows.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(text_of(texts[i]), rows->rows[i][0]) << texts[i];
  }

  PosixClock clock_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(JsonbTextOfAServer, IsTheSameForRandomJson) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    RandomJson random(seed);
    std::vector<std::string> texts;
    for (int i = 0; i < 500; ++i) texts.push_back(random.object(4));
    expect_same(texts);
  }
}

TEST_F(JsonbTextOfAServer, IsTheSameForRandomDocuments) {
  std::mt19937 random(7);
  std::vector<std::string> texts;
  while (texts.size() < 5'000) {
    std::vector<uint32_t> choices(100);
    for (uint32_t& choice : choices) choice = static_cast<uint32_t>(random());
    std::string json = bson::to_json(bson::ArbitraryBson(choices).document());
    if (!contains_nul_escape(json)) texts.push_back(std::move(json));
  }
  expect_same(texts);
}

}  // namespace
}  // namespace tidemark::postgres
