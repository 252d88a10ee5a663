#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <sys/resource.h>

#include "bson/json.h"
#include "bson/json_reader.h"
#include "sinks/sqlite/component.h"
#include "sinks/sqlite/database.h"
#include "sinks/sqlite/testing/support.h"

namespace tidemark::testing {
namespace {

class SqliteSink : public SqliteTest {};

constexpr const char* kOther = R"({"_id":{"$oid":"56e1fc72e0c917e9c4714161"}})";

TEST_F(SqliteSink, CarriesADocumentWholeWhateverItsBytes) {
  for (const char* mode : {"current", "log"}) {
    SCOPED_TRACE(mode);
    path_ = folder_.file(std::string(mode) + ".db");
    auto sink = opened(sqlite_settings(path_, mode));
    EventBatch batch;
    add_event(batch, change_event_of(1, "insert", odd_binary()));
    ASSERT_TRUE(write(*sink, batch, 1));
    const auto docs = rows("SELECT doc FROM orders");
    ASSERT_EQ(docs.size(), 1u);
    const auto back = bson::read_json(docs[0]);
    ASSERT_TRUE(back) << docs[0];
    EXPECT_EQ(back->view(), odd_binary().view()) << docs[0];
  }
}

// {"_id": "a" and one more byte that is no UTF-8}
bson::Document latin_id(const char* last_byte) {
  return framed(std::string("11000000"
                            "025f69640003000000"
                            "61") +
                last_byte +
                "00"
                "00");
}

TEST_F(SqliteSink, TwoIdsThatAreNotUtf8AreTwoRows) {
  auto sink = opened(sqlite_settings(path_, "current"));
  EventBatch batch;
  add_event(batch, change_event_of(1, "insert", latin_id("e9")));
  add_event(batch, change_event_of(2, "insert", latin_id("e8")));
  ASSERT_TRUE(write(*sink, batch, 2));
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"2"});
  EventBatch gone;
  add_event(gone, change_event(3, "delete", latin_id("e9"), doc("{}")));
  ASSERT_TRUE(write(*sink, gone, 3));
  const auto left = rows("SELECT id FROM orders");
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(bson::read_json_value(left[0], "_id")->view(), latin_id("e8").view());
}

TEST_F(SqliteSink, ALiteralDocumentIsNotTheTypeThatItLooksLike) {
  auto sink = opened(sqlite_settings(path_, "current"));
  bson::Builder looks_like_one, literal;
  looks_like_one.append("$numberInt", "1");
  literal.append("_id", int32_t{1}).append("a", looks_like_one.view());
  EventBatch batch;
  add_event(batch, change_event_of(1, "insert", literal.finish()));
  add_event(batch, change_event(2, "insert", R"({"_id":2})", after(R"({"_id":2,"a":1})")));
  ASSERT_TRUE(write(*sink, batch, 2));
  const auto docs = rows("SELECT doc FROM orders ORDER BY token");
  ASSERT_EQ(docs.size(), 2u);
  EXPECT_EQ(bson::read_json(docs[0])->view(), literal.view());
  EXPECT_EQ(docs[1], R"({"_id":{"$numberInt":"2"},"a":{"$numberInt":"1"}})");
}

TEST_F(SqliteSink, CurrentKeepsOneRowPerDocumentAndDeletesRemoveIt) {
  auto sink = opened(sqlite_settings(path_, "current"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", kKey, after(R"({"_id":1,"v":{"$numberDecimal":"1.50"}})")));
  add_event(batch,
            change_event(2, "insert", kOther, after(R"({"_id":{"$oid":"56e1fc72e0c917e9c4714161"}})")));
  add_event(batch, change_event(3, "update", kKey, after(R"({"_id":1,"v":{"$numberDouble":"NaN"}})")));
  ASSERT_TRUE(write(*sink, batch, 3));
  EXPECT_EQ(
      rows("SELECT id, doc, " + std::string(kGuardsAsTokens) + ", cluster_time FROM orders ORDER BY token"),
      (std::vector<std::string>{
          R"({"$oid":"56e1fc72e0c917e9c4714161"} | {"_id":{"$oid":"56e1fc72e0c917e9c4714161"}} | )" +
              token_hex(2) + " | 2023-11-14T22:13:20Z",
          R"({"$numberInt":"1"} | {"_id":{"$numberInt":"1"},"v":{"$numberDouble":"NaN"}} | )" + token_hex(3) +
              " | 2023-11-14T22:13:20Z"}));
  EventBatch gone;
  add_event(gone, change_event(4, "delete", kKey));
  ASSERT_TRUE(write(*sink, gone, 4));
  EXPECT_EQ(rows("SELECT id FROM orders"),
            std::vector<std::string>{R"({"$oid":"56e1fc72e0c917e9c4714161"})"});
}

TEST_F(SqliteSink, AnOlderEventTurnsNoRowBack) {
  auto sink = opened(sqlite_settings(path_, "current"));
  EventBatch newer, older;
  add_event(newer, change_event(5, "insert", kKey, after(R"({"_id":1,"v":5})")));
  add_event(older, change_event(3, "insert", kKey, after(R"({"_id":1,"v":3})")));
  ASSERT_TRUE(write(*sink, newer, 5));
  ASSERT_TRUE(write(*sink, older, 6));
  EventBatch removed;
  add_event(removed, change_event(4, "delete", kKey));
  ASSERT_TRUE(write(*sink, removed, 7));
  EXPECT_EQ(rows(std::string("SELECT ") + kGuardsAsTokens + " FROM orders"),
            std::vector<std::string>{token_hex(5)});
}

TEST_F(SqliteSink, LogKeepsEveryEventWithAllItsParts) {
  auto sink = opened(sqlite_settings(path_, "log"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", kKey, after(R"({"_id":1,"v":1})")));
  add_event(batch, change_event(2, "update", kKey,
                                R"({"updateDescription":{"updatedFields":{"v":2},"removedFields":[]},
                                    "fullDocumentBeforeChange":{"_id":1,"v":1}})"));
  add_event(batch, change_event(3, "delete", kKey));
  ASSERT_TRUE(write(*sink, batch, 3));
  ASSERT_TRUE(write(*sink, batch, 3));
  EXPECT_EQ(
      rows("SELECT op, ns, id, doc, before, \"update\" FROM orders ORDER BY token"),
      (std::vector<std::string>{
          R"(insert | shop.orders | {"$numberInt":"1"} | {"_id":{"$numberInt":"1"},"v":{"$numberInt":"1"}} | - | -)",
          R"(update | shop.orders | {"$numberInt":"1"} | - | {"_id":{"$numberInt":"1"},"v":{"$numberInt":"1"}} | )"
          R"({"updatedFields":{"v":{"$numberInt":"2"}},"removedFields":[]})",
          R"(delete | shop.orders | {"$numberInt":"1"} | - | - | -)"}));
}

TEST_F(SqliteSink, DropClearsTheOlderRowsAndKeepsTheNewer) {
  auto sink = opened(sqlite_settings(path_, "current"));
  EventBatch batch;
  add_insert(batch, 1);
  add_insert(batch, 2);
  add_event(batch, change_event(3, "drop", "{}"));
  add_insert(batch, 4);
  ASSERT_TRUE(write(*sink, batch, 4));
  EXPECT_EQ(rows(std::string("SELECT ") + kGuardsAsTokens + " FROM orders"),
            std::vector<std::string>{token_hex(4)});
  // The drop again, as a replay brings it.
  EventBatch again;
  add_event(again, change_event(3, "drop", "{}"));
  ASSERT_TRUE(write(*sink, again, 5));
  EXPECT_EQ(rows(std::string("SELECT ") + kGuardsAsTokens + " FROM orders"),
            std::vector<std::string>{token_hex(4)});
}

TEST_F(SqliteSink, RenameMovesTheRowsAndAReplayOfItLosesNone) {
  auto sink = opened(sqlite_settings(path_, "current", "{database}_{collection}"));
  EventBatch batch;
  add_insert(batch, 1);
  add_insert(batch, 2);
  add_event(batch, change_event(3, "rename", "{}", R"({"to":{"db":"shop","coll":"old"}})"));
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(write(*sink, batch, 3));
    EXPECT_EQ(rows(std::string("SELECT id, ") + kGuardsAsTokens + " FROM shop_old ORDER BY id"),
              (std::vector<std::string>{R"({"$numberInt":"1"} | )" + token_hex(3),
                                        R"({"$numberInt":"2"} | )" + token_hex(3)}));
    EXPECT_EQ(rows("SELECT count(*) FROM shop_orders"), std::vector<std::string>{"0"});
  }
}

TEST_F(SqliteSink, ARejectNamesTheEventAndWritesNothing) {
  auto sink = opened(sqlite_settings(path_, "current"));
  EventBatch batch;
  add_insert(batch, 1);
  add_event(batch, change_event(2, "update", kKey));
  const auto failed = write(*sink, batch, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject);
  EXPECT_EQ(failed.error().culprit, 1u);
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"0"});
}

TEST_F(SqliteSink, ATableOfAnotherShapeIsRefusedWithBothShapes) {
  SqliteReader(path_).exec("CREATE TABLE orders(id INTEGER PRIMARY KEY, total REAL)");
  const Error error = open_error(sqlite_settings(path_, "current"));
  EXPECT_EQ(error.react, React::kConfig);
  EXPECT_NE(error.what.find("id TEXT PRIMARY KEY, doc TEXT"), std::string::npos) << error.what;
  EXPECT_NE(error.what.find("id INTEGER PRIMARY KEY, total REAL"), std::string::npos) << error.what;
}

TEST_F(SqliteSink, ATableMadeByTheOtherModeIsRefused) {
  opened(sqlite_settings(path_, "log"))->close();
  EXPECT_EQ(open_error(sqlite_settings(path_, "current")).react, React::kConfig);
}

TEST_F(SqliteSink, CollectionsThatDifferInCaseAreNotMixed) {
  auto sink = opened(sqlite_settings(path_, "current", "{collection}"));
  SqliteReader(path_).exec(
      "CREATE TABLE Orders(id TEXT PRIMARY KEY, doc TEXT, token TEXT, cluster_time TEXT)");
  EventBatch batch;
  add_insert(batch, 1);
  const auto failed = write(*sink, batch, 1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
  EXPECT_NE(failed.error().error.what.find("'Orders'"), std::string::npos) << failed.error().error.what;
}

TEST_F(SqliteSink, ALogKeepsARenameFromATemporaryNameWithItsTarget) {
  auto sink = opened(sqlite_settings(path_, "log", "{collection}"));
  EventBatch batch;
  Event& renamed = add_event(
      batch,
      change_event(1, "rename", "{}",
                   R"({"ns":{"db":"shop","coll":"tmp.agg_out.1"},"to":{"db":"shop","coll":"daily"}})"));
  renamed.ns = {"shop", "tmp.agg_out.1"};
  renamed.enters = true;
  ASSERT_TRUE(write(*sink, batch, 1));
  EXPECT_EQ(rows("SELECT op, ns FROM daily"), std::vector<std::string>{"rename | shop.tmp.agg_out.1"});
  EXPECT_EQ(rows("SELECT name FROM sqlite_master WHERE name LIKE 'tmp%'"), std::vector<std::string>{});
}

TEST_F(SqliteSink, TwoCollectionsWhoseNamesLeadToOneTableAreNotMixed) {
  auto sink = opened(sqlite_settings(path_, "current", "{database}_{collection}"));
  EventBatch batch;
  add_event(batch, change_of(1, "insert", "a_b", "c", "x"));
  add_event(batch, change_of(2, "insert", "a", "b_c", "y"));
  add_event(batch, change_of(3, "insert", "a", "b_c", "z"));
  const auto failed = write(*sink, batch, 3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kReject);
  EXPECT_EQ(failed.error().culprit, 2u) << "the last event of the row, as the batch folds it";
  for (const char* part : {"a_b.c", "a.b_c", "exclude", "{database}.{collection}"})
    EXPECT_NE(failed.error().error.describe().find(part), std::string::npos) << part;
  // The rest of it is left out, and the others go on; what drops the other collection leaves this one's rows.
  EventBatch rest;
  add_event(rest, change_of(1, "insert", "a_b", "c", "x"));
  add_event(rest, change_of(2, "insert", "a", "b_c", "y"));
  add_event(rest, change_of(4, "drop", "a", "b_c"));
  add_event(rest, change_of(5, "insert", "other", "d", "w"));
  ASSERT_TRUE(write(*sink, rest, 5));
  EXPECT_EQ(rows("SELECT json_extract(doc, '$.v') FROM a_b_c"), std::vector<std::string>{"x"});
  EXPECT_EQ(rows("SELECT json_extract(doc, '$.v') FROM other_d"), std::vector<std::string>{"w"});
  EXPECT_EQ(rows("SELECT name, namespace, pipeline FROM tidemark_tables ORDER BY name"),
            (std::vector<std::string>{"a_b_c | a_b.c | orders", "other_d | other.d | orders"}));
}

TEST_F(SqliteSink, ADropOfItsCollectionGivesTheTableBack) {
  auto sink = opened(sqlite_settings(path_, "current", "{database}_{collection}"));
  EventBatch batch;
  add_event(batch, change_of(1, "insert", "a_b", "c", "x"));
  add_event(batch, change_of(2, "drop", "a_b", "c"));
  add_event(batch, change_of(3, "insert", "a", "b_c", "y"));
  ASSERT_TRUE(write(*sink, batch, 3));
  EXPECT_EQ(rows("SELECT json_extract(doc, '$.v') FROM a_b_c"), std::vector<std::string>{"y"});
  EXPECT_EQ(rows("SELECT namespace FROM tidemark_tables"), std::vector<std::string>{"a.b_c"});
}

TEST_F(SqliteSink, NoCollectionWritesIntoTheTablesOfTheProgramOrOfSomebodyElse) {
  SqliteReader(path_).exec("CREATE TABLE invoices(number INTEGER); CREATE VIEW totals AS SELECT 1 AS one");
  for (const char* mode : {"current", "log"}) {
    for (const char* name : {"tidemark_positions", "Tidemark_Tables", "sqlite_stat", "invoices", "totals"}) {
      auto sink = opened(sqlite_settings(path_, mode, "{collection}"));
      EventBatch batch;
      add_event(batch, change_of(1, "insert", "shop", name, "x"));
      const auto failed = write(*sink, batch, 1);
      ASSERT_FALSE(failed) << name;
      EXPECT_EQ(failed.error().error.react, React::kReject) << failed.error().error.describe();
      EXPECT_NE(failed.error().error.hint.find(std::string("shop.") + name), std::string::npos);
      EventBatch drop;
      add_event(drop, change_of(2, "drop", "shop", name));
      EXPECT_TRUE(write(*sink, drop, 2)) << name;
      sink->close();
      EXPECT_EQ(rows("SELECT count(*) FROM tidemark_positions"), std::vector<std::string>{"1"}) << name;
    }
  }
}

TEST_F(SqliteSink, AFileThatIsNoDatabaseIsCorruptAndLeftAlone) {
  const std::string content = "this is somebody's diary, and not a database at all";
  std::ofstream(path_) << content;
  EXPECT_EQ(open_error(sqlite_settings(path_, "current")).react, React::kCorrupt);
  EXPECT_EQ(files_.read_file(path_, 1000).value(), content);
}

TEST_F(SqliteSink, AMissingFolderIsAConfigurationError) {
  EXPECT_EQ(open_error(sqlite_settings(folder_.file("no/such/folder/sink.db"), "current")).react,
            React::kDenied);
}

TEST_F(SqliteSink, AFullDiskIsRetriedAndLosesNothing) {
  auto sink = opened(sqlite_settings(path_, "log"));
  ASSERT_TRUE(write(*sink, *inserts(1, 3), 3));
  // The system's own limit on the size of a file stands for the disk's end.
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small {
    64 * 1024, before.rlim_max
  };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto failed = write(*sink, *inserts(4, 2000), 2003);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kRetry) << failed.error().error.describe();
  auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_EQ((*loaded)->position, position_at(3));
  ASSERT_TRUE(write(*sink, *inserts(4, 2000), 2003));
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"2003"});
}

TEST_F(SqliteSink, AStopEndsAWriteInItsMiddle) {
  auto sink = opened(sqlite_settings(path_, "log"));
  const auto batch = inserts(1, 20'000);
  std::stop_source stop;
  // Holding the lock makes the write wait, so that the stop surely comes in its middle.
  SqliteReader holder(path_);
  holder.exec("BEGIN IMMEDIATE");
  std::thread stopper([&] { stop.request_stop(); });
  const auto failed = sink->write(batch->events(), position_at(9), stop.get_token());
  stopper.join();
  holder.exec("ROLLBACK");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().error.react, React::kCancelled) << failed.error().error.describe();
  EXPECT_EQ(rows("SELECT count(*) FROM orders"), std::vector<std::string>{"0"});
}

TEST_F(SqliteSink, EveryTypeComesBackFromTheDocument) {
  const auto document = doc(R"({"_id":{"$binary":{"base64":"c//SZESzTGmQ6OfR38A11A==","subType":"04"}},
      "l":{"$numberLong":"9007199254740993"},"d":{"$numberDouble":"-0.0"},"i":{"$numberDouble":"Infinity"},
      "c":{"$numberDecimal":"1E-6176"},"t":{"$timestamp":{"t":1,"i":2}},"w":{"$date":{"$numberLong":"-1"}},
      "r":{"$regularExpression":{"pattern":"a","options":"i"}},"k":{"$minKey":1},"n":null,"s":"nul \u0000 inside"})");
  bson::Builder extra, key;
  extra.append("fullDocument", document.view());
  key.append("_id", *document.view().find("_id"));
  auto sink = opened(sqlite_settings(path_, "current"));
  EventBatch batch;
  add_event(batch, change_event(1, "insert", bson::to_json(key.view()), bson::to_json(extra.view())));
  ASSERT_TRUE(write(*sink, batch, 1));
  const auto stored = rows("SELECT doc FROM orders");
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(bson::Document::from_json(stored[0])->view(), document.view());
}

TEST_F(SqliteSink, RefusesSettingsThatCannotWork) {
  EXPECT_FALSE(sqlite_sink_component().transactional(sqlite_settings(":memory:", "log"), context()));
  EXPECT_FALSE(sqlite_sink_component().transactional(sqlite_settings("", "log"), context()));
  const auto table =
      sqlite_sink_component().transactional(sqlite_settings(path_, "log", "{colection}"), context());
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().react, React::kConfig);
  EXPECT_NE(table.error().what.find("colection"), std::string::npos);
  EXPECT_FALSE(sqlite_sink_component().plain(sqlite_settings(path_, "log", "tidemark_positions"), context()));
}

TEST_F(SqliteSink, KnowsWhetherEachCollectionHasItsTable) {
  const auto pattern = [&](const char* table) {
    return sqlite_sink_component().pattern(sqlite_settings(path_, "current", table)).value();
  };
  EXPECT_TRUE(pattern("x_{collection}").has_collection());
  EXPECT_FALSE(pattern("x_{database}").has_collection());
  EXPECT_TRUE(pattern("x_{database}").has_database());
}

TEST_F(SqliteSink, TwoPipelinesShareADatabase) {
  auto first = opened(sqlite_settings(path_, "log"));
  auto second =
      sqlite_sink_component().transactional(sqlite_settings(path_, "log", "others"), context()).value();
  ASSERT_TRUE(second->open_and_load({"others", "f", "d"}, {}));
  ASSERT_TRUE(write(*first, *inserts(1, 2), 2));
  ASSERT_TRUE(write(*second, *inserts(1, 5), 5));
  EXPECT_EQ((**first->position_store().peek("orders", {})).position, position_at(2));
  EXPECT_EQ((**first->position_store().peek("others", {})).position, position_at(5));
}

TEST(SqliteErrors, EachCodeSaysHowToReact) {
  // Numbers from https://www.sqlite.org/rescode.html, extended ones too.
  const std::pair<int, React> expected[] = {
      {5, React::kRetry},     {261, React::kRetry},  {6, React::kRetry},    {13, React::kRetry},
      {10, React::kRetry},    {778, React::kRetry},  {1034, React::kRetry}, {7, React::kRetry},
      {11, React::kCorrupt},  {26, React::kCorrupt}, {14, React::kDenied},  {8, React::kDenied},
      {3, React::kDenied},    {18, React::kReject},  {19, React::kReject},  {1555, React::kReject},
      {9, React::kCancelled}, {1, React::kRetry},    {21, React::kFatal},
  };
  for (const auto& [code, react] : expected) EXPECT_EQ(sqlite::react_to(code), react) << code;
}

// Every primary result code there is, and those there may be: https://www.sqlite.org/rescode.html
TEST(SqliteResultCode, NoResultCodeButTheDocumentedOnesEverEndsAPipeline) {
  const std::map<int, React> known = {{3, React::kDenied},   {8, React::kDenied},  {9, React::kCancelled},
                                      {11, React::kCorrupt}, {14, React::kDenied}, {18, React::kReject},
                                      {19, React::kReject},  {20, React::kReject}, {21, React::kFatal},
                                      {23, React::kDenied},  {25, React::kFatal},  {26, React::kCorrupt}};
  for (int code = 1; code < 256; ++code) {
    const auto found = known.find(code);
    EXPECT_EQ(sqlite::react_to(code), found == known.end() ? React::kRetry : found->second) << code;
    EXPECT_EQ(sqlite::react_to(code | (7 << 8)), sqlite::react_to(code)) << code;
  }
}

TEST_F(SqliteSink, ALogTellsNamesThatAreNotUtf8AndTwoOfThemApart) {
  auto sink = opened(sqlite_settings(path_, "log"));
  EventBatch batch;
  add_event(batch, change_of(1, "insert", "shop", "caf\xe9"));
  add_event(batch, change_of(2, "insert", "shop", "caf\xe8"));
  bson::Builder rename;
  rename.concat(change_of(3, "rename", "shop", "a"));
  bson::Builder to;
  to.append("db", "shop").append("coll", "caf\xe9");
  rename.append("to", to.view());
  add_event(batch, rename.finish());
  const auto written = write(*sink, batch, 3);
  ASSERT_TRUE(written) << written.error().error.describe();
  const auto names = rows("SELECT ns FROM orders ORDER BY token");
  ASSERT_EQ(names.size(), 3u);
  const auto back = [](const std::string& text) {
    const auto read = bson::read_json_value(text, "ns");
    return read ? std::string(read->view().find("ns")->string()) : read.error().what;
  };
  EXPECT_EQ(back(names[0]), "shop.caf\xe9");
  EXPECT_EQ(back(names[1]), "shop.caf\xe8");
  EXPECT_EQ(names[2], "shop.a");
  EXPECT_EQ(rows("SELECT \"update\" FROM orders ORDER BY token").at(2),
            R"({"to":{"db":"shop","coll":{"$bson":{"type":"02","base64":"BQAAAGNhZukA"}}}})");
}

}  // namespace
}  // namespace tidemark::testing
