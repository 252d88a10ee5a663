#include "core/row_plan.h"

#include <deque>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace tidemark {
namespace {

// Change events written as JSON, parsed as the source parses them; tokens count up from 1.
class Stream {
 public:
  Stream& add(const std::string& json) {
    std::string id = std::to_string(raws_.size() + 1);
    id.insert(0, 6 - id.size(), '0');
    const auto raw = bson::Document::from_json(R"({"_id":{"_data":")" + id + R"("},)" + json + "}");
    EXPECT_TRUE(raw) << json;
    raws_.push_back(*raw);
    events_.push_back(parse_change_event(raws_.back().view()).value());
    return *this;
  }
  Stream& insert(int key, int value, const std::string& coll = "orders") {
    return add(R"("operationType":"insert",)" + where(key, coll) + R"(,"fullDocument":{"_id":)" +
               std::to_string(key) + R"(,"v":)" + std::to_string(value) + "}");
  }
  Stream& remove(int key, const std::string& coll = "orders") {
    return add(R"("operationType":"delete",)" + where(key, coll));
  }
  Stream& ddl(const std::string& op, const std::string& coll = "orders") {
    return add(R"("operationType":")" + op + R"(","ns":{"db":"shop","coll":")" + coll + R"("})");
  }
  Stream& rename(const std::string& from, const std::string& to, bool leaves = false) {
    add(R"("operationType":"rename","ns":{"db":"shop","coll":")" + from + R"("},"to":{"db":"shop","coll":")" +
        to + R"("})");
    events_.back().leaves = leaves;
    return *this;
  }
  static std::string where(int key, const std::string& coll = "orders") {
    return R"("ns":{"db":"shop","coll":")" + coll + R"("},"documentKey":{"_id":)" + std::to_string(key) + "}";
  }
  const std::vector<Event>& events() const { return events_; }

 private:
  std::deque<bson::Document> raws_;
  std::vector<Event> events_;
};

TablePattern pattern(std::string_view text) {
  return TablePattern::parse(text, TablePattern::Schema::kAllowed).value();
}

// "orders: +{"$numberInt":"1"}@000001 -..., clear orders" for comparing whole plans.
std::string show(const RowPlan& plan) {
  std::string out;
  for (const RowStep& step : plan.steps()) {
    for (const RowChange& change : step.changes)
      out += plan.tables()[change.table].text() + (change.remove ? " -" : " +") + std::string(change.id) +
             "@" + std::to_string(std::stoi(std::string(change.event->id))) + "; ";
    if (step.barrier.kind == RowBarrier::Kind::kClear)
      out += "clear " + plan.tables()[step.barrier.table].text() + "; ";
    if (step.barrier.kind == RowBarrier::Kind::kMove)
      out += "move " + plan.tables()[step.barrier.table].text() + " to " +
             plan.tables()[step.barrier.target].text() + "; ";
  }
  return out;
}

std::string planned(const Stream& stream, std::string_view table = "orders",
                    OnDrop on_drop = OnDrop::kApply) {
  RowPlan plan(pattern(table), on_drop);
  const auto result = plan.plan(stream.events());
  return result
             ? show(plan)
             : "error at " + std::to_string(result.error().culprit) + ": " + result.error().error.describe();
}

const std::string kOne = R"({"$numberInt":"1"})", kTwo = R"({"$numberInt":"2"})";

TEST(RowPlan, LastEventOfARowWins) {
  EXPECT_EQ(planned(Stream().insert(1, 10).insert(2, 20).insert(1, 11).remove(2)),
            "orders +" + kOne + "@3; orders -" + kTwo + "@4; ");
}

TEST(RowPlan, KeepsRowsOfDifferentCollectionsApart) {
  EXPECT_EQ(
      planned(Stream().insert(1, 1, "a").insert(1, 1, "b").insert(1, 2, "a"), "{database}.{collection}"),
      "shop.a +" + kOne + "@3; shop.b +" + kOne + "@2; ");
}

TEST(RowPlan, DropCutsTheBatchInSteps) {
  EXPECT_EQ(planned(Stream().insert(1, 1).ddl("drop").insert(1, 2)),
            "orders +" + kOne + "@1; clear orders; orders +" + kOne + "@3; ");
  EXPECT_EQ(planned(Stream().insert(1, 1).ddl("drop"), "orders", OnDrop::kIgnore),
            "orders +" + kOne + "@1; ");
}

TEST(RowPlan, DropStopsWhenToldSoAndNamesTheChoice) {
  const std::string error = planned(Stream().insert(1, 1).ddl("drop"), "orders", OnDrop::kStop);
  EXPECT_NE(error.find("drop of shop.orders"), std::string::npos) << error;
  EXPECT_NE(error.find("on_drop"), std::string::npos) << error;
}

TEST(RowPlan, DropDatabaseClearsOnlyWhereNoDropCameFirst) {
  EXPECT_EQ(planned(Stream().ddl("dropDatabase", ""), "orders"), "clear orders; ");
  EXPECT_EQ(planned(Stream().ddl("dropDatabase", ""), "{database}_all"), "clear shop_all; ");
  EXPECT_EQ(planned(Stream().ddl("dropDatabase", ""), "{collection}"), "");
}

TEST(RowPlan, RenameMovesRowsBetweenTables) {
  EXPECT_EQ(planned(Stream().insert(1, 1, "a").rename("a", "b").insert(2, 1, "b"), "{collection}"),
            "a +" + kOne + "@1; move a to b; b +" + kTwo + "@3; ");
}

TEST(RowPlan, RenameOutOfWhatIsWatchedClearsTheTable) {
  EXPECT_EQ(planned(Stream().insert(1, 1).rename("orders", "old", true)),
            "orders +" + kOne + "@1; clear orders; ");
  EXPECT_EQ(planned(Stream().insert(1, 1, "a").rename("a", "x", true), "{collection}"),
            "a +" + kOne + "@1; clear a; ");
}

TEST(RowPlan, RenameOntoTheCollectionOfAFixedTableKeepsItsRowsUntilTheRereadEnds) {
  EXPECT_EQ(planned(Stream().rename("new", "orders").insert(1, 1).ddl("rereadEnd")),
            "orders +" + kOne + "@2; clear orders; ");
}

TEST(RowPlan, LeavesOutWhatIsRefused) {
  RefusedNames refused;
  Stream stream;
  stream.insert(1, 1, "a")
      .insert(1, 1, "b")
      .ddl("drop", "b")
      .rename("b", "a")
      .rename("a", "b")
      .insert(2, 1, "a");
  const auto rejected = refused.refuse({"shop", "b"}, Error{React::kReject, "no table"}, 1);
  EXPECT_EQ(rejected.error().culprit, 1u);
  EXPECT_NE(rejected.error().error.hint.find("exclude = [\"shop.b\"]"), std::string::npos);
  RowPlan plan(pattern("{collection}"), OnDrop::kApply);
  ASSERT_TRUE(plan.plan(stream.events(), &refused));
  EXPECT_EQ(show(plan), "a +" + kOne + "@1; clear a; a +" + kTwo + "@6; ");
}

TEST(RowPlan, RereadFollowsOnDrop) {
  EXPECT_EQ(planned(Stream().insert(1, 1).ddl("rereadEnd"), "orders", OnDrop::kIgnore),
            "orders +" + kOne + "@1; ");
  // Also where a transform has dropped the rename.
  const std::string error = planned(Stream().insert(1, 1).ddl("rereadEnd"), "orders", OnDrop::kStop);
  EXPECT_NE(error.find("rename onto shop.orders"), std::string::npos) << error;
}

TEST(RowPlan, NullLookupRemovesTheRow) {
  EXPECT_EQ(
      planned(Stream().add(R"("operationType":"update",)" + Stream::where(1) + R"(,"fullDocument":null)")),
      "orders -" + kOne + "@1; ");
}

TEST(RowPlan, UpdateWithoutItsDocumentIsRejectedWithTheCulprit) {
  const std::string error =
      planned(Stream().insert(2, 1).add(R"("operationType":"update",)" + Stream::where(1)));
  EXPECT_EQ(error.rfind("error at 1: ", 0), 0u) << error;
  EXPECT_NE(error.find("full_document"), std::string::npos) << error;
}

TEST(RowPlan, EventWithoutAKeyIsRejected) {
  EXPECT_NE(
      planned(Stream().add(R"("operationType":"delete","ns":{"db":"shop","coll":"orders"})")).find("_id"),
      std::string::npos);
}

TEST(RowPlan, IgnoresWhatTouchesNoRow) {
  EXPECT_EQ(planned(Stream().ddl("invalidate").ddl("createIndexes").ddl("somethingNew")), "");
}

// The naive model: a map, event by event.
RC_GTEST_PROP(RowPlan, EndsWhereEventByEventWouldEnd, ()) {
  using Tables = std::map<std::string, std::map<std::string, std::string>>;
  RowPlan plan(pattern("{collection}"), OnDrop::kApply);
  Tables folded, naive;
  for (int batch = 0; batch < 3; ++batch) {
    Stream stream;
    const int count = *rc::gen::inRange(0, 60);
    for (int i = 0; i < count; ++i) {
      const std::string coll = *rc::gen::element("a", "b", "c");
      const int key = *rc::gen::inRange(0, 6);
      const std::string id = R"({"$numberInt":")" + std::to_string(key) + "\"}";
      const int kind = *rc::gen::inRange(0, 20);
      const std::string token = std::to_string(batch) + "/" + std::to_string(i + 1);
      if (kind == 0) {
        stream.ddl("drop", coll);
        naive[coll].clear();
      } else if (kind == 1 && coll != "c") {
        stream.rename(coll, "c");
        naive["c"].clear();
        for (auto& [row, _] : naive[coll]) naive["c"][row] = token;
        naive[coll].clear();
      } else if (kind < 8) {
        stream.remove(key, coll);
        naive[coll].erase(id);
      } else {
        stream.insert(key, i, coll);
        naive[coll][id] = token;
      }
    }
    RC_ASSERT(plan.plan(stream.events()).has_value());
    const auto token_of = [&](const Event* event) {
      return std::to_string(batch) + "/" + std::to_string(std::stoi(std::string(event->id)));
    };
    for (const RowStep& step : plan.steps()) {
      for (const RowChange& change : step.changes) {
        auto& rows = folded[plan.tables()[change.table].name];
        if (change.remove)
          rows.erase(std::string(change.id));
        else
          rows[std::string(change.id)] = token_of(change.event);
      }
      const RowBarrier& barrier = step.barrier;
      if (barrier.kind == RowBarrier::Kind::kNone) continue;
      auto& rows = folded[plan.tables()[barrier.table].name];
      if (barrier.kind == RowBarrier::Kind::kMove) {
        auto& target = folded[plan.tables()[barrier.target].name];
        target.clear();
        for (auto& [row, _] : rows) target[row] = token_of(barrier.event);
      }
      rows.clear();
    }
  }
  std::erase_if(folded, [](const auto& table) { return table.second.empty(); });
  std::erase_if(naive, [](const auto& table) { return table.second.empty(); });
  RC_ASSERT(folded == naive);
}

TEST(TablePattern, SplitsTheSchemaAtADotOutsideTheBraces) {
  TableName name;
  pattern("{database}.{collection}_rows").expand({"shop", "a.b"}, name);
  EXPECT_EQ(name.schema, "shop");
  EXPECT_EQ(name.name, "a.b_rows");
  EXPECT_TRUE(pattern("{database}.x").has_database());
  EXPECT_FALSE(pattern("{database}.x").has_collection());
  EXPECT_TRUE(pattern("plain").fixed());
  TablePattern::parse("a.b", TablePattern::Schema::kNone)->expand({}, name);
  EXPECT_EQ(name.text(), "a.b");
}

// Two names that no pattern may send to one table, found by trying.
TEST(TablePattern, KnowsWhetherTwoCollectionsCanShareAName) {
  for (const char* text : {"{database}_{collection}", "{collection}{database}", "x{database}__{collection}y",
                           "{collection}_{database}", "all.{database}-{collection}"}) {
    const TablePattern parsed = pattern(text);
    const auto pair = parsed.collision();
    ASSERT_TRUE(pair) << text;
    EXPECT_NE(pair->first, pair->second) << text;
    TableName one, other;
    parsed.expand(pair->first.view(), one);
    parsed.expand(pair->second.view(), other);
    EXPECT_EQ(one.text(), other.text()) << text;
  }
  for (const char* text :
       {"{database}.{collection}", "{collection}", "{database}", "orders", "{database}:{collection}",
        "{collection}|{database}", "{database}.{database}_{collection}", "{collection}.{database}"})
    EXPECT_FALSE(pattern(text).collision()) << text;
  EXPECT_FALSE(TablePattern::parse("{database}.{collection}", TablePattern::Schema::kNone)->collision());
}

TEST(TablePattern, FindsTheCollectionThatLeadsToAName) {
  EXPECT_EQ(pattern("o.{collection}").collection_that_leads_to({"o", "tidemark_positions"}, ""),
            "tidemark_positions");
  EXPECT_EQ(pattern("o.x_{collection}").collection_that_leads_to({"o", "x_y"}, "d"), "y");
  EXPECT_EQ(pattern("{database}.{collection}").collection_that_leads_to({"d", "y"}, "d"), "y");
  EXPECT_FALSE(pattern("{database}.{collection}").collection_that_leads_to({"o", "y"}, "d"));
  EXPECT_FALSE(pattern("o.x_{collection}").collection_that_leads_to({"o", "y"}, "d"));
  EXPECT_FALSE(pattern("o.y").collection_that_leads_to({"o", "y"}, "d"));
}

TEST(TablePattern, RefusesWhatItCannotRead) {
  for (const char* bad : {"", ".x", "x.", "a{db}", "a{collection"})
    EXPECT_FALSE(TablePattern::parse(bad, TablePattern::Schema::kAllowed)) << bad;
  EXPECT_FALSE(TablePattern::parse(std::string_view("a\0b", 3), TablePattern::Schema::kNone));
}

TEST(RowTexts, LogRowsKeepWhatARenameAndADdlEventSay) {
  Stream stream;
  stream.rename("a", "b").add(
      R"("operationType":"create","ns":{"db":"shop","coll":"a"},"operationDescription":{"x":true})");
  stream.insert(1, 1);
  std::string out;
  EXPECT_TRUE(append_log_update(stream.events()[0], out));
  EXPECT_EQ(out, R"({"to":{"db":"shop","coll":"b"}})");
  out.clear();
  EXPECT_TRUE(append_log_update(stream.events()[1], out));
  EXPECT_EQ(out, R"({"x":true})");
  EXPECT_FALSE(append_log_update(stream.events()[2], out));
}

}  // namespace
}  // namespace tidemark
