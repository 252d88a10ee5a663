// The parts that know no socket: addresses, requests, options, who may ask, a client's place in a feed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/value.h"
#include "http/follower.h"
#include "http/guard.h"
#include "http/testing/server_harness.h"
#include "http/views.h"

namespace tidemark::http {
namespace {

using testing::FakeFeed;

TEST(Url, TakesAServerAndNothingBehindIt) {
  const auto url = parse_url("http://127.0.0.1:8322/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 8322);
  EXPECT_EQ(parse_url("https://tidemark.example")->port, 443);
  EXPECT_EQ(parse_url("http://[::1]:80")->authority(), "[::1]:80");
  for (const char* bad : {"", "127.0.0.1:1", "ftp://a:1", "http://", "http://a:0", "http://a:99999",
                          "http://a/b", "http://u@a", "http://a:1:2", "http://[::1", "http://a b"})
    EXPECT_FALSE(parse_url(bad)) << bad;
}

TEST(Url, AnEndpointHasAPathAndKeepsItOutOfTheServersName) {
  const auto hook = parse_endpoint("http://[::1]:81/a/b?c=1");
  ASSERT_TRUE(hook);
  EXPECT_EQ(hook->server.authority(), "[::1]:81");
  EXPECT_EQ(hook->server.text, "http://[::1]:81");
  EXPECT_EQ(hook->target, "/a/b?c=1");
  EXPECT_EQ(parse_endpoint("https://h")->target, "/");
  EXPECT_EQ(parse_endpoint("https://h?x")->target, "/?x");
  for (const char* bad : {"", "h/x", "ftp://h/x", "http://", "http:///x", "http://h/ x", "http://u:p@h/x",
                          "http://h/#x", "http://h/\r\nX: y", "http://h:0/x"})
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
}

TEST(Request, DecodesAQueryAndRefusesABrokenOne) {
  const auto fields = parse_query("pipeline=p&after=a%2Fb+c&&limit=");
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->at("after"), "a/b c");
  EXPECT_EQ(fields->at("limit"), "");
  for (const char* bad : {"a=%", "a=%1", "a=%zz", "a=1&a=2"}) EXPECT_FALSE(parse_query(bad)) << bad;
}

TEST(Request, DecodesBase64OfUrls) {
  EXPECT_EQ(decode_base64url("c2VjcmV0LXRva2Vu"), "secret-token");
  EXPECT_EQ(decode_base64url("_-8="), "\xff\xef");
  EXPECT_EQ(decode_base64url("_-8"), "\xff\xef");
  for (const char* bad : {"a", "a+b=", "ab/c", "ä"}) EXPECT_FALSE(decode_base64url(bad)) << bad;
}

TEST(Request, TheMediaTypeIsInLowerCaseWithoutParameters) {
  Request request;
  request.headers = {{"content-type", " Application/JSON ; charset=utf-8"}};
  EXPECT_EQ(request.media_type(), "application/json");
}

// --- options

class Files final : public FileSystem {
 public:
  std::map<std::string, std::string> content;
  Result<std::string> read_file(const std::string& path, uint64_t) override {
    if (!content.contains(path)) return fail(React::kConfig, path + ": no such file");
    return content[path];
  }
  Result<bool> exists(const std::string& path) override { return content.contains(path); }
  Status replace_file(const std::string&, std::string_view) override { return {}; }
  Result<std::unique_ptr<AppendFile>> open_append(const std::string&) override { return nullptr; }
  Status rename(const std::string&, const std::string&) override { return {}; }
  Status remove(const std::string&) override { return {}; }
  Result<std::vector<std::string>> list(const std::string&) override { return std::vector<std::string>(); }
  Result<std::unique_ptr<FileLock>> lock(const std::string&) override { return nullptr; }
};

// What the parser makes of a table that has these fields alone: the defaults of the others are in place.
config::Settings settings_with(std::map<std::string, config::Settings::Value> given) {
  config::Settings settings;
  settings.set("listen", std::string("127.0.0.1:8321"));
  for (const config::FieldSpec& field : server_spec().fields) {
    if (field.type == config::FieldType::kBytes) settings.set(field.name, int64_t{1} << 20);
    if (field.type == config::FieldType::kDuration) settings.set(field.name, int64_t{1000});
    if (field.type == config::FieldType::kInteger) settings.set(field.name, int64_t{10});
  }
  for (auto& [name, value] : given) settings.set(name, std::move(value));
  return settings;
}

using Given = std::map<std::string, config::Settings::Value>;

std::string error_of(Given given) {
  Files files;
  const auto options = server_options(settings_with(std::move(given)), files);
  if (options) return {};
  EXPECT_EQ(options.error().react, React::kConfig);
  return options.error().what;
}

TEST(ServerOptions, LoopbackNeedsNothing) {
  EXPECT_EQ(error_of({}), "");
  EXPECT_EQ(error_of({{"listen", "localhost:0"}}), "");
  EXPECT_EQ(error_of({{"listen", "[::1]:1"}}), "");
}

TEST(ServerOptions, BeyondThisMachineATokenAndTlsAreDemanded) {
  EXPECT_THAT(error_of({{"listen", "0.0.0.0:8321"}}), ::testing::StartsWith("token: is missing"));
  EXPECT_THAT(error_of({{"listen", "0.0.0.0:8321"}, {"insecure", true}}),
              ::testing::StartsWith("token: is missing"));
  EXPECT_THAT(error_of({{"listen", "[::]:8321"}, {"token", "t0ken"}}),
              ::testing::HasSubstr("there is no TLS"));
  EXPECT_EQ(error_of({{"listen", "10.0.0.1:8321"}, {"token", "t0ken"}, {"insecure", true}}), "");
}

TEST(ServerOptions, EachMistakeNamesItsFieldAndNoSecret) {
  const auto field_of = [](Given given) {
    const std::string what = error_of(std::move(given));
    EXPECT_EQ(what.find("s3cret"), std::string::npos) << what;
    return what.substr(0, what.find(':'));
  };
  EXPECT_EQ(field_of({{"listen", "8321"}}), "listen");
  EXPECT_EQ(field_of({{"listen", "example.com:80"}}), "listen");
  EXPECT_EQ(field_of({{"listen", "127.0.0.1:70000"}}), "listen");
  EXPECT_EQ(field_of({{"token", "s3cret with spaces"}}), "token");
  EXPECT_EQ(field_of({{"peer_token", "s3cret\n"}}), "peer_token");
  EXPECT_EQ(field_of({{"tls_certificate", "x.pem"}}), "tls_key");
  EXPECT_EQ(field_of({{"tls_key", "x.pem"}}), "tls_certificate");
  EXPECT_EQ(field_of({{"tls_certificate", "x.pem"}, {"tls_key", "x.pem"}}), "tls_certificate");
  EXPECT_EQ(field_of({{"allowed_origins", std::vector<std::string>{"https://a/b"}}}), "allowed_origins");
  EXPECT_EQ(field_of({{"peers", std::vector<std::string>{"127.0.0.1:1"}}}), "peers");
  EXPECT_EQ(field_of({{"body_bytes_max", int64_t{8} << 20}}), "bodies_bytes_max");
}

TEST(ServerOptions, EveryDefaultIsAValueOfItsField) {
  for (const config::FieldSpec& field : server_spec().fields) {
    EXPECT_FALSE(field.doc.empty()) << field.name;
    if (!field.default_text.empty()) {
      EXPECT_TRUE(config::value_from_text(field, field.default_text)) << field.name;
    }
    EXPECT_EQ(field.secret, field.name.ends_with("token")) << field.name;
  }
}

// --- who may ask

Request request_with(std::vector<std::pair<std::string, std::string>> headers) {
  Request request;
  request.headers = std::move(headers);
  return request;
}

int status_of(const std::optional<Response>& refusal) { return refusal ? refusal->status : 200; }

TEST(Guard, WithoutATokenOnlyThisMachinesNamesAreAnswered) {
  ServerOptions options;
  const auto asked = [&](const char* host) {
    return status_of(Guard(options).check_host(request_with({{"host", host}})));
  };
  for (const char* host : {"127.0.0.1:8321", "localhost", "LOCALHOST:1", "[::1]:8321", "127.1.2.3"})
    EXPECT_EQ(asked(host), 200) << host;
  for (const char* host : {"evil.example:8321", "127.0.0.1.evil.example", "localhost.evil.example"})
    EXPECT_EQ(asked(host), 421) << host;
  for (const char* host : {"", "a b", "127.0.0.1:99999", "[::1"}) EXPECT_EQ(asked(host), 400) << host;
  options.token = "t0ken";
  EXPECT_EQ(asked("tidemark.example"), 200);
}

TEST(Guard, TwoHostsAreNoHost) {
  const Guard guard{ServerOptions()};
  EXPECT_EQ(status_of(guard.check_host(request_with({{"host", "localhost"}, {"host", "localhost"}}))), 400);
  EXPECT_EQ(status_of(guard.check_host(request_with({}))), 400);
}

TEST(Guard, TheTokenMustBeTheWholeToken) {
  ServerOptions options;
  options.token = "t0ken";
  const Guard guard(options);
  const auto asked = [&](const char* value) {
    return status_of(guard.check_token(request_with({{"authorization", value}})));
  };
  EXPECT_EQ(asked("Bearer t0ken"), 200);
  EXPECT_EQ(asked("bearer t0ken"), 200);
  for (const char* wrong : {"Bearer t0ke", "Bearer t0kenn", "Bearer ", "t0ken", "Basic t0ken", ""})
    EXPECT_EQ(asked(wrong), 401) << wrong;
  EXPECT_EQ(status_of(guard.check_token(request_with({}))), 401);
}

TEST(Guard, APageOfAnotherOriginIsRefused) {
  ServerOptions options;
  options.allowed_origins = {"https://tidemark.example"};
  const Guard guard(options);
  const auto asked = [&](const char* origin) {
    return status_of(guard.check_origin(request_with({{"host", "localhost:8321"}, {"origin", origin}})));
  };
  EXPECT_EQ(asked("http://localhost:8321"), 200);
  EXPECT_EQ(asked("https://Tidemark.example"), 200);
  for (const char* wrong :
       {"https://localhost:8321", "http://localhost:8322", "http://evil.example", "null", ""})
    EXPECT_EQ(asked(wrong), 403) << wrong;
  EXPECT_EQ(status_of(guard.check_origin(request_with({}))), 200);
}

TEST(Guard, AWebSocketTakesTheTokenAsASubprotocol) {
  ServerOptions options;
  options.token = "secret-token";
  const Guard guard(options);
  const auto asked = [&](const char* protocols) {
    return status_of(guard.check_websocket(request_with({{"sec-websocket-protocol", protocols}})));
  };
  EXPECT_EQ(asked("tidemark.v1, bearer.c2VjcmV0LXRva2Vu"), 200);
  EXPECT_EQ(asked("tidemark.v1"), 401);
  EXPECT_EQ(asked("tidemark.v1, bearer.c2VjcmV0LXRva2V1"), 401);
  EXPECT_EQ(asked("tidemark.v1, bearer.***"), 401);
  EXPECT_EQ(asked("bearer.c2VjcmV0LXRva2Vu"), 400);
}

// --- a client's place in a feed

uint64_t first_seq(const std::string& frame) {
  const auto json = nlohmann::json::parse(frame);
  return json["items"].front()["seq"].get<uint64_t>();
}

TEST(Follower, BeginsWithTheNewestTwoHundred) {
  const auto feed = std::make_shared<FakeFeed>("observe", 1000);
  feed->push(500);
  Follower follower(feed);
  EXPECT_FALSE(follower.next());
  follower.start();
  const auto frame = follower.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(first_seq(frame->text), 301u);
  EXPECT_FALSE(follower.next());
}

TEST(Follower, ResumesWhereItWasAndSaysWhatHasGone) {
  const auto feed = std::make_shared<FakeFeed>("observe", 100);
  feed->push(500);
  Follower follower(feed);
  follower.resume(350);
  auto frame = follower.next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->text, R"({"type":"gap","feed":"observe","after":350,"missed":50})");
  EXPECT_EQ(frame->missed, 50u);
  EXPECT_EQ(first_seq(follower.next()->text), 401u);
}

TEST(Follower, APlaceAheadOfTheFeedIsItsEnd) {
  const auto feed = std::make_shared<FakeFeed>("observe", 100);
  feed->push(5);
  Follower follower(feed);
  follower.resume(1000);
  EXPECT_FALSE(follower.next());
  feed->push(1);
  EXPECT_EQ(first_seq(follower.next()->text), 6u);
}

TEST(Follower, AFrameIsBoundedInItemsAndInBytes) {
  const auto feed = std::make_shared<FakeFeed>("observe", 2000);
  feed->push(1200);
  Follower follower(feed);
  follower.resume(0);
  EXPECT_EQ(nlohmann::json::parse(follower.next()->text)["items"].size(), Follower::kFrameItemsMax);
  const auto large = std::make_shared<FakeFeed>("observe", 2000);
  large->push(20, 100'000);
  Follower other(large);
  other.resume(0);
  EXPECT_LE(other.next()->text.size(), Follower::kFrameBytesMax + 4096);
}

// --- JSON

TEST(Views, AnItemIsItsEventWithItsNumber) {
  const std::vector<FeedItem> items = {{7, std::make_shared<const std::string>(R"({"id":"a"})")},
                                       {8, std::make_shared<const std::string>("{}")}};
  EXPECT_EQ(render_events_frame("ob\"s", items),
            R"({"type":"events","feed":"ob\"s","items":[{"seq":7,"id":"a"},{"seq":8}]})");
}

TEST(Views, BytesThatAreNoTextDoNotBreakTheJson) {
  PipelineView view;
  view.error = "bad \xff byte";
  EXPECT_TRUE(nlohmann::json::accept(render_pipeline(view)));
}

TEST(Views, APipelineSurvivesTheWayToAPeer) {
  testing::FakeBackend backend;
  testing::fill(backend);
  const auto back = parse_overview(render_overview({}, 1, backend.views, backend.stats_view, {}));
  ASSERT_TRUE(back);
  EXPECT_EQ(render_pipelines(back->pipelines), render_pipelines(backend.views));
}

TEST(Views, WhatTheGuardFoundSurvivesTheWayToAPeer) {
  const guard::GuardView view = testing::full_guard();
  const auto back = parse_overview(render_overview({}, 1, {}, {}, view));
  ASSERT_TRUE(back);
  EXPECT_EQ(render_guard(back->guard), render_guard(view));
}

TEST(Views, AFigureThatIsNoNumberIsNull) {
  guard::GuardView view;
  view.alerts.emplace_back().figure = std::numeric_limits<double>::infinity();
  const auto json = nlohmann::json::parse(render_guard(view));
  EXPECT_TRUE(json["alerts"][0]["figure"].is_null());
}

TEST(Views, WhatIsNoResumeIsNotTaken) {
  EXPECT_TRUE(parse_resume(R"({"type":"resume","instance":"a","feed":"b","after":3})"));
  for (const char* bad :
       {"", "[]", "{", R"({"type":"resume"})", R"({"type":"resum","instance":"a","feed":"b","after":3})",
        R"({"type":"resume","instance":"a","feed":"b","after":-3})",
        R"({"type":"resume","instance":"a","feed":"b","after":"3"})",
        R"({"type":"resume","instance":1,"feed":"b","after":3})"})
    EXPECT_FALSE(parse_resume(bad)) << bad;
}

TEST(Views, APeersNonsenseIsNoAnswer) {
  for (const char* bad : {"", "[]", "{}", R"({"pipelines":{}})", "\xff"})
    EXPECT_FALSE(parse_overview(bad)) << bad;
  const auto odd =
      parse_overview(R"({"pipelines":[1,{"name":7},{"name":"p","lag_s":"x","rate_by_s":[1,"y"]}]})");
  ASSERT_TRUE(odd);
  ASSERT_EQ(odd->pipelines.size(), 1u);
  EXPECT_FALSE(odd->pipelines[0].lag_s);
  EXPECT_FALSE(odd->guard.configured);
  const auto strange = parse_overview(
      R"({"pipelines":[],"guard":{"configured":true,"alerts":[1,{"name":"lag","figure":"x"}],"audits":{}}})");
  ASSERT_TRUE(strange);
  EXPECT_TRUE(strange->guard.configured);
  ASSERT_EQ(strange->guard.alerts.size(), 1u);
}

}  // namespace
}  // namespace tidemark::http
