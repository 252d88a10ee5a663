#include <gmock/gmock.h>

#include "cloudevents/parser.h"
#include "support/transform_fixture.h"
#include "transforms/redact/component.h"

namespace tidemark {
namespace {

using testing::add_event;
using testing::change_event_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::odd_binary;

config::Settings redact_settings(std::vector<std::string> paths, std::string action,
                                 std::string salt = "s3cret") {
  config::Settings settings;
  settings.set("paths", std::move(paths), "x.toml:9:9, pipeline.transform.paths");
  settings.set("action", std::move(action));
  settings.set("salt", std::move(salt));
  return settings;
}

class RedactTest : public testing::TransformFixture {
 protected:
  std::unique_ptr<Transform> make(std::vector<std::string> paths, std::string action,
                                  std::string salt = "s3cret") {
    auto transform = redact_transform_component().make(
        redact_settings(std::move(paths), std::move(action), std::move(salt)), {});
    EXPECT_TRUE(transform.has_value()) << transform.error().describe();
    return std::move(*transform);
  }
  // The hash of a field `a` of this value.
  std::string hash_of(const Transform& transform, const std::string& value) {
    const Event& event = apply(transform, "insert", R"({"fullDocument": {"_id": 1, "a": )" + value + "}}");
    return std::string(event.after.find("a")->string());
  }
};

TEST_F(RedactTest, HidesAFieldWhereverTheEventCarriesIt) {
  const auto redact = make({"email"}, "mask");
  const Event& event = apply(*redact, "update",
                             R"({"fullDocument": {"_id": 1, "email": "ann@x", "n": 1},
                                 "fullDocumentBeforeChange": {"_id": 1, "email": "bob@x", "n": 0},
                                 "updateDescription": {"updatedFields": {"email": "ann@x", "n": 1}, "removedFields": []}})",
                             R"({"_id": 1, "email": "ann@x"})");
  EXPECT_EQ(json(event.after), same(R"({"_id": 1, "email": "***", "n": 1})"));
  EXPECT_EQ(json(event.before), same(R"({"_id": 1, "email": "***", "n": 0})"));
  EXPECT_EQ(json(event.update), same(R"({"updatedFields": {"email": "***", "n": 1}, "removedFields": []})"));
  EXPECT_EQ(json(event.key), same(R"({"_id": 1, "email": "***"})"));
  EXPECT_THAT(json(event.raw), Not(HasSubstr("ann@x")));
  EXPECT_THAT(json(event.raw), Not(HasSubstr("bob@x")));
  EXPECT_GT(event.after_extra, 0u);
}

// A loop that stopped at a value it couldn't read took it for the document's end: what lay behind was neither hidden nor kept.
TEST_F(RedactTest, HidesWhatLiesBehindAValueThatNobodyCanRead) {
  const auto redact = make({"c"}, "mask");
  Event& event = add_event(batch_, change_event_of(1, "insert", odd_binary()));
  ASSERT_TRUE(redact->apply(event, batch_));
  EXPECT_EQ(event.after.find("c")->string(), "***");
  EXPECT_EQ(event.after.find("b")->integer(), 2);
  EXPECT_EQ(event.after.find("a")->value_bytes().size(), 10u);
}

TEST_F(RedactTest, HidesInTheItemsOfAnArrayWhateverTheirKeysSay) {
  bson::Builder card, items, document;
  card.append("card", "4111").append("kind", "v");
  items.append("x", card.view()).append("", card.view()).append("a.b", card.view());
  document.append("_id", int32_t{1}).append_array("items", items.view());
  for (const char* action : {"mask", "drop"}) {
    const auto redact = make({"items.card"}, action);
    Event& event = add_event(batch_, change_event_of(++next_, "insert", document.finish()));
    ASSERT_TRUE(redact->apply(event, batch_));
    const std::string bytes(reinterpret_cast<const char*>(event.raw.data()), event.raw.size());
    EXPECT_THAT(bytes, Not(HasSubstr("4111"))) << action;
    int kinds = 0;
    for (const bson::Element item : event.after.find("items")->document())
      kinds += item.document().find("kind") ? 1 : 0;
    EXPECT_EQ(kinds, 3);
  }
}

TEST_F(RedactTest, GoesThroughDocumentsAndArrays) {
  const auto redact = make({"items.card.number"}, "drop");
  const Event& event = apply(*redact, "insert", R"({"fullDocument": {"_id": 1, "items": [
        {"card": {"number": "1", "kind": "v"}}, "plain", {"card": 5}, [{"card": {"number": "2"}}]]}})");
  EXPECT_EQ(json(event.after),
            same(R"({"_id": 1, "items": [{"card": {"kind": "v"}}, "plain", {"card": 5}, [{"card": {}}]]})"));
}

TEST_F(RedactTest, UpdatedFieldsAreHiddenAboveAtAndBelowThePath) {
  const auto redact = make({"customer.email"}, "mask");
  const auto updated = [&](std::string_view fields) {
    const Event& event = apply(*redact, "update",
                               R"({"updateDescription": {"updatedFields": )" + std::string(fields) +
                                   R"(, "removedFields": ["customer.email"]}})");
    return json(event.update.find("updatedFields")->document());
  };
  EXPECT_EQ(updated(R"({"customer.email": "ann@x"})"), same(R"({"customer.email": "***"})"));
  EXPECT_EQ(updated(R"({"customer": {"email": "ann@x", "n": 1}})"),
            same(R"({"customer": {"email": "***", "n": 1}})"));
  EXPECT_EQ(updated(R"({"customer.email.work": "ann@x"})"), same(R"({"customer.email.work": "***"})"));
  EXPECT_EQ(updated(R"({"customer.3.email": "ann@x"})"), same(R"({"customer.3.email": "***"})"));
  EXPECT_EQ(updated(R"({"customer.3": {"email": "ann@x"}})"), same(R"({"customer.3": {"email": "***"}})"));
  EXPECT_EQ(updated(R"({"customer": [{"email": "ann@x"}]})"), same(R"({"customer": [{"email": "***"}]})"));
  EXPECT_EQ(updated(R"({"customer.name": "Ann", "customers.email": "x", "email": "y"})"),
            same(R"({"customer.name": "Ann", "customers.email": "x", "email": "y"})"));
}

TEST_F(RedactTest, DroppedFieldsLeaveTheUpdateToo) {
  const auto redact = make({"a.b", "tags.0"}, "drop");
  const Event& event = apply(*redact, "update",
                             R"({"fullDocument": {"_id": 1, "tags": ["x", "y"]},
                                 "updateDescription": {"updatedFields": {"a.b": 1, "a.c": 2}, "removedFields": []}})");
  EXPECT_EQ(json(event.update.find("updatedFields")->document()), same(R"({"a.c": 2})"));
  EXPECT_EQ(json(event.after), same(R"({"_id": 1, "tags": ["y"]})"));
}

TEST_F(RedactTest, EqualValuesHaveEqualHashesAndOthersHaveOthers) {
  const auto redact = make({"a"}, "hash");
  const std::string hash = hash_of(*redact, R"("ann@x")");
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(hash_of(*redact, R"("ann@x")"), hash);
  EXPECT_NE(hash_of(*redact, R"("bob@x")"), hash);
  EXPECT_NE(hash_of(*redact, "5"), hash_of(*redact, R"("5")"));
  EXPECT_NE(hash_of(*make({"a"}, "hash", "other"), R"("ann@x")"), hash);
}

TEST_F(RedactTest, TheHashIsHmacSha256OfTypeAndBytes) {
  // From OpenSSL: printf '\x0a' | openssl dgst -sha256 -hmac s3cret; a null has no bytes, its type is 10.
  EXPECT_EQ(hash_of(*make({"a"}, "hash"), "null"),
            "66044e94a5e903d5259c06055f3c1138355fbf857e70a085c0c9442fa6b5cf06");
}

TEST_F(RedactTest, AnEventWithoutTheFieldStaysAsItIs) {
  const auto redact = make({"email"}, "mask");
  const Event& event = apply(*redact, "insert", R"({"fullDocument": {"_id": 1, "mail": "x"}})");
  EXPECT_EQ(event.after_extra, 0u);
  apply(*redact, "delete", "{}");
  apply(*redact, "drop", "{}", "{}");
}

// A CloudEvent as a broker or a client sent it.
class RedactForKeepingTest : public RedactTest {
 protected:
  Event kept(const Transform& redact, std::string_view message) {
    cloudevents::Parser parser;
    EXPECT_TRUE(parser.structured(message, {}, batch_).empty());
    return conceal(redact, batch_.events().back());
  }
  Event conceal(const Transform& redact, Event event) {
    auto keeping = redact.hiding(redact.hides());
    EXPECT_TRUE(keeping);
    EXPECT_TRUE((*keeping)->apply(event, batch_));
    return event;
  }
};

TEST_F(RedactForKeepingTest, TheMessageItselfIsHiddenToo) {
  const Event event =
      kept(*make({"data.email"}, "mask"),
           R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"email":"ann@x","n":1}})");
  EXPECT_THAT(std::string(event.payload), Not(HasSubstr("ann@x")));
  EXPECT_THAT(std::string(event.payload), HasSubstr(R"("data":{"email":"***","n":1})"));
  EXPECT_THAT(json(event.raw), Not(HasSubstr("ann@x")));
}

TEST_F(RedactForKeepingTest, AMessageWithoutTheFieldStaysToTheByte) {
  constexpr std::string_view kMessage =
      R"({ "specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":1.10}})";
  EXPECT_EQ(kept(*make({"data.email"}, "mask"), kMessage).payload, kMessage);
}

TEST_F(RedactForKeepingTest, AMessageThatIsNoEventIsHiddenAsFarAsItIsUnderstood) {
  const auto redact = make({"data.email"}, "mask");
  const auto malformed = [&](std::string_view body) {
    return conceal(*redact, cloudevents::append_malformed("x", body, "", "no event", {}, batch_));
  };
  const Event understood = malformed(R"({"data":{"email":"ann@x","n":1}})");
  EXPECT_EQ(understood.payload, R"({"data":{"email":"***","n":1}})");
  // What is not hidden stays what it was: a number to its last digit, and a literal document.
  EXPECT_EQ(
      malformed(R"({"data":{"email":"ann@x","n":18446744073709551615,"l":{"$numberInt":"1"}}})").payload,
      R"({"data":{"email":"***","n":18446744073709551615,"l":{"$numberInt":"1"}}})");
  EXPECT_THAT(json(understood.raw), Not(HasSubstr("ann@x")));
  for (const std::string_view body :
       {R"({"data":{"email":"ann@x")", "email=ann@x", R"([{"email":"ann@x"}])"}) {
    const Event withheld = malformed(body);
    EXPECT_THAT(std::string(withheld.payload),
                HasSubstr("withheld: " + std::to_string(body.size()) + " bytes"));
    EXPECT_THAT(json(withheld.raw), Not(HasSubstr("ann@x")));
    EXPECT_EQ(conceal(*redact, withheld).payload, withheld.payload) << "hidden once";
  }
}

TEST_F(RedactForKeepingTest, WhatWasHiddenOnceKeepsItsHash) {
  const auto redact = make({"data.email"}, "hash");
  const std::string once(
      kept(*redact, R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"email":"ann@x"}})")
          .payload);
  cloudevents::Parser parser;
  ASSERT_TRUE(parser.structured(once, {}, batch_).empty());
  Event again = batch_.events().back();
  again.hidden = true;
  const std::string before = json(again.after);
  ASSERT_TRUE(redact->apply(again, batch_));
  EXPECT_EQ(json(again.after), before);

  // Whatever doesn't look like a hash is hidden, whoever says that it was.
  const std::string clear =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"email":"ann@x"}})";
  ASSERT_TRUE(parser.structured(clear, {}, batch_).empty());
  Event claimed = batch_.events().back();
  claimed.hidden = true;
  ASSERT_TRUE(redact->apply(claimed, batch_));
  EXPECT_THAT(json(claimed.after), Not(HasSubstr("ann@x")));
}

TEST(Redact, RefusesWhatItCantDo) {
  for (const auto& [settings, text] : std::vector<std::pair<config::Settings, std::string>>{
           {redact_settings({"_id"}, "hash"), "can't be hidden"},
           {redact_settings({"_id.email"}, "drop"), "can't be hidden"},
           {redact_settings({"a", "a.b"}, "drop"), "lies above or under"},
           {redact_settings({"a..b"}, "drop"), "is no path"},
           {redact_settings({"$a"}, "drop"), "is no path"},
           {redact_settings({"a"}, "hash", ""), "needs it"}}) {
    auto made = redact_transform_component().make(settings, {});
    ASSERT_FALSE(made.has_value()) << text;
    EXPECT_EQ(made.error().react, React::kConfig);
    EXPECT_THAT(made.error().what, HasSubstr(text));
  }
}

}  // namespace
}  // namespace tidemark
