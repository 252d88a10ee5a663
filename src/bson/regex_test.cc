#include "bson/regex.h"

#include <gtest/gtest.h>

namespace tidemark::bson {
namespace {

bool search(std::string_view pattern, std::string_view text, std::string_view options = "") {
  const auto regex = Regex::parse(pattern, options);
  EXPECT_TRUE(regex) << pattern << ": " << (regex ? "" : regex.error().what);
  return regex && regex->search(text);
}

TEST(Regex, FindsLiteralsAnywhereAndPrefixesAtTheStart) {
  EXPECT_TRUE(search("ell", "hello"));
  EXPECT_TRUE(search("^he", "hello"));
  EXPECT_FALSE(search("^el", "hello"));
  EXPECT_TRUE(search("", "x"));
}

TEST(Regex, KnowsQuantifiersGroupsAndAlternatives) {
  EXPECT_TRUE(search("^a(b|cd)+e$", "abcdbe"));
  EXPECT_FALSE(search("^a(b|cd)+e$", "ace"));
  EXPECT_TRUE(search("^x{2,3}$", "xxx"));
  EXPECT_FALSE(search("^x{2,3}$", "xxxx"));
  EXPECT_TRUE(search("^(?:foo|bar|baz)$", "baz"));
  EXPECT_TRUE(search("a.*?b", "a--b"));
  EXPECT_TRUE(search("^x{,3}$", "x{,3}"));
}

TEST(Regex, KnowsClassesAndEscapes) {
  EXPECT_TRUE(search("^[a-c\\d]+$", "a1b2"));
  EXPECT_FALSE(search("^[^a-c]+$", "xay"));
  EXPECT_TRUE(search("\\bcat\\b", "a cat sat"));
  EXPECT_FALSE(search("\\bcat\\b", "concatenate"));
  EXPECT_TRUE(search("^\\w+@\\w+\\.com$", "me@here.com"));
  EXPECT_TRUE(search("^[]x]$", "]"));
  EXPECT_TRUE(search("^.$", "\xc3\xa9"));
}

TEST(Regex, ObeysItsOptions) {
  EXPECT_TRUE(search("HELLO", "hello", "i"));
  EXPECT_TRUE(search("[A-Z]+x", "abX", "i"));
  EXPECT_TRUE(search("^b$", "a\nb\nc", "m"));
  EXPECT_FALSE(search("^b$", "a\nb\nc"));
  EXPECT_FALSE(search("a.b", "a\nb"));
  EXPECT_TRUE(search("a.b", "a\nb", "s"));
  EXPECT_TRUE(search("a b # comment", "ab", "x"));
}

TEST(Regex, RefusesWhatItDoesNotKnow) {
  for (const char* pattern : {"(?=a)", "(?<n>a)", "(a", "a)", "[a", "*a", "\\1", "a++", "x{1001}"}) {
    const auto regex = Regex::parse(pattern, "");
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().code, 51091) << pattern;
  }
  EXPECT_EQ(Regex::parse("a", "g").error().code, 51108);
}

TEST(Regex, TakesLinearTimeWhereBacktrackingWouldNot) {
  EXPECT_FALSE(search("^(a+)+$", std::string(5000, 'a') + "b"));
  EXPECT_TRUE(search("^(.|\\n)*$", std::string(500000, 'x')));
}

TEST(Regex, BoundsThePattern) {
  EXPECT_FALSE(Regex::parse(std::string(40000, 'a'), ""));
  EXPECT_FALSE(Regex::parse("((a{1000}){1000}){1000}", ""));
  EXPECT_FALSE(Regex::parse(std::string(10000, '('), ""));
}

}  // namespace
}  // namespace tidemark::bson
