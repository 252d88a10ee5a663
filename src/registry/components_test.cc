#include "registry/components.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TransformComponent named(const char* type) {
  return {.spec = {.kind = "transform", .type = type}, .make = {}};
}

TEST(Registry, FindsWhatItWasGivenAndListsItByName) {
  const Registry<TransformComponent> registry = {named("redact"), named("filter")};
  ASSERT_NE(registry.find("filter"), nullptr);
  EXPECT_EQ(registry.find("filter")->spec.type, "filter");
  EXPECT_EQ(&registry.get("filter"), registry.find("filter"));
  EXPECT_EQ(registry.find("filters"), nullptr);
  ASSERT_EQ(registry.specs().size(), 2u);
  EXPECT_EQ(registry.specs()[0]->type, "filter");
  EXPECT_EQ(registry.specs()[1]->type, "redact");
}

TEST(RegistryDeathTest, TwoOfOneTypeAreAProgrammersError) {
  Registry<TransformComponent> registry = {named("redact")};
  EXPECT_DEATH(registry.add(named("redact")), "same type");
}

}  // namespace
}  // namespace tidemark
