#include "sinks/sql/settings.h"

#include <algorithm>
#include <cctype>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::sql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Naming kPlain;
const Naming kFolded = {TablePattern::Schema::kAllowed, [](std::string name) {
                          std::transform(name.begin(), name.end(), name.begin(),
                                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
                          return name;
                        }};

config::Settings settings(const std::string& table, const std::string& mode = "current") {
  config::Settings settings;
  settings.set_where("orders.toml:3:1, pipeline.sink");
  settings.set("table", table);
  settings.set("mode", mode);
  settings.set("on_drop", std::string("ignore"));
  settings.set("position_table", std::string("marks"));
  settings.set("owner_table", std::string("owners"));
  settings.set("path", std::string("orders.db"));
  return settings;
}

config::Settings with(const char* field, const char* value) {
  config::Settings changed = settings("{collection}");
  changed.set(field, std::string(value));
  return changed;
}

SinkComponent component() { return rows_component({.kind = "sink", .type = "rows"}, kPlain, "path"); }

TEST(SqlSettings, AreWhatTheFieldsSay) {
  const auto rows = row_settings(settings("x_{collection}", "log"), kPlain);
  ASSERT_TRUE(rows) << rows.error().describe();
  EXPECT_TRUE(rows->table.has_collection());
  EXPECT_EQ(rows->mode, Mode::kLog);
  EXPECT_EQ(rows->on_drop, OnDrop::kIgnore);
  EXPECT_EQ(rows->position_table, "marks");
  EXPECT_EQ(rows->owner_table, "owners");
}

TEST(SqlSettings, RefuseWhatCannotWorkAndNameTheField) {
  const auto expect_refused = [](const config::Settings& bad, const char* field, const Naming& naming) {
    const auto rows = row_settings(bad, naming);
    ASSERT_FALSE(rows) << field;
    EXPECT_EQ(rows.error().react, React::kConfig);
    EXPECT_THAT(rows.error().what, HasSubstr(field));
  };
  expect_refused(settings("{colection}"), "table", kPlain);
  expect_refused(settings("marks"), "position_table", kPlain);
  expect_refused(with("position_table", ""), "position_table", kPlain);
  expect_refused(with("owner_table", ""), "owner_table", kPlain);
  expect_refused(settings("owners"), "owner_table", kPlain);
  expect_refused(with("owner_table", "MARKS"), "owner_table", kFolded);
  EXPECT_TRUE(row_settings(with("owner_table", "MARKS"), kPlain)) << "where case tells names apart";
}

TEST(SqlSettings, ReserveTheDefaultsTooAndWhatOtherPartsKeep) {
  const auto rows = row_settings(settings("{collection}"), kPlain);
  ASSERT_TRUE(rows);
  ComponentContext context;
  context.reserved = {"dead_letters"};
  EXPECT_THAT(rows->reserved(context),
              ElementsAre("marks", "owners", "tidemark_positions", "tidemark_tables", "dead_letters"));
}

TEST(SqlSettings, AnAuditIsOfDocumentsAlone) {
  EXPECT_TRUE(audited_table(settings("orders"), kPlain));
  const auto log = audited_table(settings("orders", "log"), kPlain);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().react, React::kConfig);
  EXPECT_THAT(log.error().what, HasSubstr("the rows are events"));
  EXPECT_FALSE(audited_table(settings(""), kPlain));
}

TEST(SqlSettings, OnlyADatabaseWithSchemasSpeaksOfThem) {
  for (const config::FieldSpec& field : row_fields(kPlain))
    EXPECT_EQ(field.doc.find("schema"), std::string::npos) << field.name;
  EXPECT_THAT(row_fields(kFolded)[0].doc, HasSubstr("with its schema before a dot"));
}

TEST(SqlComponent, SaysWhereItWritesAndWhatItKeepsThere) {
  const SinkComponent sink = component();
  EXPECT_TRUE(sink.pattern(settings("x_{collection}"))->has_collection());
  EXPECT_FALSE(sink.pattern(settings("x_{database}"))->has_collection());
  EXPECT_TRUE(sink.pattern(settings("x_{database}"))->has_database());
  EXPECT_FALSE(sink.pattern(settings("{colection}")));
  const KeptNames kept = sink.keeps(settings("orders"));
  EXPECT_EQ(kept.place, "rows orders.db");
  EXPECT_THAT(kept.names, ElementsAre("marks", "owners"));
}

TEST(SqlComponent, TellsCollectionsApartInALogAlone) {
  const SinkComponent sink = component();
  EXPECT_TRUE(sink.keeps_namespaces(settings("orders", "log")));
  EXPECT_FALSE(sink.keeps_namespaces(settings("orders", "current")));
  EXPECT_FALSE(sink.needs_full_documents(settings("orders", "log")));
  EXPECT_TRUE(sink.needs_full_documents(settings("orders", "current")));
  EXPECT_GT(sink.lanes_max, 1);
}

}  // namespace
}  // namespace tidemark::sql
