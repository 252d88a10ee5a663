#include "config/settings.h"

#include <gtest/gtest.h>

namespace tidemark::config {
namespace {

TEST(Settings, AFieldWithoutValueIsItsTypesEmptyValue) {
  const Settings settings;
  EXPECT_EQ(settings.string("a"), "");
  EXPECT_EQ(settings.integer("a"), 0);
  EXPECT_FALSE(settings.boolean("a"));
  EXPECT_TRUE(settings.list("a").empty());
  EXPECT_TRUE(settings.map("a").empty());
  EXPECT_FALSE(settings.has("a"));
}

TEST(Settings, ErrorsNameTheFieldWhetherItWasGivenOrNot) {
  Settings settings;
  settings.set_where("x.toml:3:1, pipeline.sink");
  settings.set("path", std::string("out"), "x.toml:5:8, pipeline.sink.path");
  EXPECT_EQ(settings.error("path", "is a folder").what, "x.toml:5:8, pipeline.sink.path: is a folder");
  EXPECT_EQ(settings.error("mode", "is missing").what, "x.toml:3:1, pipeline.sink.mode: is missing");
  EXPECT_EQ(settings.error("path", "x", "hint").hint, "hint");
  EXPECT_EQ(settings.error("path", "x").react, React::kConfig);
  EXPECT_EQ(Settings().error("path", "is a folder").what, "path: is a folder");
}

TEST(SettingsDeathTest, ReadingAnotherTypeThanWasSetIsAProgrammersError) {
  Settings settings;
  settings.set("lanes", int64_t{4});
  EXPECT_DEATH((void)settings.string("lanes"), "broken invariant");
}

}  // namespace
}  // namespace tidemark::config
