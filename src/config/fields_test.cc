#include "config/fields.h"

#include <gtest/gtest.h>

namespace tidemark::config::fields {
namespace {

TEST(Fields, AChoiceBeginsWithItsDefault) {
  const FieldSpec mode = choice("mode", {"current", "log"}, "What is kept.");
  EXPECT_EQ(mode.type, FieldType::kEnum);
  EXPECT_EQ(mode.default_text, "current");
  EXPECT_EQ(mode.choices, (std::vector<std::string>{"current", "log"}));
  EXPECT_EQ(optional_choice("severity", {"warning"}, "").default_text, "");
}

TEST(Fields, AConnectionStringIsAskedForAndNeverShown) {
  const FieldSpec made = uri("ORDERS_URI", "The database.");
  EXPECT_EQ(made.name, "uri");
  EXPECT_EQ(made.doc, "The database.");
  EXPECT_TRUE(made.required);
  EXPECT_TRUE(made.secret);
  EXPECT_EQ(made.example, "\"${ORDERS_URI}\"");
}

TEST(Fields, WhatCountsHasBounds) {
  const FieldSpec wait = duration("wait", "5s", 1, 600'000, "How long.");
  EXPECT_EQ(wait.type, FieldType::kDuration);
  EXPECT_EQ(wait.default_text, "5s");
  EXPECT_EQ(wait.min, 1);
  EXPECT_EQ(wait.max, 600'000);
  EXPECT_EQ(number("count", "3", 1, 9, "").type, FieldType::kInteger);
  EXPECT_EQ(bytes("size", "1KiB", 1, 4096, "").type, FieldType::kBytes);
}

TEST(Fields, WhatIsAddedKeepsTheRest) {
  const FieldSpec salt = secret(text("salt", "The key."));
  EXPECT_TRUE(salt.secret);
  EXPECT_FALSE(salt.required);
  EXPECT_EQ(salt.doc, "The key.");
  const FieldSpec path = required(text("path", "orders.db", "The file."), "\"a.db\"");
  EXPECT_TRUE(path.required);
  EXPECT_EQ(path.default_text, "orders.db");
  EXPECT_EQ(path.example, "\"a.db\"");
  EXPECT_EQ(flag("on", true, "").default_text, "true");
  EXPECT_EQ(flag("off", false, "").default_text, "false");
}

}  // namespace
}  // namespace tidemark::config::fields
