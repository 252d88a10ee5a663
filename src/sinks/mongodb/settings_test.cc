#include "sinks/mongodb/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinks/mongodb/component.h"

namespace tidemark::mongodb_sink {
namespace {

config::Settings settings() {
  config::Settings settings;
  settings.set_where("orders.toml:3:1, pipeline.sink");
  settings.set("uri", std::string("mongodb://user:hidden@db1/?replicaSet=rs0"));
  settings.set("database", std::string("planes"));
  settings.set("collection", std::string("events"));
  settings.set("mode", std::string("insert"));
  settings.set("unique_key", std::vector<std::string>{"raw.source", "raw.id"});
  settings.set("guard_field", std::string("_tidemark"));
  settings.set("on_drop", std::string("apply"));
  settings.set("transaction", std::string("auto"));
  settings.set("position_database", std::string());
  settings.set("position_collection", std::string("tidemark_positions"));
  settings.set("owner_collection", std::string("tidemark_tables"));
  settings.set("lease_ttl", int64_t{30'000});
  return settings;
}

void expect_refused(const char* field, config::Settings::Value value, const char* mode = "insert") {
  auto with = settings();
  with.set("mode", std::string(mode));
  if (std::string_view(mode) == "current") with.set("unique_key", std::vector<std::string>{});
  with.set(field, std::move(value));
  const auto options = options_of(with);
  ASSERT_FALSE(options) << field;
  EXPECT_EQ(options.error().react, React::kConfig);
  EXPECT_TRUE(options.error().what.starts_with("orders.toml:3:1")) << options.error().what;
  EXPECT_FALSE(options.error().hint.empty());
  EXPECT_EQ(options.error().describe().find("hidden"), std::string::npos);
}

TEST(MongodbSinkSettings, RefuseWhatCannotWork) {
  expect_refused("uri", std::string("http://user:hidden@db1"));
  expect_refused("database", std::string());
  expect_refused("database", std::string("a.b"));
  expect_refused("database", std::string("{table}"));
  expect_refused("collection", std::string());
  expect_refused("collection", std::string("{collection"));
  expect_refused("collection", std::string("a$b"));
  for (const char* path : {"", ".a", "a.", "a..b", "$a"})
    expect_refused("unique_key", std::vector<std::string>{path});
  expect_refused("unique_key", std::vector<std::string>{"a", "a"});
  expect_refused("unique_key", std::vector<std::string>{"a"}, "current");
  for (const char* guard : {"_id", "a.b", "$a", ""})
    expect_refused("guard_field", std::string(guard), "current");
  expect_refused("position_collection", std::string("events"));
}

TEST(MongodbSinkSettings, WithoutAGuardDropsMayBeIgnored) {
  auto with = settings();
  with.set("mode", std::string("current"));
  with.set("unique_key", std::vector<std::string>{});
  with.set("guard_field", std::string());
  with.set("on_drop", std::string("ignore"));
  EXPECT_TRUE(options_of(with));
}

TEST(MongodbSinkSettings, ACollectionsNameMayHoldDotsAndPlaceholders) {
  auto with = settings();
  with.set("database", std::string("copy_{database}"));
  with.set("collection", std::string("of.{collection}.now"));
  const auto options = options_of(with);
  ASSERT_TRUE(options);
  TableName name;
  options->writer.target.expand({"shop", "orders.old"}, name);
  EXPECT_EQ(name, (TableName{"copy_shop", "of.orders.old.now"}));
  const auto pattern = mongodb_sink_component().pattern(with);
  ASSERT_TRUE(pattern);
  EXPECT_TRUE(pattern->has_collection());
  EXPECT_TRUE(pattern->has_database());
  EXPECT_FALSE(mongodb_sink_component().pattern(settings())->has_collection());
  EXPECT_EQ(options->position_database, "tidemark");
  EXPECT_EQ(options_of(settings())->position_database, "planes");
}

TEST(MongodbSinkSettings, NoEventMayWriteWhatIsTheProgramsOwn) {
  auto with = settings();
  with.set("position_database", std::string("relays"));
  with.set("position_collection", std::string("marks"));
  ComponentContext context;
  context.reserved = {"shop.letters", "shop.old.letters"};
  const auto reserved = reserved_names(*options_of(with), context);
  const TableName all[] = {{"relays", "marks"},
                           {"relays", "tidemark_positions"},
                           {"tidemark", "tidemark_positions"},
                           {"shop", "letters"},
                           {"shop", "old.letters"}};
  for (const TableName& own : all) EXPECT_THAT(reserved, ::testing::Contains(own)) << own.text();
}

}  // namespace
}  // namespace tidemark::mongodb_sink
