#include <optional>
#include <utility>

#include "config/fields.h"
#include "core/event_edit.h"
#include "core/path_tree.h"
#include "transforms/project/component.h"
#include "transforms/project/rename.h"

namespace tidemark {
namespace {

class ProjectTransform final : public Transform {
 public:
  enum class Mode { kAll, kInclude, kExclude };

  ProjectTransform(Mode mode, PathTree paths, std::vector<Rename> renames)
      : mode_(mode), paths_(std::move(paths)), renames_(std::move(renames)) {}

  std::vector<std::string> before(const std::string& path) const override {
    std::vector<std::string> paths = {path};
    // The renames backwards: each may have moved the field, or a document that holds it.
    for (auto rename = renames_.rbegin(); rename != renames_.rend(); ++rename) {
      const size_t known = paths.size();
      for (size_t i = 0; i < known; ++i) {
        const std::string at = paths[i];
        if (is_under(at, rename->to))
          paths.push_back(rename->from + at.substr(rename->to.size()));
        else if (is_under(rename->to, at))
          paths.push_back(rename->from);
      }
    }
    return paths;
  }

  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    TIDEMARK_ASSIGN(const bson::Document before, shaped(event.before));
    TIDEMARK_ASSIGN(const bson::Document after, shaped(event.after));
    const bson::Document update = shaped_update(event.update);
    EventEdit edit;
    if (!(before.view() == event.before)) edit.before = before;
    if (!(after.view() == event.after)) edit.after = after;
    if (!(update.view() == event.update)) edit.update = update;
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    return Verdict::kKeep;
  }

 private:
  bson::Document cut(bson::View document) const {
    bson::Builder out;
    switch (mode_) {
      case Mode::kAll:
        return bson::Document(document);
      case Mode::kInclude:
        paths_.keep_only(document, paths_.root(), false, out);
        break;
      case Mode::kExclude:
        paths_.rewrite(document, paths_.root(), false, out, [](auto&&...) { return false; });
        break;
    }
    return out.finish();
  }

  Result<bson::Document> shaped(bson::View document) const {
    if (!document) return bson::Document();
    bson::Document result = cut(document);
    for (const Rename& rename : renames_) {
      TIDEMARK_ASSIGN(result, rename_field(result, rename));
    }
    return result;
  }

  // Whether a name that stands alone, without a value, is still one of the document's.
  bool keeps_name(std::string_view name) const {
    const PathTree::State state = paths_.step(paths_.root(), name);
    if (mode_ == Mode::kInclude) return state.touched();
    return mode_ == Mode::kAll || !state.matched;
  }

  bson::Document shaped_update(bson::View update) const {
    if (!update) return {};
    UpdateNames names;
    if (const auto fields = update.find("updatedFields"); fields && fields->is_document()) {
      const bson::Document kept = cut(fields->document());
      for (const bson::Element field : kept.view()) {
        bson::Builder value;
        value.append("", field);
        names.set.push_back({std::string(field.key()), value.finish()});
      }
    }
    if (const auto removed = update.find("removedFields"); removed && removed->is_array()) {
      for (const bson::Element name : removed->document()) {
        if (name.is_string() && keeps_name(name.string())) names.removed.emplace_back(name.string());
      }
    }
    for (const Rename& rename : renames_) rename_in_update(names, rename);
    return rebuilt_update(update, names);
  }

  bson::Document rebuilt_update(bson::View update, const UpdateNames& names) const {
    bson::Builder set, removed, out;
    for (const UpdateNames::Set& field : names.set) {
      if (const auto value = field.value.view().find("")) set.append(field.name, *value);
    }
    for (size_t i = 0; i < names.removed.size(); ++i) removed.append(std::to_string(i), names.removed[i]);
    for (const bson::Element field : update) {
      if (field.key() == "updatedFields")
        out.append(field.key(), set.view());
      else if (field.key() == "removedFields")
        out.append_array(field.key(), removed.view());
      else if (field.key() == "truncatedArrays" && field.is_array())
        append_truncated(field.document(), out);
      else if (field.key() != "disambiguatedPaths")  // it speaks of names that may be others now
        out.append(field.key(), field);
    }
    return out.finish();
  }

  void append_truncated(bson::View arrays, bson::Builder& out) const {
    bson::Builder kept;
    int index = 0;
    for (const bson::Element item : arrays) {
      const auto field = item.is_document() ? item.document().find("field") : std::nullopt;
      if (!field || !field->is_string() || !keeps_name(field->string())) continue;
      std::string name(field->string());
      for (const Rename& rename : renames_) name = renamed(name, rename);
      bson::Builder entry;
      for (const bson::Element part : item.document()) {
        if (part.key() == "field")
          entry.append("field", name);
        else
          entry.append(part.key(), part);
      }
      kept.append(std::to_string(index++), entry.view());
    }
    out.append_array("truncatedArrays", kept.view());
  }

  const Mode mode_;
  const PathTree paths_;
  const std::vector<Rename> renames_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "transform";
  spec.type = "project";
  spec.summary =
      "Changes the shape of documents: keeps some fields (`include`) or removes some (`exclude`), then "
      "renames. It works on `fullDocument`, `fullDocumentBeforeChange` and `updateDescription` alike. `_id` "
      "always stays: rows are found by it.";
  spec.fields = {
      with_example(
          list("include",
               "Only these fields stay, and `_id`. Dotted paths, through arrays too. Excludes `exclude`."),
          "[\"status\", \"customer.name\"]"),
      list("exclude", "These fields go. Dotted paths, through arrays too. Excludes `include`."),
      with_example(map("rename",
                       "Old path to new path, done in this order after `include` or `exclude`. Not through "
                       "arrays. A field that stands at the new path is replaced."),
                   "{ \"customer.name\" = \"customer_name\" }")};
  return spec;
}

Result<std::vector<Rename>> read_renames(const config::Settings& settings) {
  std::vector<Rename> renames;
  for (const auto& [from, to] : settings.map("rename")) {
    Rename rename{from, to, {}, {}};
    for (auto [path, parts] : {std::pair(&from, &rename.from_parts), std::pair(&to, &rename.to_parts)}) {
      auto split = split_path(*path);
      if (!split) return fail(settings.error("rename", split.error().what, split.error().hint));
      if (is_under(*path, "_id"))
        return fail(settings.error("rename", "`_id` can't be renamed, nor another field to it",
                                   "rows are found by `_id`"));
      *parts = std::move(*split);
    }
    if (is_under(from, to) || is_under(to, from))
      return fail(settings.error("rename",
                                 "\"" + from + "\" can't become \"" + to + "\": one lies within the other"));
    for (const Rename& other : renames) {
      if (is_under(other.to, to) || is_under(to, other.to))
        return fail(settings.error("rename", "two fields can't both become \"" + to + "\""));
    }
    renames.push_back(std::move(rename));
  }
  return renames;
}

Result<std::unique_ptr<Transform>> make(const config::Settings& settings, const ComponentContext&) {
  using Mode = ProjectTransform::Mode;
  std::vector<std::string> include = settings.list("include");
  const std::vector<std::string>& exclude = settings.list("exclude");
  if (!include.empty() && !exclude.empty())
    return fail(settings.error("exclude", "include and exclude can't stand together",
                               "name what stays, or name what goes"));
  for (const std::string& path : exclude) {
    if (is_under(path, "_id"))
      return fail(settings.error("exclude", "`_id` can't be removed", "rows are found by `_id`"));
  }
  const Mode mode = !include.empty() ? Mode::kInclude : !exclude.empty() ? Mode::kExclude : Mode::kAll;
  if (mode == Mode::kInclude) {
    std::erase_if(include, [](const std::string& path) { return is_under(path, "_id"); });
    include.emplace_back("_id");
  }
  auto paths = PathTree::make(mode == Mode::kInclude ? include : exclude);
  if (!paths)
    return fail(settings.error(mode == Mode::kInclude ? "include" : "exclude", paths.error().what,
                               paths.error().hint));
  TIDEMARK_ASSIGN(std::vector<Rename> renames, read_renames(settings));
  if (mode == Mode::kAll && renames.empty())
    return fail(settings.error("", "nothing to do", "give include, exclude or rename"));
  return std::make_unique<ProjectTransform>(mode, std::move(*paths), std::move(renames));
}

}  // namespace

const TransformComponent& project_transform_component() {
  static const TransformComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
