// openapi.json against the server: every route that answers is described, every answer and every frame has the shape its
// schema says, and no field goes undocumented.
#include "http/openapi.h"

#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "http/testing/server_harness.h"
#include "http/views.h"

namespace tidemark::http::testing {
namespace {

using nlohmann::json;

const json& document() {
  static const json parsed = json::parse(openapi_document());
  return parsed;
}

const json& resolve(const json& node) {
  if (!node.contains("$ref")) return node;
  const auto path = node["$ref"].get<std::string>();
  return resolve(document().at(json::json_pointer(path.substr(1))));
}

bool has_type(const json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

// What part of JSON Schema the document uses; a keyword beyond these fails, so that none is silently without effect.
class Validator {
 public:
  std::vector<std::string> problems;

  void check(const json& value, const json& node, const std::string& where) {
    const json& schema = resolve(node);
    for (const auto& [keyword, argument] : schema.items()) {
      if (!known().contains(keyword)) problems.push_back(where + ": the validator doesn't know " + keyword);
    }
    if (schema.contains("type") && !check_type(value, schema["type"])) {
      problems.push_back(where + ": " + value.dump() + " is no " + schema["type"].dump());
      return;
    }
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
      problems.push_back(where + ": " + value.dump() + " is none of " + schema["enum"].dump());
    if (value.is_number() && schema.contains("minimum") && value < schema["minimum"])
      problems.push_back(where + ": is too small");
    if (value.is_object()) check_object(value, schema, where);
    if (value.is_array()) check_array(value, schema, where);
  }

 private:
  static const std::set<std::string>& known() {
    static const std::set<std::string> keywords = {
        "type",    "description", "properties",  "required",  "additionalProperties",
        "enum",    "items",       "prefixItems", "minItems",  "maxItems",
        "minimum", "maximum",     "default",     "minLength", "format"};
    return keywords;
  }

  static bool check_type(const json& value, const json& types) {
    if (types.is_string()) return has_type(value, types);
    return std::any_of(types.begin(), types.end(), [&](const json& type) { return has_type(value, type); });
  }

  void check_object(const json& value, const json& schema, const std::string& where) {
    if (!schema.contains("properties")) return;
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name)) problems.push_back(where + ": " + name.dump() + " is missing");
    }
    for (const auto& [name, member] : value.items()) {
      if (schema["properties"].contains(name))
        check(member, schema["properties"][name], where + "." + name);
      else if (schema.value("additionalProperties", true) == false)
        problems.push_back(where + "." + name + " is undocumented");
    }
  }

  void check_array(const json& value, const json& schema, const std::string& where) {
    if (value.size() < schema.value("minItems", size_t{0}) ||
        value.size() > schema.value("maxItems", SIZE_MAX))
      problems.push_back(where + ": has a wrong number of items");
    const json prefix = schema.value("prefixItems", json::array());
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string at = where + "[" + std::to_string(i) + "]";
      if (i < prefix.size())
        check(value[i], prefix[i], at);
      else if (schema.contains("items") && schema["items"].is_object())
        check(value[i], schema["items"], at);
    }
  }
};

void expect_fits(const json& value, const std::string& schema) {
  Validator validator;
  validator.check(value, {{"$ref", "#/components/schemas/" + schema}}, schema);
  EXPECT_THAT(validator.problems, ::testing::IsEmpty());
}

// The status and the content type must be described for the route, and the body fit the schema given there.
void expect_described(const std::string& path, const std::string& method, const HttpAnswer& answer) {
  SCOPED_TRACE(method + " " + path + " -> " + std::to_string(answer.status));
  const json& paths = document()["paths"];
  ASSERT_TRUE(paths.contains(path) && paths[path].contains(method));
  const json& responses = paths[path][method]["responses"];
  ASSERT_TRUE(responses.contains(std::to_string(answer.status)));
  const json& response = resolve(responses[std::to_string(answer.status)]);
  if (!response.contains("content")) return;
  const std::string type = answer.headers.at("content-type");
  const std::string media = type.substr(0, type.find(';'));
  ASSERT_TRUE(response["content"].contains(media)) << media;
  const json headers = response.value("headers", json::object());
  for (const auto& [name, header] : headers.items()) {
    std::string lower = name;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_TRUE(answer.headers.contains(lower)) << name;
  }
  if (!media.ends_with("json")) return;
  const json body = json::parse(answer.body, nullptr, false);
  ASSERT_FALSE(body.is_discarded());
  Validator validator;
  validator.check(body, response["content"][media]["schema"], "body");
  EXPECT_THAT(validator.problems, ::testing::IsEmpty());
}

struct Question {
  std::string path;  // as documented
  std::string method;
  std::string target;
  std::string headers = {};
  std::string body = {};
  int status = 200;
};

std::vector<Question> questions() {
  const std::string command(kCommand);
  const std::string events(kEvents);
  return {
      {"/healthz", "get", "/healthz"},
      {"/readyz", "get", "/readyz"},
      {"/metrics", "get", "/metrics"},
      {"/openapi.json", "get", "/openapi.json"},
      {"/api/pipelines", "get", "/api/pipelines"},
      {"/api/pipelines/{name}", "get", "/api/pipelines/process"},
      {"/api/pipelines/{name}", "get", "/api/pipelines/nobody", "", "", 404},
      {"/api/guard", "get", "/api/guard"},
      {"/api/timeline", "get", "/api/timeline"},
      {"/api/timeline", "get", "/api/timeline?after=x", "", "", 400},
      {"/api/dlq", "get", "/api/dlq?limit=1"},
      {"/api/dlq", "get", "/api/dlq?pipeline=process"},
      {"/api/dlq", "get", "/api/dlq?pipeline=nobody", "", "", 404},
      {"/api/dlq", "get", "/api/dlq?limit=501", "", "", 400},
      {"/api/dlq/retry", "post", "/api/dlq/retry", command, R"({"pipeline":"process","id":"a"})"},
      {"/api/dlq/retry", "post", "/api/dlq/retry", command, R"({"pipeline":"process","id":"?"})", 404},
      {"/api/dlq/retry", "post", "/api/dlq/retry", command, "{", 400},
      {"/api/dlq/retry", "post", "/api/dlq/retry", "", "{}", 403},
      {"/api/dlq/retry", "post", "/api/dlq/retry", "X-Tidemark-Request: 1\r\n", "{}", 415},
      {"/api/dlq/discard", "post", "/api/dlq/discard", command, R"({"pipeline":"process","id":"a"})"},
      {"/api/dlq/discard", "post", "/api/dlq/discard", command, std::string(70'000, 'x'), 413},
      {"/api/demo/faults", "get", "/api/demo/faults"},
      {"/api/demo/inflict", "post", "/api/demo/inflict", command, R"({"fault":"step_down"})"},
      {"/api/demo/inflict", "post", "/api/demo/inflict", command, R"({"fault":"?"})", 404},
      {"/events", "post", "/events", events, "{}", 202},
      {"/ws", "get", "/ws", "", "", 426},
      {"/ws", "get", "/ws", "Origin: http://evil.example\r\n", "", 403},
  };
}

TEST(OpenApi, DescribesEveryAnswerOfTheServer) {
  Fixture fixture;
  fixture.backend.with([&] { fixture.backend.buttons = {{"step_down", "Step the primary down"}}; });
  std::set<std::string> asked;
  for (const Question& question : questions()) {
    Client client = fixture.client();
    const HttpAnswer answer = client.ask(question.method == "get" ? "GET" : "POST", question.target,
                                         question.headers, question.body);
    EXPECT_EQ(answer.status, question.status) << question.target << " " << answer.body;
    expect_described(question.path, question.method, answer);
    asked.insert(question.method + " " + question.path);
  }
  // And the other way round: nothing is described that wasn't asked for here. The page's files are web/'s to test.
  for (const auto& [path, item] : document()["paths"].items()) {
    if (path == "/" || path.starts_with("/assets/")) continue;
    for (const auto& [method, operation] : item.items())
      EXPECT_TRUE(asked.contains(method + " " + path)) << path;
  }
}

TEST(OpenApi, DescribesWhatIsRefused) {
  ServerOptions options;
  options.token = "t0ken";
  Fixture fixture(options);
  fixture.backend.with([&] { fixture.backend.views[0].ready = false; });
  for (const Question& question : questions()) {
    if (question.path == "/healthz" || question.status != 200) continue;
    Client client = fixture.client();
    const HttpAnswer answer = client.ask(question.method == "get" ? "GET" : "POST", question.target,
                                         question.headers, question.body);
    EXPECT_EQ(answer.status, 401);
    expect_described(question.path, question.method, answer);
  }
  Client client = fixture.client();
  const HttpAnswer unready = client.ask("GET", "/readyz", "Authorization: Bearer t0ken\r\n");
  EXPECT_EQ(unready.status, 503);
  expect_described("/readyz", "get", unready);
  fixture.inlet->answer_with(
      {.kind = Answer::Kind::kInvalid, .detail = "no", .problems = {{"body", "is empty"}}});
  expect_described("/events", "post", client.ask("POST", "/events", "Authorization: Bearer t0ken\r\n", "{}"));
  fixture.inlet->answer_with({.kind = Answer::Kind::kUnavailable, .detail = "away"});
  expect_described("/events", "post", client.ask("POST", "/events", "Authorization: Bearer t0ken\r\n", "{}"));
}

TEST(OpenApi, DescribesEveryFrame) {
  Fixture fixture({}, 10);
  fixture.feed->push(20);
  WsClient client(fixture.port());
  expect_fits(json::parse(client.next().text), "HelloFrame");
  client.resume("cafe", "observe", 5);
  std::set<std::string> missing = {"status", "stats", "timeline", "gap", "events"};
  const std::map<std::string, std::string> schemas = {{"status", "StatusFrame"},
                                                      {"stats", "StatsFrame"},
                                                      {"timeline", "TimelineFrame"},
                                                      {"gap", "GapFrame"},
                                                      {"events", "EventsFrame"}};
  while (!missing.empty()) {
    const WsFrame frame = client.next();
    ASSERT_EQ(frame.opcode, 1);
    const json body = json::parse(frame.text);
    const auto type = body["type"].get<std::string>();
    ASSERT_TRUE(schemas.contains(type)) << type;
    expect_fits(body, schemas.at(type));
    missing.erase(type);
  }
}

TEST(OpenApi, DescribesWhatAWebhookPosts) {
  ASSERT_TRUE(document()["webhooks"]["alert"]["post"].contains("requestBody"));
  for (const guard::AlertView& alert : full_guard().alerts)
    expect_fits(json::parse(render_notice(alert)), "Notice");
}

TEST(OpenApi, TheValidatorSeesWhatIsWrong) {
  const auto problems = [](const json& value, const char* schema) {
    Validator validator;
    validator.check(value, {{"$ref", std::string("#/components/schemas/") + schema}}, "x");
    return validator.problems.size();
  };
  EXPECT_EQ(problems({{"done", true}}, "Done"), 0u);
  EXPECT_EQ(problems({{"done", "yes"}}, "Done"), 1u);
  EXPECT_EQ(problems(json::object(), "Done"), 1u);
  EXPECT_EQ(problems({{"done", true}, {"more", 1}}, "Done"), 1u);
  EXPECT_EQ(problems({{"status", "bad"}}, "Health"), 1u);
}

}  // namespace
}  // namespace tidemark::http::testing
