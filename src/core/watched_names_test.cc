#include "core/watched_names.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

ExcludedNames excluding(const std::vector<std::string>& texts) { return ExcludedNames::parse(texts).value(); }

TEST(WatchedNames, KnowsTheCollectionsThatTheServerMakesForAMoment) {
  for (const char* name : {"tmp.agg_out.6c3a1bb6-3b0f-4a9e-9d53-0c8c1ef2a7cd", "tmp.mr.orders_12",
                           "tmpq2Xc9.renameCollection", "tmpq2Xc9.convertToCapped",
                           "tmpq2Xc9.convertToCapped.orders", "system.views", "system.buckets.temps"})
    EXPECT_TRUE(is_temporary_collection(name)) << name;
  for (const char* name : {"orders", "tmp", "tmp.orders", "tmpfiles", "tmp.renameCollection", "systems",
                           "tmpq2Xc9.renameCollections", "fs.chunks", "$cmd", "a.system.b"})
    EXPECT_FALSE(is_temporary_collection(name)) << name;
}

TEST(WatchedNames, ExcludeNamesACollectionOrAWholeDatabase) {
  const ExcludedNames names = excluding({"shop.orders_pkey", "logs.*", "shop.a.b"});
  EXPECT_TRUE(names.has("shop", "orders_pkey"));
  EXPECT_TRUE(names.has("shop", "a.b"));
  EXPECT_TRUE(names.has("logs", "today"));
  EXPECT_TRUE(names.has("logs", ""));
  EXPECT_FALSE(names.has("shop", "orders"));
  EXPECT_FALSE(names.has("shop", ""));
  EXPECT_FALSE(names.has("Shop", "orders_pkey"));
}

TEST(WatchedNames, ExcludeRefusesWhatNamesNothing) {
  for (const char* bad : {"", "orders", ".orders", "shop."}) {
    const auto parsed = ExcludedNames::parse({bad});
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().react, React::kConfig);
    EXPECT_NE(parsed.error().hint.find("database.collection"), std::string::npos);
  }
}

TEST(WatchedNames, TheConfigurationAloneSaysWhatIsWatched) {
  WatchedNames all{"", "", excluding({"shop.secret"})};
  EXPECT_TRUE(all.has({"shop", "orders"}));
  EXPECT_FALSE(all.has({"shop", "secret"}));
  EXPECT_FALSE(all.has({"shop", "tmp.agg_out.1"}));
  EXPECT_FALSE(all.has({"shop", ""}));
  WatchedNames one{"shop", "orders", {}};
  EXPECT_TRUE(one.has({"shop", "orders"}));
  EXPECT_FALSE(one.has({"shop", "old"}));
  EXPECT_FALSE(one.has({"other", "orders"}));
}

}  // namespace
}  // namespace tidemark
