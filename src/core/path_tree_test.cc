#include "core/path_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark {
namespace {

PathTree tree(const std::vector<std::string>& paths) {
  auto made = PathTree::make(paths);
  EXPECT_TRUE(made.has_value()) << made.error().describe();
  return std::move(*made);
}

bool matched(const PathTree& paths, std::string_view name) { return paths.step(paths.root(), name).matched; }
bool touched(const PathTree& paths, std::string_view name) {
  return paths.step(paths.root(), name).touched();
}

TEST(PathTree, ToldApartAreThePathWhatLiesUnderItAndWhatLiesAbove) {
  const PathTree paths = tree({"a.b.c", "d"});
  EXPECT_TRUE(matched(paths, "a.b.c"));
  EXPECT_TRUE(matched(paths, "a.b.c.x.y"));
  EXPECT_TRUE(matched(paths, "d"));
  EXPECT_FALSE(matched(paths, "a.b"));
  EXPECT_TRUE(touched(paths, "a.b"));
  EXPECT_TRUE(touched(paths, "a"));
  for (const char* name : {"b", "ab", "a.c", "dd", "a.b.cc", "", "a."})
    EXPECT_FALSE(touched(paths, name) && matched(paths, name)) << name;
  EXPECT_FALSE(touched(paths, "a.c"));
  EXPECT_FALSE(touched(paths, "dd"));
}

TEST(PathTree, GoesThroughIndexesAndTakesThemWhenNamed) {
  const PathTree paths = tree({"items.card", "tags.0"});
  EXPECT_TRUE(matched(paths, "items.card"));
  EXPECT_TRUE(matched(paths, "items.0.card"));
  EXPECT_TRUE(matched(paths, "items.3.12.card"));
  EXPECT_TRUE(touched(paths, "items.3"));
  EXPECT_FALSE(matched(paths, "items.3"));
  EXPECT_TRUE(matched(paths, "tags.0"));
  EXPECT_FALSE(matched(paths, "tags.1"));
  EXPECT_FALSE(touched(paths, "0.items.card"));
}

TEST(PathTree, NoPathsTouchNothing) {
  const PathTree paths = tree({});
  EXPECT_FALSE(touched(paths, "a"));
  EXPECT_FALSE(matched(paths, "a"));
}

TEST(PathTree, RefusesPathsThatAreNoneOrOverlap) {
  for (const std::vector<std::string>& bad : std::vector<std::vector<std::string>>{{""},
                                                                                   {"a..b"},
                                                                                   {".a"},
                                                                                   {"a."},
                                                                                   {"$a"},
                                                                                   {"a.$b"},
                                                                                   {"a", "a"},
                                                                                   {"a", "a.b"},
                                                                                   {"a.b", "a"},
                                                                                   {"a.b", "a.b.c.d"}})
    EXPECT_FALSE(PathTree::make(bad).has_value()) << ::testing::PrintToString(bad);
  EXPECT_TRUE(PathTree::make({"a.b", "a.c", "ab"}).has_value());
}

// --- a property: what a path names goes, all the rest stays, whatever the document

struct Growing {
  std::vector<std::string> paths;
  int public_values = 0;
  int secret_values = 0;
};

// Whether a field at this place (indexes left out) lies at or under one of the paths.
bool is_secret(const Growing& growing, const std::string& place) {
  return std::any_of(growing.paths.begin(), growing.paths.end(),
                     [&](const std::string& path) { return is_under(place, path); });
}

void grow(Growing& growing, bson::Builder& out, const std::string& place, int depth, bool is_array) {
  const int fields = *rc::gen::inRange(0, 5);
  for (int i = 0; i < fields; ++i) {
    // Arrays mostly have indexes for keys, and a server keeps those that don't.
    const std::string name = is_array ? (*rc::gen::inRange(0, 4) == 0 ? "x.y" : std::to_string(i))
                                      : std::string(1, static_cast<char>('a' + i % 4));
    const std::string here = is_array ? place : place.empty() ? name : place + "." + name;
    const int kind = depth == 0 ? 0 : *rc::gen::inRange(0, 3);
    if (kind == 0) {
      const bool secret = is_secret(growing, here);
      ++(secret ? growing.secret_values : growing.public_values);
      out.append(name, secret ? "SECRET" : "PUBLIC");
      continue;
    }
    bson::Builder inner;
    grow(growing, inner, here, depth - 1, kind == 2);
    if (kind == 2)
      out.append_array(name, inner.view());
    else
      out.append(name, inner.view());
  }
}

std::string bytes_of(bson::View document) {
  return {reinterpret_cast<const char*>(document.data()), document.size()};
}

int count(const std::string& text, const std::string& word) {
  int found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

RC_GTEST_PROP(PathTree, RewritingRemovesExactlyWhatThePathsName, ()) {
  Growing growing;
  const std::vector<std::vector<std::string>> choices = {{"a"}, {"a.b"}, {"a.b", "c"}, {"b.a.c", "b.b", "d"}};
  growing.paths = *rc::gen::elementOf(choices);
  bson::Builder document;
  grow(growing, document, "", 4, false);
  const PathTree paths = tree(growing.paths);
  bson::Builder out;
  paths.rewrite(document.view(), paths.root(), false, out, [](auto&&...) { return false; });
  // The bytes, as the text of an array with odd keys doesn't show its items.
  const std::string rest = bytes_of(out.view());
  RC_ASSERT(count(rest, "SECRET") == 0);
  RC_ASSERT(count(rest, "PUBLIC") == growing.public_values);
  RC_ASSERT(bson::View::parse(out.view().bytes()).has_value());

  bson::Builder kept;
  paths.keep_only(document.view(), paths.root(), false, kept);
  const std::string only = bytes_of(kept.view());
  RC_ASSERT(count(only, "SECRET") == growing.secret_values);
  RC_ASSERT(count(only, "PUBLIC") == 0);
}

}  // namespace
}  // namespace tidemark
