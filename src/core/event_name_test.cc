#include "core/event_name.h"

#include <gtest/gtest.h>

#include "bson/json.h"

namespace tidemark {
namespace {

std::string name_of(std::string_view json) {
  const auto raw = bson::Document::from_json(json);
  EXPECT_TRUE(raw) << json;
  return name_of_document(*parse_change_event(raw->view()));
}

TEST(EventName, SaysWhichDocumentOfWhichCollection) {
  EXPECT_EQ(name_of(R"({"_id":{"_data":"82"},"operationType":"insert","ns":{"db":"shop","coll":"orders"},
                        "documentKey":{"_id":1,"k":2}})"),
            R"(insert of shop.orders, _id {"$numberInt":"1"})");
  EXPECT_EQ(name_of(R"({"_id":{"_data":"82"},"operationType":"dropDatabase","ns":{"db":"shop"}})"),
            "dropDatabase of shop");
  EXPECT_EQ(name_of(R"({"_id":{"_data":"82"},"operationType":"invalidate"})"), "");
}

TEST(EventName, IsOneLineWhateverACollectionIsCalled) {
  EXPECT_EQ(
      name_of(R"({"_id":{"_data":"82"},"operationType":"drop","ns":{"db":"a","coll":"b\n\u001b[31m"}})"),
      R"(drop of a.b\n\x1b[31m)");
}

TEST(EventName, CutsALongIdBetweenTwoCharacters) {
  std::string id;
  for (int i = 0; i < 150; ++i) id += "\u00e9";
  const std::string name =
      name_of(R"({"_id":{"_data":"82"},"operationType":"delete","ns":{"db":"a","coll":"b"},
                                       "documentKey":{"_id":")" +
              id + "\"}}");
  const std::string prefix = "delete of a.b, _id \"";
  EXPECT_EQ(name, prefix + id.substr(0, 198) + "...");
}

TEST(EventName, StandsInWhatIsSaidOfAReject) {
  const auto raw = bson::Document::from_json(
      R"({"_id":{"_data":"82"},"operationType":"insert","ns":{"db":"a","coll":"b"},"documentKey":{"_id":"x"}})");
  const Event event = *parse_change_event(raw->view());
  EXPECT_EQ(undeliverable(event, "no"), R"(event 82 (insert of a.b, _id "x") can't be delivered: no)");
  EXPECT_EQ(reason_of_letter(event, "no"), R"(insert of a.b, _id "x": no)");
}

}  // namespace
}  // namespace tidemark
