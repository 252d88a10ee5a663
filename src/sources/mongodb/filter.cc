#include "sources/mongodb/filter.h"

#include <algorithm>
#include <array>

namespace tidemark::mongodb {
namespace {

// What every event must keep: the token to resume from, and the type, by which an invalidate is known.
constexpr std::array<std::string_view, 2> kNeeded = {"_id", "operationType"};

tl::unexpected<Error> refuse(std::string what, std::string hint) {
  return fail(React::kConfig, std::move(what), std::move(hint));
}

std::string stage_name(size_t index, std::string_view name) {
  return "stage " + std::to_string(index + 1) + " (" + std::string(name) + ")";
}

// The needed field that `path` names or lies within; empty when it touches none.
std::string_view needed_field(std::string_view path) {
  const std::string_view head = path.substr(0, path.find('.'));
  const auto it = std::find(kNeeded.begin(), kNeeded.end(), head);
  return it == kNeeded.end() ? std::string_view() : *it;
}

tl::unexpected<Error> touches(const std::string& stage, std::string_view verb, std::string_view field) {
  const std::string why = field == "_id"
                              ? "it is the event's resume token, without which the stream cannot be resumed"
                              : "without it the end of the stream cannot be recognised";
  return refuse(
      stage + " " + std::string(verb) + " `" + std::string(field) + "`: " + why,
      "leave `" + std::string(field) + "` as it is; the transforms `project` and `redact` change documents");
}

bool keeps_as_is(const bson::Element& value, std::string_view field) {
  if (value.is_number() || value.type() == BSON_TYPE_BOOL) return value.truthy();
  return value.is_string() && value.string() == "$" + std::string(field);
}

Status lint_project(const std::string& stage, bson::View fields) {
  bool inclusion = false;
  std::array<bool, kNeeded.size()> kept{true, false};  // an inclusion keeps _id without being told
  for (const bson::Element field : fields) {
    const std::string_view needed = needed_field(field.key());
    const bool removes = (field.is_number() || field.type() == BSON_TYPE_BOOL) && !field.truthy();
    if (!removes && field.key() != "_id") inclusion = true;
    if (needed.empty()) continue;
    if (removes) return touches(stage, "removes", needed);
    if (field.key() != needed || !keeps_as_is(field, needed)) return touches(stage, "changes", needed);
    kept[needed == kNeeded[0] ? 0 : 1] = true;
  }
  if (inclusion && !kept[1]) return touches(stage, "does not list, and so removes,", kNeeded[1]);
  return {};
}

Status lint_set(const std::string& stage, bson::View fields) {
  for (const bson::Element field : fields) {
    if (const auto needed = needed_field(field.key()); !needed.empty())
      return touches(stage, "changes", needed);
  }
  return {};
}

Status lint_unset(const std::string& stage, const bson::Element& value) {
  const auto check = [&stage](const bson::Element& item) -> Status {
    if (!item.is_string())
      return refuse(stage + " takes a field name or a list of them", "write {\"$unset\": \"a.b\"}");
    if (const auto needed = needed_field(item.string()); !needed.empty())
      return touches(stage, "removes", needed);
    return {};
  };
  if (!value.is_array()) return check(value);
  for (const bson::Element item : value.document()) TIDEMARK_TRY(check(item));
  return {};
}

Status lint_stage(size_t index, bson::View stage) {
  size_t fields = 0;
  for (const bson::Element field : stage) {
    ++fields;
    if (fields > 1) break;
    const std::string name = stage_name(index, field.key());
    const std::string_view key = field.key();
    const bool document = field.is_document();
    if (key == "$match" || key == "$project" || key == "$addFields" || key == "$set" || key == "$redact") {
      if (!document && key != "$redact")
        return refuse(name + " takes a document", "write {\"$match\": {...}}");
      if (key == "$project") TIDEMARK_TRY(lint_project(name, field.document()));
      if (key == "$addFields" || key == "$set") TIDEMARK_TRY(lint_set(name, field.document()));
    } else if (key == "$unset") {
      TIDEMARK_TRY(lint_unset(name, field));
    } else if (key == "$replaceRoot" || key == "$replaceWith") {
      return refuse(name + " replaces the event and with it `_id`, its resume token",
                    "use $project, $set or $unset, or the transform `project`");
    } else if (key == "$changeStream" || key == "$changeStreamSplitLargeEvent") {
      return refuse(name + " is added by Tidemark itself",
                    "remove it; `split_large_events` governs splitting");
    } else if (key.starts_with("$")) {
      return refuse(name + " is refused by change streams",
                    "they take $match, $project, $addFields, $set, $unset and $redact");
    } else {
      return refuse(name + " is not an aggregation stage: its name must begin with $",
                    "to match documents write {\"$match\": {\"" + std::string(key) + "\": ...}}");
    }
  }
  if (fields != 1) {
    return refuse(
        "stage " + std::to_string(index + 1) + " has " + (fields == 0 ? "no field" : "more than one field"),
        "each stage is one document with one field: {\"$match\": {...}}");
  }
  return {};
}

// {$match: X} -> {$match: {$or: [{operationType: "invalidate"}, X]}}, and {operationType: "rename"} with `renames`
void widen_match(bson::View condition, bool renames, bson::Builder& out) {
  bson::Builder invalidate, rename;
  invalidate.append("operationType", "invalidate");
  rename.append("operationType", "rename");
  bson::Builder either;
  either.append("0", invalidate.view()).append("1", condition);
  if (renames) either.append("2", rename.view());
  bson::Builder match;
  match.append_array("$or", either.view());
  out.append("$match", match.view());
}

// {$redact: X} -> {$redact: {$cond: [{$eq: ["$operationType", "invalidate"]}, "$$KEEP", X]}}
void widen_redact(const bson::Element& expression, bson::Builder& out) {
  bson::Builder operands;
  operands.append("0", "$operationType").append("1", "invalidate");
  bson::Builder is_invalidate;
  is_invalidate.append_array("$eq", operands.view());
  bson::Builder branches;
  branches.append("0", is_invalidate.view()).append("1", "$$KEEP").append("2", expression);
  bson::Builder cond;
  cond.append_array("$cond", branches.view());
  out.append("$redact", cond.view());
}

bson::Document widen(bson::View written, bool renames) {
  bson::Builder stages;
  for (const bson::Element item : written) {
    const bson::Element stage = *item.document().begin();
    bson::Builder widened;
    if (stage.key() == "$match" && !stage.document().empty())
      widen_match(stage.document(), renames, widened);
    else if (stage.key() == "$redact")
      widen_redact(stage, widened);
    else
      widened.append(stage.key(), stage);
    stages.append(item.key(), widened.view());
  }
  return stages.finish();
}

}  // namespace

Result<Filter> parse_filter(std::string_view json) {
  const size_t first = json.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    const bson::Document none = bson::Builder().finish();
    return Filter{none, none};
  }
  constexpr const char* kHint =
      "write a JSON array of stages: '[{\"$match\": {\"operationType\": \"insert\"}}]'";
  if (json[first] != '[') return refuse("it must be a JSON array of aggregation stages", kHint);
  auto parsed = bson::Document::from_json("{\"filter\": " + std::string(json) + "}");
  if (!parsed) return refuse(parsed.error().what, kHint);
  const auto array = parsed->view().find("filter");
  if (!array || !array->is_array()) return refuse("it must be a JSON array of aggregation stages", kHint);

  Filter filter;
  filter.written = bson::Document(array->document());
  size_t index = 0;
  for (const bson::Element item : filter.written.view()) {
    if (!item.is_document())
      return refuse("stage " + std::to_string(index + 1) + " is not a document", kHint);
    TIDEMARK_TRY(lint_stage(index, item.document()));
    ++index;
  }
  filter.stages = widen(filter.written, false);
  return filter;
}

std::optional<std::vector<bson::Matcher>> matchers_of(const Filter& filter) {
  std::vector<bson::Matcher> matchers;
  for (const bson::Element item : filter.written.view()) {
    const bson::Element stage = *item.document().begin();
    if (stage.key() != "$match" || !stage.is_document()) return std::nullopt;
    auto matcher = bson::Matcher::parse(stage.document());
    if (!matcher) return std::nullopt;
    matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

std::vector<bson::Matcher> name_conditions(const Filter& filter) {
  constexpr std::array kNames = {"ns", "ns.db", "ns.coll", "operationType"};
  std::vector<bson::Matcher> matchers;
  for (const bson::Element item : filter.written.view()) {
    const bson::Element stage = *item.document().begin();
    if (stage.key() != "$match" || !stage.is_document()) continue;
    bson::Builder names;
    for (const bson::Element condition : stage.document())
      if (std::find(kNames.begin(), kNames.end(), condition.key()) != kNames.end())
        names.append(condition.key(), condition);
    if (auto matcher = bson::Matcher::parse(names.view())) matchers.push_back(std::move(*matcher));
  }
  return matchers;
}

bson::Document stages_with_renames(const Filter& filter) { return widen(filter.written, true); }

}  // namespace tidemark::mongodb
