#include "cloudevents/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"

namespace tidemark::cloudevents {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CloudEvents : public ::testing::Test {
 protected:
  Problems structured(const std::string& json) { return parser_.structured(json, {kReceivedMs, 2}, batch_); }
  Problems batch(const std::string& json) { return parser_.batch(json, {kReceivedMs, 0}, batch_); }
  Problems binary(const std::string& content_type, std::vector<std::pair<std::string, std::string>> headers,
                  const std::string& body) {
    return parser_.binary(content_type, headers, body, {kReceivedMs, 0}, batch_);
  }
  // The problems of one event whose members beside the required ones are `members`.
  std::string with(const std::string& members) {
    return describe(structured(R"({"specversion":"1.0","id":"1","source":"/s","type":"t",)" + members + "}"));
  }
  static std::vector<std::string> wheres(const Problems& problems) {
    std::vector<std::string> names;
    for (const auto& problem : problems) names.push_back(problem.where);
    return names;
  }
  const Event& last() const { return batch_.events().back(); }
  std::string document() const { return bson::to_json(last().after, bson::JsonMode::kRelaxed); }

  static constexpr int64_t kReceivedMs = 1'700'000'000'123;
  static constexpr const char* kMinimal = R"({"specversion":"1.0","id":"1","source":"/s","type":"t"})";
  Parser parser_;
  EventBatch batch_;
};

// The example of the JSON format's section 3.2.
constexpr const char* kExample = R"({
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "C234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/json",
    "data" : {
        "appinfoA" : "abc",
        "appinfoB" : 123,
        "appinfoC" : true
    }
})";

TEST_F(CloudEvents, AStructuredEventBecomesAnInsertThatCarriesItTwice) {
  ASSERT_EQ(describe(structured(std::string("\n ") + kExample + " \n")), "");
  ASSERT_EQ(batch_.events().size(), 1u);
  const Event& event = last();
  EXPECT_EQ(event.id, "/mycontext C234-1234-1234");
  EXPECT_EQ(event.op, Op::kInsert);
  EXPECT_EQ(event.ns, (Namespace{"cloudevents", "events"}));
  EXPECT_EQ(bson::to_json(event.key), R"({"_id":"/mycontext C234-1234-1234"})");
  EXPECT_EQ(event.payload, kExample);
  EXPECT_EQ(event.wall_time_ms, kReceivedMs);
  EXPECT_EQ(event.attempts, 2);
  EXPECT_FALSE(event.malformed);
  EXPECT_TRUE(event.reject_reason.empty());
  EXPECT_EQ(
      document(),
      R"({"specversion":"1.0","type":"com.example.someevent","source":"/mycontext","id":"C234-1234-1234",)"
      R"("time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,)"
      R"("datacontenttype":"application/json","data":{"appinfoA":"abc","appinfoB":123,"appinfoC":true}})");
  EXPECT_EQ(event.raw.find_path("fullDocument")->document(), event.after);
  EXPECT_EQ(event.raw.find_path("documentKey")->document(), event.key);
}

TEST_F(CloudEvents, ABatchGivesEachEventItsOwnSliceOfTheText) {
  const std::string second = R"({"id":"2","source":"s","type":"t","specversion":"1.0","data":[1,{"a":[]}]})";
  ASSERT_EQ(describe(batch(std::string(" [ ") + kMinimal + " ,\n" + second + " ]")), "");
  ASSERT_EQ(batch_.events().size(), 2u);
  EXPECT_EQ(batch_.events()[0].payload, kMinimal);
  EXPECT_EQ(batch_.events()[1].payload, second);
  EXPECT_EQ(batch_.events()[1].id, "s 2");
}

TEST_F(CloudEvents, AnEmptyBatchIsWellFormed) {
  EXPECT_THAT(batch("[]"), IsEmpty());
  EXPECT_THAT(batch_.events(), IsEmpty());
}

TEST_F(CloudEvents, ABatchWithOneBadEventGivesNoneAndNamesEveryField) {
  ASSERT_THAT(structured(kMinimal), IsEmpty());
  const auto problems =
      batch(std::string("[") + kMinimal + R"(,{"source":"/s","type":"","specversion":"0.3"},)" +
            R"({"specversion":"1.0","id":7,"source":"a b","type":"t"}])");
  EXPECT_THAT(wheres(problems), ElementsAre("events[1].type", "events[1].specversion", "events[1].id",
                                            "events[2].id", "events[2].source"));
  EXPECT_EQ(problems[2].what, "is missing");
  EXPECT_EQ(batch_.events().size(), 1u);
}

TEST_F(CloudEvents, ProblemsAreBounded) {
  std::string json = "[{}";
  for (int i = 0; i < 100; ++i) json += ",{}";
  EXPECT_EQ(batch(json + "]").size(), Answer::kProblemsMax);
}

TEST_F(CloudEvents, EveryRequiredAttributeIsDemanded) {
  EXPECT_THAT(wheres(structured("{}")), ElementsAre("specversion", "id", "source", "type"));
  // null counts as absent.
  EXPECT_THAT(wheres(structured(R"({"specversion":"1.0","id":null,"source":"/s","type":"t"})")),
              ElementsAre("id"));
}

TEST_F(CloudEvents, AttributesFollowTheirTypes) {
  EXPECT_EQ(with(R"("time":"2024-02-29T23:59:60.123456789+05:30")"), "");
  EXPECT_THAT(with(R"("time":"2023-02-29T00:00:00Z")"), HasSubstr("time is not a time in RFC 3339"));
  EXPECT_THAT(with(R"("time":"2023-02-28 00:00:00Z")"), HasSubstr("time is not"));
  EXPECT_THAT(with(R"("time":"2023-02-28T00:00:00")"), HasSubstr("time is not"));
  EXPECT_THAT(with(R"("time":1700000000)"), HasSubstr("time is not a string"));
  EXPECT_EQ(with(R"("datacontenttype":"text/plain; charset=\"utf-8\"")"), "");
  EXPECT_THAT(with(R"("datacontenttype":"nonsense")"), HasSubstr("datacontenttype is not a media type"));
  EXPECT_EQ(with(R"("dataschema":"https://example.com/schema#1")"), "");
  EXPECT_THAT(with(R"("dataschema":"/relative")"), HasSubstr("dataschema is not an absolute URI"));
  EXPECT_THAT(with(R"("subject":"")"), HasSubstr("subject is empty"));
  EXPECT_EQ(with(R"("ext":-2147483648)"), "");
  EXPECT_EQ(with(R"("ext":0)"), "");
  EXPECT_THAT(with(R"("ext":2147483648)"), HasSubstr("ext is not an integer of 32 bits"));
  EXPECT_THAT(with(R"("ext":0.5)"), HasSubstr("ext is not an integer of 32 bits"));
  EXPECT_THAT(with(R"("ext":{})"), HasSubstr("ext is neither"));
  EXPECT_THAT(with(R"("ext":[1,2])"), HasSubstr("ext is neither"));
  EXPECT_THAT(with(R"("Ext":1)"), HasSubstr("Ext is not an attribute name"));
  EXPECT_THAT(with(R"("":1)"), HasSubstr("\"\" is not an attribute name"));
  EXPECT_THAT(with(R"("ext":"a\u0007")"), HasSubstr("ext has a control character"));
  EXPECT_THAT(with(R"("ext":"\u0085")"), HasSubstr("ext has a control character"));
  EXPECT_THAT(with(R"("ext":"\uffff")"), HasSubstr("ext has a code point that is no character"));
  EXPECT_EQ(with(R"("ext":"\ud83d\ude00")"), "");
  EXPECT_EQ(with(R"("data_base64":"AAEC/w==")"), "");
  EXPECT_THAT(with(R"("data_base64":"AAE")"), HasSubstr("data_base64 is not base64"));
  EXPECT_THAT(with(R"("data_base64":"A=BC")"), HasSubstr("data_base64 is not base64"));
  EXPECT_THAT(with(R"("data":1,"data_base64":"AAEC")"), HasSubstr("one of the two"));
}

TEST_F(CloudEvents, IdentitiesAreBounded) {
  const auto event = [](const std::string& id, const std::string& source) {
    return R"({"specversion":"1.0","type":"t","id":")" + id + R"(","source":")" + source + "\"}";
  };
  EXPECT_THAT(structured(event(std::string(1024, 'i'), std::string(1024, 's'))), IsEmpty());
  EXPECT_THAT(wheres(structured(event(std::string(1025, 'i'), std::string(1025, 's')))),
              ElementsAre("id", "source"));
  EXPECT_THAT(wheres(structured(event("1", "/a%2"))), ElementsAre("source"));
  EXPECT_THAT(wheres(structured(event("1", "/a\\u0020"))), ElementsAre("source"));
}

TEST_F(CloudEvents, DataIsPlainJsonNotExtended) {
  ASSERT_EQ(with(R"("data":{"a":{"$numberLong":"5"},"b":9223372036854775807,"c":9223372036854775808,)"
                 R"("d":1.0,"e":-0.0,"f":1e3,"":null,"x.y":"\u0000","g":-9223372036854775808,)"
                 R"("h":123456789012345678901234567890})"),
            "");
  EXPECT_EQ(
      bson::to_json(last().after.find("data")->document()),
      // A literal document, which its text tells apart from a number.
      R"({"a":{"$bson":{"type":"03","base64":"GAAAAAIkbnVtYmVyTG9uZwACAAAANQAA"}},"b":{"$numberLong":"9223372036854775807"},)"
      R"("c":{"$numberDecimal":"9223372036854775808"},"d":{"$numberDouble":"1.0"},)"
      R"("e":{"$numberDouble":"-0.0"},"f":{"$numberDouble":"1000.0"},"":null,"x.y":"\u0000",)"
      R"("g":{"$numberLong":"-9223372036854775808"},"h":{"$numberDecimal":"123456789012345678901234567890"}})");
  EXPECT_EQ(with(R"("data":null)"), "");
  EXPECT_TRUE(last().after.find("data")->is_null());
  EXPECT_EQ(with(R"("data":"text")"), "");
}

TEST_F(CloudEvents, NumbersThatADoubleWouldChangeAreKeptAsTheyAre) {
  const std::string data =
      R"({"a":18446744073709551615,"b":[12345678901234567890.5 ,1e309],"c":0.1e400,"d":1})";
  const std::string kept =
      R"({"a":{"$numberDecimal":"18446744073709551615"},"b":[{"$numberDecimal":"12345678901234567890.5"},)"
      R"({"$numberDecimal":"1E+309"}],"c":{"$numberDecimal":"1E+399"},"d":{"$numberLong":"1"}})";
  const auto data_of_last = [this] { return bson::to_json(last().after.find("data")->document()); };
  ASSERT_EQ(with("\"data\":" + data + R"(,"ext":"e")"), "");
  EXPECT_EQ(data_of_last(), kept);
  EXPECT_EQ(last().after.find("ext")->string(), "e") << "what stands behind such a number";
  ASSERT_EQ(describe(batch(R"([{"specversion":"1.0","id":"1","source":"/s","type":"t","data":)" + data +
                           "}, " + kMinimal + "]")),
            "");
  EXPECT_EQ(bson::to_json(batch_.events()[batch_.events().size() - 2].after.find("data")->document()), kept);
  ASSERT_EQ(describe(binary(
                "application/json",
                {{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "t"}}, data)),
            "");
  EXPECT_EQ(data_of_last(), kept);
  ASSERT_EQ(with(R"("data":1e309)"), "");
  EXPECT_EQ(last().after.find("data")->type(), BSON_TYPE_DECIMAL128);
}

TEST_F(CloudEvents, HostileJsonIsRefusedWithItsPlace) {
  EXPECT_THAT(with(R"("data":{"a":[0,{"b":1,"b":2}]})"), HasSubstr("data.a[1].b is there twice"));
  EXPECT_THAT(with(R"("id":"2")"), HasSubstr("id is there twice"));
  EXPECT_THAT(with(R"("ext":null,"ext":null)"), HasSubstr("ext is there twice"));
  EXPECT_THAT(with(R"("data":{"a\u0000b":1})"), HasSubstr("data has a name with U+0000"));
  EXPECT_THAT(with(R"("data":[1,1e7000])"), HasSubstr("data[1] is a number that can't be kept exactly"));
  EXPECT_THAT(with(R"("data":{"n":12345678901234567890123456789012345678901})"),
              HasSubstr("data.n is a number that can't be kept exactly"));
  EXPECT_THAT(with(R"("data":"\ud800")"), HasSubstr("body is not well-formed JSON"));
  EXPECT_THAT(with(R"("data":01)"), HasSubstr("body is not well-formed JSON"));
  EXPECT_THAT(with(R"("data":nul)"), HasSubstr("body is not well-formed JSON"));
  EXPECT_THAT(with("\"data\":\"\xc3\x28\""), HasSubstr("body is not JSON: it is not UTF-8"));
  EXPECT_THAT(describe(structured("")), HasSubstr("body is not JSON: it is empty"));
  EXPECT_THAT(describe(structured("[]")), HasSubstr("body is not a JSON object"));
  EXPECT_THAT(describe(structured("7")), HasSubstr("body is not a JSON object"));
  EXPECT_THAT(describe(batch(kMinimal)), HasSubstr("body is not a JSON array"));
  EXPECT_THAT(describe(batch("[7]")), HasSubstr("events[0] is not a JSON object"));
  EXPECT_THAT(describe(structured(std::string(kMinimal) + kMinimal)),
              HasSubstr("body has more after the event"));
  EXPECT_THAT(describe(batch("[]]")), HasSubstr("body "));
  EXPECT_THAT(describe(batch(std::string("[") + kMinimal + "],[]")), HasSubstr("body "));
  for (const char* text :
       {"{",     "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}",
        "{1:2}", "[",      "[{",      "[{}",      "[{},",      "[{},]",      "[,]",
        "\"",    "\\",     "}",       "]",        "{]",        "[}",         "\xef\xbb\xbf{}"}) {
    EXPECT_FALSE(structured(text).empty()) << text;
    EXPECT_FALSE(batch(text).empty()) << text;
  }
  EXPECT_THAT(batch_.events(), IsEmpty());
}

TEST_F(CloudEvents, DepthIsBounded) {
  const auto nested = [this](size_t levels) {
    return with("\"data\":" + std::string(levels, '[') + std::string(levels, ']'));
  };
  EXPECT_EQ(nested(kDepthMax - 1), "");
  EXPECT_THAT(nested(kDepthMax), HasSubstr("is nested deeper than 100 levels"));
  EXPECT_THAT(nested(100'000), HasSubstr("is nested deeper than 100 levels"));
}

TEST_F(CloudEvents, SizesAreBounded) {
  Limits limits;
  limits.event_bytes_max = 100;
  limits.body_bytes_max = 300;
  limits.events_max = 3;
  limits.bson_bytes_max = 120;
  Parser parser(limits);
  const std::string two = std::string(kMinimal) + "," + kMinimal;
  EXPECT_THAT(parser.batch("[" + two + "]", {}, batch_), IsEmpty());
  EXPECT_THAT(describe(parser.batch("[" + two + "," + two + "]", {}, batch_)),
              HasSubstr("more than 3 events"));
  EXPECT_THAT(describe(parser.batch("[" + two + std::string(200, ' ') + "]", {}, batch_)),
              HasSubstr("body is larger than 300"));
  const std::string large =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","ext":")" + std::string(50, 'x') + "\"}";
  EXPECT_THAT(describe(parser.structured(large, {}, batch_)), HasSubstr("body is larger than 100"));
  EXPECT_THAT(describe(parser.batch("[" + large + "]", {}, batch_)),
              HasSubstr("events[0] is larger than 100"));
  // Small as text, large as BSON.
  const std::string dense =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":[1,1,1,1,1,1,1,1,1,1,1]})";
  EXPECT_THAT(describe(parser.structured(dense, {}, batch_)), HasSubstr("as BSON"));
  EXPECT_EQ(batch_.events().size(), 2u);
}

TEST_F(CloudEvents, AnObjectWithManyNamesIsCheckedQuickly) {
  std::string data = "{";
  for (int i = 0; i < 50'000; ++i) data += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(with("\"data\":" + data + "\"last\":1}"), "");
  EXPECT_THAT(with("\"data\":" + data + "\"k17\":1}"), HasSubstr("data.k17 is there twice"));
}

TEST_F(CloudEvents, TheParserServesAgainAfterAFailure) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(structured(R"({"data":{"a":[{"b":)").empty());
    EXPECT_FALSE(with(R"("data":{"a":{"b":1,"b":2}})").empty());
    EXPECT_THAT(structured(kMinimal), IsEmpty());
  }
}

TEST_F(CloudEvents, BinaryModeIsPutTogetherAsStructured) {
  ASSERT_EQ(describe(binary("application/json; charset=utf-8",
                            {{"ce-specversion", "1.0"},
                             {"ce-type", "com.example.someevent"},
                             {"ce-time", "2018-04-05T03:56:24Z"},
                             {"ce-id", "1234-1234-1234"},
                             {"ce-source", "/mycontext/subcontext"},
                             {"x-other", "passed over"},
                             {"ce-ext", "Euro%20%E2%82%AC%20%F0%9F%98%80"},
                             {"ce-old", R"("quoted \"text\"")"}},
                            R"( {"a": 1} )")),
            "");
  EXPECT_EQ(last().id, "/mycontext/subcontext 1234-1234-1234");
  EXPECT_EQ(document(),
            R"({"specversion":"1.0","type":"com.example.someevent","time":"2018-04-05T03:56:24Z",)"
            R"("id":"1234-1234-1234","source":"/mycontext/subcontext","ext":"Euro € 😀",)"
            R"("old":"quoted \"text\"","datacontenttype":"application/json; charset=utf-8","data":{"a":1}})");
  // The payload is the same event in structured JSON.
  const std::string payload(last().payload);
  const bson::Document first(last().after);
  ASSERT_EQ(describe(structured(payload)), "");
  EXPECT_EQ(last().after, first.view());
}

class BinaryBodies : public CloudEvents {
 protected:
  std::string of(const std::string& content_type, const std::string& body) {
    const auto problems =
        binary(content_type,
               {{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "s"}, {"ce-type", "t"}}, body);
    if (!problems.empty()) return describe(problems);
    std::string json = document();
    const size_t data = json.find("\"data");
    return data == std::string::npos ? "no data" : json.substr(data, json.size() - data - 1);
  }
};

TEST_F(BinaryBodies, BecomeDataByTheirContentType) {
  EXPECT_EQ(of("text/plain", "caf\xc3\xa9 \""), R"("datacontenttype":"text/plain","data":"café \"")");
  EXPECT_EQ(of("text/plain", "\xff"), R"("datacontenttype":"text/plain","data_base64":"/w==")");
  EXPECT_EQ(of("text/plain; charset=latin1", "a"),
            R"("datacontenttype":"text/plain; charset=latin1","data_base64":"YQ==")");
  EXPECT_EQ(of("application/octet-stream", std::string("\0\1\2\3", 4)),
            R"("datacontenttype":"application/octet-stream","data_base64":"AAECAw==")");
  EXPECT_EQ(of("application/vnd.x+json", "7"), R"("datacontenttype":"application/vnd.x+json","data":7)");
  EXPECT_EQ(of("", ""), "no data");
  EXPECT_EQ(of("", "7"), R"("data_base64":"Nw==")");
}

TEST_F(BinaryBodies, CantSmuggleAttributesIn) {
  EXPECT_THAT(of("application/json", R"(1,"subject":"forged")"), HasSubstr("body is not"));
  EXPECT_THAT(of("application/json", R"(1],"subject":["forged")"), HasSubstr("body is not"));
  EXPECT_THAT(of("application/json", "1,2"), HasSubstr("body is not one JSON value"));
  EXPECT_THAT(of("application/json", " "), HasSubstr("body is not one JSON value"));
  EXPECT_THAT(of("application/json", R"({"a":[1,{"b":1,"b":1}]})"), HasSubstr("body.a[1].b is there twice"));
}

TEST_F(CloudEvents, BinaryModeNamesTheHeaders) {
  EXPECT_THAT(
      wheres(binary("not a type", {{"ce-specversion", "1.0"}, {"ce-id", ""}, {"ce-source", "%20"}}, "")),
      ElementsAre("ce-id", "ce-source", "content-type", "ce-type"));
  EXPECT_THAT(
      wheres(binary(
          "", {{"ce-id", "%zz"}, {"ce-ext", "%ff"}, {"ce-data", "x"}, {"ce-datacontenttype", "a/b"}}, "")),
      ElementsAre("ce-id", "ce-ext", "ce-data", "ce-datacontenttype"));
  EXPECT_THAT(
      wheres(binary(
          "",
          {{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-id", "2"}, {"ce-source", "s"}, {"ce-type", "t"}},
          "")),
      ElementsAre("ce-id"));
}

TEST(CloudEventForms, FollowTheContentType) {
  EXPECT_EQ(form_of("application/cloudevents+json", false), Form::kStructured);
  EXPECT_EQ(form_of("Application/CloudEvents+JSON ; charset=\"UTF-8\"", true), Form::kStructured);
  EXPECT_EQ(form_of("application/cloudevents-batch+json", false), Form::kBatch);
  EXPECT_EQ(form_of("application/cloudevents+avro", true), std::nullopt);
  EXPECT_EQ(form_of("application/cloudevents+json; charset=utf-16", false), std::nullopt);
  EXPECT_EQ(form_of("application/json", true), Form::kBinary);
  EXPECT_EQ(form_of("", true), Form::kBinary);
  EXPECT_EQ(form_of("application/json", false), std::nullopt);
  EXPECT_EQ(form_of("", false), std::nullopt);
}

TEST(MalformedMessages, KeepTheirBytesAndSayWhy) {
  EventBatch batch;
  const Event& text =
      append_malformed("id", "{nonsense", "application/json", "it is no event", {5, 1}, batch);
  EXPECT_TRUE(text.malformed);
  EXPECT_EQ(text.id, "id");
  EXPECT_EQ(text.payload, "{nonsense");
  EXPECT_EQ(text.reject_reason, "it is no event");
  EXPECT_EQ(text.attempts, 1);
  EXPECT_EQ(bson::to_json(text.after), R"({"body":"{nonsense","contentType":"application/json"})");
  const Event& bytes = append_malformed("id", std::string("\xff\0", 2), "\xff", "", {}, batch);
  EXPECT_EQ(bytes.payload, std::string("\xff\0", 2));
  EXPECT_EQ(bson::to_json(bytes.after), R"({"body":"/wA=","contentType":""})");
  EXPECT_FALSE(bytes.reject_reason.empty());
}

}  // namespace
}  // namespace tidemark::cloudevents
