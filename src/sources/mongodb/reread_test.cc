#include "sources/mongodb/reread.h"

#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "bson/json.h"
#include "core/row_plan.h"

namespace tidemark::mongodb {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string token(int n) {
  std::string text = std::to_string(n);
  return "82" + std::string(6 - text.size(), '0') + text;
}

Position at(const std::string& data) {
  bson::Builder builder;
  builder.append("_data", data);
  return Position(builder.view());
}

std::string name_of(const Position& position) {
  return position.empty() ? "" : std::string(token_data(position.token()));
}

bson::Document change(int n, const std::string& json) {
  auto raw = bson::Document::from_json(R"({"_id":{"_data":")" + token(n) +
                                       R"("},"clusterTime":{"$timestamp":{"t":)" + std::to_string(n) +
                                       R"(,"i":1}},)" + json + "}");
  EXPECT_TRUE(raw) << json;
  return *raw;
}
std::string ns(const std::string& coll) { return R"("ns":{"db":"shop","coll":")" + coll + "\"}"; }
bson::Document insert(int n, const std::string& coll, int id, int v = 0) {
  return change(n, R"("operationType":"insert",)" + ns(coll) + R"(,"documentKey":{"_id":)" +
                       std::to_string(id) + R"(},"fullDocument":{"_id":)" + std::to_string(id) + R"(,"v":)" +
                       std::to_string(v) + "}");
}
bson::Document erase(int n, const std::string& coll, int id) {
  return change(
      n, R"("operationType":"delete",)" + ns(coll) + R"(,"documentKey":{"_id":)" + std::to_string(id) + "}");
}
bson::Document drop(int n, const std::string& coll) {
  return change(n, R"("operationType":"drop",)" + ns(coll));
}
bson::Document rename(int n, const std::string& from, const std::string& to) {
  return change(n, R"("operationType":"rename",)" + ns(from) + R"(,"to":{"db":"shop","coll":")" + to + "\"}");
}

SourceBatch batch_of(const std::vector<bson::Document>& raws, const std::string& mark, bool closed = false) {
  SourceBatch batch;
  batch.events = std::make_shared<EventBatch>();
  for (const bson::Document& raw : raws)
    batch.events->events().push_back(*parse_change_event(batch.events->store(raw.view())));
  batch.resume_after = at(mark);
  batch.closed = closed;
  return batch;
}

// "insert shop.a {..}@id" of every event, then where a crash would resume: within the batch and behind it.
std::string show(const SourceBatch& batch) {
  std::string out;
  for (const Event& event : batch.events->events()) {
    out += std::string(event.op_name) + " ";
    append_ns(event.ns, out);
    out += event.leaves ? " leaves; " : event.enters ? " enters; " : "; ";
  }
  const std::string within = name_of(batch.resume_within);
  return out + (within.empty() ? "" : "within " + within + ", ") + "behind " + name_of(batch.resume_after) +
         (batch.closed ? ", closed" : "");
}

using Collections = std::map<std::string, std::map<int, int>>;

const Collections kNothing;

// `collections` outlives it.
Reread::Scan scan_of(const Collections& collections) {
  return
      [&collections](const CollectionName& name, bson::Timestamp, const std::string& last_id, size_t limit,
                     const std::function<Status(bson::View)>& visit, std::stop_token) -> Result<AuditPage> {
        AuditPage page{last_id, true};
        const auto found = collections.find(name.collection);
        if (found == collections.end()) return page;
        for (const auto& [id, v] : found->second) {
          if (!last_id.empty() && id <= std::stoi(last_id)) continue;
          if (limit-- == 0) {
            page.done = false;
            return page;
          }
          bson::Builder document;
          document.append("_id", int32_t{id}).append("v", int32_t{v});
          TIDEMARK_TRY(visit(document.view()));
          page.last_id = std::to_string(id);
        }
        return page;
      };
}

Reread reread_of(const Collections& collections, const std::string& collection = "",
                 const std::vector<std::string>& exclude = {}) {
  Reread::Options options;
  options.names = {"shop", collection, *ExcludedNames::parse(exclude)};
  options.rereads = true;
  options.hides_temporary = true;
  return {std::move(options), "orders", scan_of(collections)};
}

std::vector<std::string> all(Reread& reread, size_t limit = 10) {
  std::vector<std::string> shown;
  while (reread.pending()) shown.push_back(show(*reread.next(limit, {})));
  return shown;
}

TEST(Reread, BatchWithoutARenamePassesAsItIs) {
  Reread reread = reread_of(kNothing);
  reread.take(batch_of({insert(1, "a", 1), drop(2, "a")}, "8299"), at("8200"));
  EXPECT_THAT(all(reread), ElementsAre("insert shop.a; drop shop.a; behind 8299"));
}

TEST(Reread, WhatARenameBringsIsReadBehindItWithThePositionBeforeIt) {
  const Collections server = {{"b", {{1, 10}, {2, 20}, {3, 30}}}};
  Reread reread = reread_of(server);
  reread.take(batch_of({insert(1, "a", 1), rename(2, "tmpq2Xc9.renameCollection", "b"), insert(3, "b", 4)},
                       "82999999", true),
              at("8200"));
  EXPECT_THAT(all(reread, 2),
              ElementsAre("insert shop.a; behind 82000001",
                          "rename shop.tmpq2Xc9.renameCollection enters; within 82000001, behind "
                          "82000001",
                          "insert shop.b; insert shop.b; within 82000001, behind 82000001",
                          "insert shop.b; rereadEnd shop.b; within 82000001, behind 82000002",
                          "insert shop.b; behind 82999999, closed"));
}

TEST(Reread, RenameAtBothEndsOfABatchKeepsThePositionsAndTheEndOfTheCursor) {
  Reread reread = reread_of(kNothing);
  reread.take(batch_of({rename(1, "x", "b")}, "8277", true), at("8200"));
  EXPECT_THAT(all(reread), ElementsAre("rename shop.x; within 8200, behind 8200",
                                       "rereadEnd shop.b; within 8200, behind 8277", "behind 8277, closed"));
}

TEST(Reread, RenameOutOfTheWatchedCollectionLeaves) {
  Reread reread = reread_of(kNothing, "orders");
  reread.take(batch_of({rename(1, "orders", "old")}, "8277"), at("8200"));
  EXPECT_THAT(all(reread), ElementsAre("rename shop.orders leaves; behind 8277"));
}

TEST(Reread, NothingOfTemporaryAndExcludedCollectionsComesThrough) {
  Reread reread = reread_of(kNothing, "", {"shop.secret"});
  reread.take(batch_of({insert(1, "tmp.agg_out.1", 1), insert(2, "secret", 1), insert(3, "a", 1),
                        rename(4, "secret", "tmp.agg_out.2"), rename(5, "a", "secret"), drop(6, "secret")},
                       "8299"),
              at("8200"));
  EXPECT_THAT(all(reread), ElementsAre("insert shop.a; rename shop.a leaves; behind 8299"));
  reread.take(batch_of({insert(7, "secret", 1)}, "8300"), at("8299"));
  EXPECT_THAT(all(reread), ElementsAre("behind 8300"));
}

TEST(Reread, WhatIsLeftOutIsCountedOnce) {
  const Collections server = {{"b", {{1, 10}}}};
  Reread reread = reread_of(server, "", {"shop.secret"});
  const auto left_out = [&] {
    std::vector<uint64_t> counts;
    while (reread.pending()) counts.push_back(reread.next(10, {})->left_out);
    return counts;
  };
  reread.take(batch_of({insert(1, "tmp.agg_out.1", 1), insert(2, "secret", 1), insert(3, "a", 1)}, "8299"),
              at("8200"));
  EXPECT_THAT(left_out(), ElementsAre(2));
  reread.take(batch_of({insert(4, "secret", 1)}, "8300"), at("8299"));
  EXPECT_THAT(left_out(), ElementsAre(1));
  reread.take(batch_of({insert(5, "a", 1)}, "8301"), at("8300"));
  EXPECT_THAT(left_out(), ElementsAre(0));
  // A rename is read behind; what was left out beside it is told with the stream's own next batch.
  reread.take(batch_of({insert(6, "secret", 1), rename(7, "x", "b"), insert(8, "b", 2)}, "8302"), at("8301"));
  const std::vector<uint64_t> counts = left_out();
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), uint64_t{0}), 1u);
}

TEST(Reread, MadeUpEventsSortBehindTheRenameAndEachHasAnIdOfItsOwn) {
  const Collections server = {{"b", {{1, 10}, {2, 20}}}};
  Reread reread = reread_of(server);
  reread.take(batch_of({rename(2, "x", "b")}, "8277"), at("8200"));
  ASSERT_TRUE(reread.next(10, {}));
  const auto batch = reread.next(10, {});
  ASSERT_TRUE(batch);
  const auto& events = batch->events->events();
  ASSERT_EQ(events.size(), 3u);
  for (const Event& event : events) {
    EXPECT_GT(event.id, token(2));
    EXPECT_LT(event.id, token(3));
    EXPECT_EQ(event.cluster_time.seconds, 2u);
  }
  EXPECT_NE(events[0].id, events[1].id);
  EXPECT_GT(events[0].id, events[2].id) << "the end must not remove what was read";
  EXPECT_EQ(events[0].after.find("v")->integer(), 10);
}

TEST(Reread, SinksThatKeepNoDocumentsGetTheRenameAlone) {
  Reread::Options options;
  options.names = {"shop", "", {}};
  Reread reread(std::move(options), "log", nullptr);
  reread.take(batch_of({insert(1, "tmp.agg_out.1", 1), rename(2, "tmp.agg_out.1", "b")}, "8277"), at("8200"));
  EXPECT_THAT(all(reread),
              ElementsAre("insert shop.tmp.agg_out.1; rename shop.tmp.agg_out.1 enters; behind 8277"));
}

TEST(Reread, FilterOfTheSourceDecidesOverWhatWasReadAndNotOverTheReading) {
  const Collections server = {{"b", {{1, 10}, {2, 200}}}};
  Reread::Options options;
  options.names = {"shop", "", {}};
  options.rereads = true;
  options.filter = {*bson::Matcher::parse(
      *bson::Document::from_json(R"({"ns.coll": "b", "fullDocument.v": {"$gte": 100}})"))};
  options.filter_names = {*bson::Matcher::parse(*bson::Document::from_json(R"({"ns.coll": "b"})"))};
  Reread reread(std::move(options), "orders", scan_of(server));
  reread.take(batch_of({rename(1, "x", "b"), insert(2, "b", 3, 300)}, "8277"), at("8200"));
  EXPECT_THAT(all(reread), ElementsAre("insert shop.b; rereadEnd shop.b; within 8200, behind 82000001",
                                       "insert shop.b; behind 8277"));
  // One that passes none of its documents by its name isn't read.
  reread.take(batch_of({rename(3, "x", "huge")}, "8300"), at("8277"));
  EXPECT_THAT(all(reread), ElementsAre("behind 8300"));
}

TEST(Reread, FailedReadingIsToldAndLeavesThePositionBeforeTheRename) {
  Reread::Options options;
  options.names = {"shop", "", {}};
  options.rereads = true;
  Reread reread(std::move(options), "orders",
                [](const CollectionName&, bson::Timestamp after, const std::string&, size_t,
                   const std::function<Status(bson::View)>&, std::stop_token) -> Result<AuditPage> {
                  EXPECT_EQ(after.seconds, 1u) << "the read must see everything up to the rename";
                  return fail(React::kRetry, "no primary");
                });
  reread.take(batch_of({rename(1, "x", "b")}, "8277"), at("8200"));
  EXPECT_EQ(show(*reread.next(10, {})), "rename shop.x; within 8200, behind 8200");
  const auto failed = reread.next(10, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().react, React::kRetry);
}

// --- the whole: a server that copies without a word, a reader that is killed anywhere, and rows kept by RowPlan

// What a sink does with a plan, row by row, with the guards that every sink has.
class Rows {
 public:
  void apply(std::span<const Event> events) {
    RowPlan plan(*TablePattern::parse("{collection}", TablePattern::Schema::kNone), OnDrop::kApply);
    RC_ASSERT(plan.plan(events).has_value());
    for (const RowStep& step : plan.steps()) {
      for (const RowChange& change : step.changes) {
        auto& table = tables_[plan.tables()[change.table].name];
        const auto row = table.find(std::string(change.id));
        if (row != table.end() && row->second.token >= change.event->id) continue;
        if (change.remove) {
          if (row != table.end()) table.erase(row);
        } else {
          std::string doc;
          bson::append_json(change.event->after, bson::JsonMode::kCanonical, doc);
          table.insert_or_assign(std::string(change.id), Row{doc, std::string(change.event->id)});
        }
      }
      const RowBarrier& barrier = step.barrier;
      if (barrier.kind == RowBarrier::Kind::kNone) continue;
      const std::string token(barrier.event->id);
      auto& table = tables_[plan.tables()[barrier.table].name];
      if (barrier.kind == RowBarrier::Kind::kMove) {
        auto& target = tables_[plan.tables()[barrier.target].name];
        clear(target, token);
        for (const auto& [id, row] : table)
          if (row.token < token) target.try_emplace(id, Row{row.doc, token});
      }
      clear(table, token);
    }
  }

  // {collection: {id: document}} without empty tables.
  std::map<std::string, std::map<std::string, std::string>> contents() const {
    std::map<std::string, std::map<std::string, std::string>> out;
    for (const auto& [name, table] : tables_)
      for (const auto& [id, row] : table) out[name][id] = row.doc;
    return out;
  }

 private:
  struct Row {
    std::string doc, token;
  };
  using Table = std::map<std::string, Row>;
  static void clear(Table& table, const std::string& token) {
    std::erase_if(table, [&](const auto& row) { return row.second.token < token; });
  }
  std::map<std::string, Table> tables_;
};

std::map<std::string, std::map<std::string, std::string>> contents_of(const Collections& collections) {
  std::map<std::string, std::map<std::string, std::string>> out;
  for (const auto& [name, documents] : collections) {
    if (is_temporary_collection(name)) continue;
    for (const auto& [id, v] : documents) {
      const std::string key = R"({"$numberInt":")" + std::to_string(id) + "\"}";
      out[name][key] = R"({"_id":)" + key + R"(,"v":{"$numberInt":")" + std::to_string(v) + "\"}}";
    }
  }
  return out;
}

class Server {
 public:
  // One random command; hidden copies leave no event.
  void act() {
    const std::string coll = *rc::gen::element("a", "b", "c");
    const std::string other = *rc::gen::element("a", "b", "c", "tmpAAAAA.renameCollection");
    const int id = *rc::gen::inRange(0, 5);
    const int v = *rc::gen::inRange(0, 100);
    switch (*rc::gen::inRange(0, 9)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (collections.contains(coll) && collections[coll].contains(id)) {
          collections[coll].erase(id);
          log(erase(next(), coll, id));
        } else {
          collections[coll][id] = v;
          log(insert(next(), coll, id, v));
        }
        return;
      case 4:
        // As with fromMigrate, and as in a collection older than the position.
        collections["tmpAAAAA.renameCollection"][id] = v;
        return;
      case 5:
        if (collections.erase(coll) > 0) log(drop(next(), coll));
        return;
      default:
        if (other == coll || !collections.contains(other)) return;
        collections[coll] = collections[other];
        collections.erase(other);
        log(rename(next(), other, coll));
        return;
    }
  }

  Collections collections;
  std::vector<bson::Document> oplog;

 private:
  int next() const { return static_cast<int>(oplog.size()) + 1; }
  void log(bson::Document raw) { oplog.push_back(std::move(raw)); }
};

RC_GTEST_PROP(Reread, RowsEndAsTheSourceWhateverWasHiddenAndWhereverItWasKilled, ()) {
  Server server;
  Rows rows;
  Reread reread = reread_of(server.collections);
  size_t stored = 0;  // the position: so many entries of the oplog
  size_t read = 0;
  const auto index_of = [](const Position& position) {
    return static_cast<size_t>(std::stoi(name_of(position).substr(2)));
  };
  bool calm = false;  // no more crashes, so that it comes to an end
  const auto step = [&] {
    if (!reread.pending()) {
      const size_t count = calm ? 5 : *rc::gen::inRange<size_t>(0, 5);
      const size_t end = std::min(server.oplog.size(), read + count);
      if (end == read) return;
      const std::vector<bson::Document> raws(server.oplog.begin() + static_cast<ptrdiff_t>(read),
                                             server.oplog.begin() + static_cast<ptrdiff_t>(end));
      reread.take(batch_of(raws, token(static_cast<int>(end))), at(token(static_cast<int>(read))));
      read = end;
    }
    const auto batch = reread.next(calm ? 3 : *rc::gen::inRange<size_t>(1, 4), {});
    RC_ASSERT(batch.has_value());
    const auto& events = batch->events->events();
    // A crash may come when only some of the batch is durable.
    const size_t durable = calm ? events.size() : *rc::gen::inRange<size_t>(0, events.size() + 1);
    rows.apply(std::span(events).first(durable));
    if (durable == events.size()) {
      stored = index_of(batch->resume_after);
    } else {
      if (!batch->resume_within.empty())
        stored = index_of(batch->resume_within);
      else if (durable > 0)
        stored = static_cast<size_t>(std::stoi(std::string(events[durable - 1].id).substr(2)));
      reread.forget();
      read = stored;
    }
    if (!calm && *rc::gen::inRange(0, 8) == 0) {
      reread.forget();
      read = stored;
    }
  };
  const int actions = *rc::gen::inRange(0, 80);
  for (int i = 0; i < actions; ++i) {
    server.act();
    if (*rc::gen::inRange(0, 3) == 0) step();
  }
  calm = true;
  for (int i = 0; i < 2000 && (stored < server.oplog.size() || reread.pending()); ++i) step();
  RC_ASSERT(stored == server.oplog.size());
  RC_ASSERT(rows.contents() == contents_of(server.collections));
}

}  // namespace
}  // namespace tidemark::mongodb
