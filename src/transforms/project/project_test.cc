#include <gmock/gmock.h>

#include "support/transform_fixture.h"
#include "transforms/project/component.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using Strings = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

config::Settings project_settings(Strings include, Strings exclude, Pairs rename) {
  config::Settings settings;
  settings.set_where("x.toml:8:1, pipeline.transform");
  settings.set("include", std::move(include));
  settings.set("exclude", std::move(exclude));
  settings.set("rename", std::move(rename));
  return settings;
}

class ProjectTest : public testing::TransformFixture {
 protected:
  std::unique_ptr<Transform> make(Strings include, Strings exclude, Pairs rename) {
    auto transform = project_transform_component().make(project_settings(include, exclude, rename), {});
    EXPECT_TRUE(transform.has_value()) << transform.error().describe();
    return std::move(*transform);
  }
  std::string document(const Transform& transform, std::string_view text) {
    return json(apply(transform, "insert", R"({"fullDocument": )" + std::string(text) + "}").after);
  }
  std::string update(const Transform& transform, std::string_view text) {
    return json(apply(transform, "update", R"({"updateDescription": )" + std::string(text) + "}").update);
  }
};

TEST_F(ProjectTest, ExcludesFieldsAtAnyDepth) {
  const auto project = make({}, {"secret", "customer.email", "items.cost"}, {});
  EXPECT_EQ(document(*project, R"({"_id": 1, "secret": 1, "customer": {"email": "x", "name": "Ann"},
                                   "items": [{"cost": 1, "sku": "a"}, {"cost": 2}]})"),
            same(R"({"_id": 1, "customer": {"name": "Ann"}, "items": [{"sku": "a"}, {}]})"));
}

TEST_F(ProjectTest, IncludesFieldsAndAlwaysTheId) {
  const auto project = make({"status", "customer.name", "items.sku"}, {}, {});
  EXPECT_EQ(
      document(*project,
               R"({"_id": {"a": 1}, "status": "new", "x": 1, "customer": {"email": "x", "name": "Ann"},
                                   "items": [{"cost": 1, "sku": "a"}, 5, {"cost": 2}]})"),
      same(
          R"({"_id": {"a": 1}, "status": "new", "customer": {"name": "Ann"}, "items": [{"sku": "a"}, {}]})"));
}

TEST_F(ProjectTest, RenamesAcrossDepths) {
  const auto project = make({}, {}, {{"customer.name", "name"}, {"total", "sums.total"}});
  EXPECT_EQ(document(*project, R"({"_id": 1, "customer": {"name": "Ann", "n": 1}, "total": 5})"),
            same(R"({"_id": 1, "customer": {"n": 1}, "name": "Ann", "sums": {"total": 5}})"));
  EXPECT_EQ(document(*project, R"({"_id": 1, "total": 5, "sums": {"a": 1, "total": 0}})"),
            same(R"({"_id": 1, "sums": {"a": 1, "total": 5}})"));
  EXPECT_EQ(document(*project, R"({"_id": 1, "other": 5})"), same(R"({"_id": 1, "other": 5})"));
}

TEST_F(ProjectTest, ShapesTheStateBeforeLikeTheStateAfter) {
  const auto project = make({}, {"x"}, {{"a", "b"}});
  const Event& event = apply(*project, "update",
                             R"({"fullDocument": {"_id": 1, "a": 2, "x": 1}, "fullDocumentBeforeChange":
                                 {"_id": 1, "a": 1, "x": 0}})");
  EXPECT_EQ(json(event.after), same(R"({"_id": 1, "b": 2})"));
  EXPECT_EQ(json(event.before), same(R"({"_id": 1, "b": 1})"));
}

TEST_F(ProjectTest, TheUpdatesDescriptionFollowsAnExclusion) {
  const auto project = make({}, {"a.b", "c"}, {});
  EXPECT_EQ(update(*project, R"({"updatedFields": {"a": {"b": 1, "x": 2}, "a.b.z": 1, "a.y": 1, "d": 1},
                                 "removedFields": ["c", "c.q", "a", "e"],
                                 "truncatedArrays": [{"field": "c", "newSize": 1}, {"field": "f", "newSize": 2}]})"),
            same(R"({"updatedFields": {"a": {"x": 2}, "a.y": 1, "d": 1}, "removedFields": ["a", "e"],
                     "truncatedArrays": [{"field": "f", "newSize": 2}]})"));
}

TEST_F(ProjectTest, TheUpdatesDescriptionFollowsAnInclusion) {
  const auto project = make({"a.b"}, {}, {});
  EXPECT_EQ(update(*project, R"({"updatedFields": {"a.b.z": 1, "a": {"b": 1, "x": 2}, "q": 1},
                                 "removedFields": ["a", "a.b", "a.x", "e"]})"),
            same(R"({"updatedFields": {"a.b.z": 1, "a": {"b": 1}}, "removedFields": ["a", "a.b"]})"));
}

TEST_F(ProjectTest, TheUpdatesDescriptionFollowsARename) {
  const auto project = make({}, {}, {{"a.b", "c"}});
  EXPECT_EQ(update(*project, R"({"updatedFields": {"a.b": 1, "a.x": 2}, "removedFields": []})"),
            same(R"({"updatedFields": {"c": 1, "a.x": 2}, "removedFields": []})"));
  EXPECT_EQ(update(*project, R"({"updatedFields": {"a.b.deep": 1}, "removedFields": []})"),
            same(R"({"updatedFields": {"c.deep": 1}, "removedFields": []})"));
  // The document above was set whole: the field is found in it, or is gone.
  EXPECT_EQ(update(*project, R"({"updatedFields": {"a": {"b": 1, "x": 2}}, "removedFields": []})"),
            same(R"({"updatedFields": {"a": {"x": 2}, "c": 1}, "removedFields": []})"));
  EXPECT_EQ(update(*project, R"({"updatedFields": {"a": {"x": 2}}, "removedFields": []})"),
            same(R"({"updatedFields": {"a": {"x": 2}}, "removedFields": ["c"]})"));
  EXPECT_EQ(update(*project, R"({"updatedFields": {}, "removedFields": ["a", "a.b", "z"]})"),
            same(R"({"updatedFields": {}, "removedFields": ["a", "c", "z", "c"]})"));
}

TEST_F(ProjectTest, AnEventThatItDoesNotTouchStaysAsItIs) {
  const auto project = make({}, {"x"}, {{"a", "b"}});
  EXPECT_EQ(apply(*project, "insert", R"({"fullDocument": {"_id": 1, "q": 2}})").after_extra, 0u);
  EXPECT_EQ(apply(*project, "delete", "{}").after_extra, 0u);
  EXPECT_EQ(apply(*project, "drop", "{}", "{}").after_extra, 0u);
  EXPECT_EQ(json(apply(*project, "update", R"({"fullDocument": null})").after), "none");
}

TEST_F(ProjectTest, AnAnswerThatCantBeGivenRejectsTheEvent) {
  const auto project = make({}, {}, {{"total", "sums.total"}});
  Event& event = testing::add_event(
      batch_, testing::change_event(9, "insert", R"({"_id": 1})",
                                    R"({"fullDocument": {"_id": 1, "total": 5, "sums": 7}})"));
  auto verdict = project->apply(event, batch_);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().react, React::kReject);
  EXPECT_THAT(verdict.error().what, HasSubstr("`sums` is no document"));
}

TEST_F(ProjectTest, SaysWhereAFieldWasBeforeItsRenames) {
  using ::testing::UnorderedElementsAre;
  const auto project = make({}, {}, {{"a", "b.c"}, {"x", "y"}});
  EXPECT_THAT(project->before("b.c"), UnorderedElementsAre("b.c", "a"));
  EXPECT_THAT(project->before("b.c.d"), UnorderedElementsAre("b.c.d", "a.d"));
  EXPECT_THAT(project->before("b"), UnorderedElementsAre("b", "a"))
      << "a field that goes into what is hidden";
  EXPECT_THAT(project->before("y"), UnorderedElementsAre("y", "x"));
  EXPECT_THAT(project->before("z"), UnorderedElementsAre("z"));
}

TEST(Project, RefusesWhatItCantDo) {
  for (const auto& [settings, text] : std::vector<std::pair<config::Settings, std::string>>{
           {project_settings({}, {"_id"}, {}), "`_id` can't be removed"},
           {project_settings({}, {"_id.a"}, {}), "`_id` can't be removed"},
           {project_settings({}, {}, {{"_id", "a"}}), "`_id` can't be renamed"},
           {project_settings({}, {}, {{"a", "_id"}}), "`_id` can't be renamed"},
           {project_settings({}, {}, {{"a", "a.b"}}), "one lies within the other"},
           {project_settings({}, {}, {{"a", "c"}, {"b", "c"}}), "can't both become"},
           {project_settings({"a"}, {"b"}, {}), "can't stand together"},
           {project_settings({"a", "a.b"}, {}, {}), "lies above or under"},
           {project_settings({}, {"a."}, {}), "is no path"},
           {project_settings({}, {}, {}), "nothing to do"}}) {
    auto made = project_transform_component().make(settings, {});
    ASSERT_FALSE(made.has_value()) << text;
    EXPECT_EQ(made.error().react, React::kConfig);
    EXPECT_THAT(made.error().what, HasSubstr("x.toml:8:1"));
    EXPECT_THAT(made.error().what, HasSubstr(text));
  }
}

}  // namespace
}  // namespace tidemark
