#include "cloudevents/render.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck/gtest.h>

#include "bson/json.h"
#include "bson/json_reader.h"
#include "bson/testing/arbitrary_bson.h"
#include "cloudevents/parser.h"

namespace tidemark::cloudevents {
namespace {

std::string rendered(bson::View document) {
  std::string out;
  render(document, out);
  return out;
}

Event change(const std::string& json, EventBatch& batch) {
  return parse_change_event(batch.store(bson::Document::from_json(json)->view())).value();
}

TEST(RenderCloudEvent, IsPlainJsonWhateverATransformAdded) {
  const auto document = bson::Document::from_json(
      R"({"id":"1","t":{"$date":"2024-05-01T12:00:00.5Z"},"o":{"$oid":"65f000000000000000000001"},)"
      R"("d":{"$numberDecimal":"1.50"},"b":{"$binary":{"base64":"AAEC","subType":"00"}},"i":{"$numberInt":"7"},)"
      R"("f":{"$numberDouble":"7.0"},"n":{"$numberDouble":"NaN"},"a":[{"x":null},true],)"
      R"("ts":{"$timestamp":{"t":1,"i":2}}})");
  ASSERT_TRUE(document);
  EXPECT_EQ(
      rendered(*document),
      R"({"id":"1","t":"2024-05-01T12:00:00.500Z","o":"65f000000000000000000001","d":"1.50","b":"AAEC","i":7,)"
      R"("f":7.0,"n":{"$numberDouble":"NaN"},"a":[{"x":null},true],"ts":{"$timestamp":{"t":1,"i":2}}})");
}

TEST(RenderCloudEvent, CarriesWhatJsonHasNoWordForAndNeverSaysNullForIt) {
  const double kInfinity = std::numeric_limits<double>::infinity();
  bson::Builder odd, array, document;
  odd.append("n\xe9", int32_t{1});
  array.append("1", int32_t{7}).append("0", int32_t{8});
  document.append("up", kInfinity).append("down", -kInfinity);
  document.append("text", std::string_view("a\xe9"))
      .append("odd", odd.view())
      .append_array("array", array.view());
  const std::string json = rendered(document.view());
  EXPECT_EQ(json.find("null"), std::string::npos) << json;
  EXPECT_EQ(json.find("\ufffd"), std::string::npos) << json;
  const auto back = bson::read_json(json);
  ASSERT_TRUE(back) << json << ": " << back.error().what;
  EXPECT_TRUE(back->view() == document.view()) << json;
}

TEST(RenderCloudEvent, IsNothingWhoseNamesOrIdJsonCanNotSay) {
  const auto event = [](std::string_view id, std::string_view name) {
    bson::Builder made;
    made.append("specversion", "1.0").append("id", id).append("source", "/s").append("type", "t");
    made.append(name, "x");
    return is_cloudevent(made.view());
  };
  EXPECT_TRUE(event("1", "data"));
  EXPECT_FALSE(event("1\xe9", "data"));
  EXPECT_FALSE(event("1", "d\xe9"));
}

TEST(RenderChangeEvent, NamesThatAreNotUtf8ReadBack) {
  EventBatch batch;
  Event event =
      change(R"({"_id":{"_data":"8265"},"operationType":"drop","ns":{"db":"shop","coll":"x"}})", batch);
  event.ns.collection = "caf\xe9";
  std::string out;
  render_change_event(event, out);
  EXPECT_NE(out.find(R"("db":"shop","coll":{"$bson":{"type":"02","base64":"BQAAAGNhZukA"}})"),
            std::string::npos)
      << out;
}

TEST(RenderCloudEvent, GivesBackEveryNumberThatTheParserTook) {
  Parser parser;
  EventBatch batch;
  for (const char* number :
       {"18446744073709551615", "12345678901234567890.5", "1e309", "0.1e400", "-0", "1.10", "1e22"}) {
    const std::string json =
        R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":)" + std::string(number) + "}}";
    ASSERT_EQ(describe(parser.structured(json, {}, batch)), "");
    const Event first = batch.events().back();
    ASSERT_EQ(describe(parser.structured(rendered(first.after), {}, batch)), "") << rendered(first.after);
    EXPECT_TRUE(batch.events().back().after == first.after) << rendered(first.after);
    EXPECT_EQ(rendered(first.after).find("\"n\":\""), std::string::npos) << "a number, no text";
  }
}

TEST(RenderChangeEvent, IsACloudEventThatTheParserTakes) {
  EventBatch batch;
  const Event event = change(
      R"({"_id":{"_data":"8265"},"operationType":"update","ns":{"db":"shop é","coll":"a/b.c"},)"
      R"("documentKey":{"_id":{"$oid":"65f000000000000000000001"}},"wallTime":{"$date":"2024-05-01T12:00:00Z"},)"
      R"("fullDocument":{"_id":{"$oid":"65f000000000000000000001"},"n":{"$numberInt":"5"}},)"
      R"("updateDescription":{"updatedFields":{"n":{"$numberInt":"5"}}}})",
      batch);
  std::string out;
  render_change_event(event, out);
  EXPECT_EQ(
      out,
      R"({"specversion":"1.0","id":"8265","source":"/mongodb/shop%20%C3%A9/a%2Fb.c","type":"tidemark.update",)"
      R"("time":"2024-05-01T12:00:00Z","datacontenttype":"application/json","data":{)"
      R"("ns":{"db":"shop é","coll":"a/b.c"},"key":{"_id":{"$oid":"65f000000000000000000001"}},)"
      R"("document":{"_id":{"$oid":"65f000000000000000000001"},"n":5},"update":{"updatedFields":{"n":5}}}})");
  Parser parser;
  EXPECT_EQ(describe(parser.structured(out, {}, batch)), "");
}

TEST(RenderMessage, IsWhatWasReceivedUnlessATransformEditedIt) {
  Parser parser;
  EventBatch batch;
  const std::string json = R"({ "specversion":"1.0", "id":"1", "source":"/s", "type":"t" })";
  ASSERT_TRUE(parser.structured(json, {}, batch).empty());
  Event event = batch.events().back();
  std::string out;
  render_message(event, out);
  EXPECT_EQ(out, json);
  event.edited = true;
  out.clear();
  render_message(event, out);
  EXPECT_EQ(out, R"({"specversion":"1.0","id":"1","source":"/s","type":"t"})");
  // Wrapped, it is no CloudEvent any more.
  const auto wrapped = bson::Document::from_json(R"({"raw":{"specversion":"1.0"},"severity":"minor"})");
  event.after = wrapped->view();
  out.clear();
  render_message(event, out);
  EXPECT_NE(out.find(R"("type":"tidemark.insert")"), std::string::npos) << out;
  EXPECT_EQ(describe(parser.structured(out, {}, batch)), "");
}

// --- properties

// JSON values as nlohmann builds them, from a stream of choices.
class ArbitraryJson {
 public:
  explicit ArbitraryJson(std::vector<uint32_t> choices) : choices_(std::move(choices)) {}

  nlohmann::json value(int depth) {
    switch (choose(depth < 4 ? 9 : 7)) {
      case 0:
        return nullptr;
      case 1:
        return choose(2) == 1;
      case 2:
        return static_cast<int64_t>(choose(7)) - 3;
      case 3: {
        constexpr int64_t kNumbers[] = {INT64_MAX, INT64_MIN, int64_t{1} << 53, -1};
        return kNumbers[choose(4)];
      }
      case 4: {
        constexpr double kNumbers[] = {0.1, -0.0, 1e300, 5e-324, 1.0, 0x1p63, 123456.789};
        return kNumbers[choose(7)];
      }
      case 5:
      case 6:
        return text();
      case 7: {
        auto array = nlohmann::json::array();
        for (uint32_t i = choose(4); i > 0; --i) array.push_back(value(depth + 1));
        return array;
      }
      default: {
        auto object = nlohmann::json::object();
        for (uint32_t i = choose(4); i > 0; --i) {
          std::string name = text();
          if (name.find('\0') == std::string::npos) object[name] = value(depth + 1);
        }
        return object;
      }
    }
  }
  std::string text() {
    static const std::string kTexts[] = {
        "", "a", "b", "\"\\/\b\f\n\r\t", std::string("\0x", 2), "é", "😀", "$numberLong", "x.y", "\x7f"};
    return kTexts[choose(10)];
  }
  uint32_t choose(uint32_t below) { return at_ < choices_.size() ? choices_[at_++] % below : 0; }

 private:
  std::vector<uint32_t> choices_;
  size_t at_ = 0;
};

RC_GTEST_PROP(CloudEventProperty, RenderingAndParsingIsTheSameBson, (std::vector<uint32_t> choices)) {
  ArbitraryJson arbitrary(std::move(choices));
  nlohmann::json event = {{"specversion", "1.0"}, {"id", "1"}, {"source", "/s"}, {"type", "t"}};
  event["data"] = arbitrary.value(0);
  if (arbitrary.choose(2) == 1) event["ext"] = arbitrary.choose(2) == 1;
  const std::string json = event.dump(arbitrary.choose(2) == 1 ? 2 : -1);
  Parser parser;
  EventBatch batch;
  RC_ASSERT(describe(parser.structured(json, {}, batch)) == "");
  const Event first = batch.events().back();
  RC_ASSERT(first.payload == json);
  // The same values as another parser finds them.
  RC_ASSERT(nlohmann::json::parse(rendered(first.after)) == event);
  RC_ASSERT(describe(parser.batch("[" + rendered(first.after) + "]", {}, batch)) == "");
  RC_ASSERT(batch.events().back().after == first.after);
}

RC_GTEST_PROP(CloudEventProperty, WhatAnotherParserRefusesIsRefused, (std::vector<uint32_t> choices)) {
  ArbitraryJson arbitrary(std::move(choices));
  std::string data = arbitrary.value(0).dump();
  // Bytes put in, taken out, or changed.
  static constexpr char kBytes[] = "{}[],:\"\\0123456789-+.eEtrufalsn \t\n\x00\x1f\x7f\xc3\xa9\xff";
  for (uint32_t i = arbitrary.choose(4); i > 0; --i) {
    const size_t at = data.empty() ? 0 : arbitrary.choose(static_cast<uint32_t>(data.size()));
    const char byte = kBytes[arbitrary.choose(sizeof kBytes - 1)];
    const uint32_t kind = arbitrary.choose(3);
    if (kind == 0 || data.empty())
      data.insert(at, 1, byte);
    else if (kind == 1)
      data.erase(at, 1);
    else
      data[at] = byte;
  }
  const std::string json = R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":)" + data + "}";
  nlohmann::json other;
  bool beyond_a_double = false;
  try {
    other = nlohmann::json::parse(json);
  } catch (const nlohmann::json::out_of_range&) {
    beyond_a_double = true;  // 1e999 is JSON all the same, and a Decimal128 may hold it
  } catch (const nlohmann::json::exception&) {
    other = nlohmann::json(nlohmann::json::value_t::discarded);
  }
  Parser parser;
  EventBatch batch;
  const Problems problems = parser.structured(json, {}, batch);
  if (beyond_a_double) {
    RC_ASSERT(problems.empty() == (batch.events().size() == 1));
  } else if (other.is_discarded()) {
    RC_ASSERT(!problems.empty());
    RC_ASSERT(batch.events().empty());
  } else if (problems.empty()) {
    RC_ASSERT(nlohmann::json::parse(rendered(batch.events().back().after)) == other);
  } else {
    // Well-formed, yet refused: for one of these reasons alone.
    const std::string why = describe(problems);
    const bool known = why.find("twice") != std::string::npos || why.find("U+0000") != std::string::npos ||
                       why.find("kept exactly") != std::string::npos ||
                       why.find("attribute") != std::string::npos ||
                       why.find("neither") != std::string::npos || why.find("32 bits") != std::string::npos;
    if (!known) RC_FAIL(why + " in " + json);
  }
}

RC_GTEST_PROP(CloudEventProperty, AnyBsonRendersAsWellFormedJson, (std::vector<uint32_t> choices)) {
  bson::ArbitraryBson arbitrary(std::move(choices));
  const bson::Document document = arbitrary.document();
  if (!nlohmann::json::parse(rendered(document), nullptr, false).is_discarded()) return;
  // That parser refuses numbers beyond a double; ours doesn't, and refuses other things that it names.
  Parser parser;
  EventBatch batch;
  const std::string why = describe(parser.structured(
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":)" + rendered(document) + "}", {},
      batch));
  RC_ASSERT(why.find("JSON") == std::string::npos);
}

RC_GTEST_PROP(CloudEventProperty, NoBytesAtAllBreakTheParser,
              (std::string body, std::string type, std::string value)) {
  Parser parser;
  EventBatch batch;
  const std::vector<std::pair<std::string, std::string>> headers{{"ce-specversion", "1.0"},
                                                                 {"ce-id", value},
                                                                 {"ce-source", "s"},
                                                                 {"ce-type", "t"},
                                                                 {"ce-" + value, body}};
  parser.structured(body, {}, batch);
  parser.batch(body, {}, batch);
  parser.batch("[" + body + "]", {}, batch);
  parser.binary(type, headers, body, {}, batch);
  parser.binary("application/json", headers, body, {}, batch);
  for (const Event& event : batch.events()) RC_ASSERT(bson::View::parse(event.raw.bytes()).has_value());
}

}  // namespace
}  // namespace tidemark::cloudevents
