#include "transforms/project/rename.h"

#include <algorithm>
#include <optional>
#include <span>

#include "core/path_tree.h"

namespace tidemark {
namespace {

using Parts = std::span<const std::string>;

bson::Document wrap(const bson::Element& element) {
  bson::Builder holder;
  holder.append("", element);
  return holder.finish();
}

// Appends `document` without the field at `parts`, which goes to `taken`.
void take(bson::View document, Parts parts, bson::Builder& out, std::optional<bson::Document>& taken) {
  for (const bson::Element element : document) {
    if (element.key() != parts[0]) {
      out.append(element.key(), element);
    } else if (parts.size() == 1) {
      taken = wrap(element);
    } else if (element.is_document()) {
      bson::Builder inner;
      take(element.document(), parts.subspan(1), inner, taken);
      out.append(element.key(), inner.view());
    } else {
      out.append(element.key(), element);
    }
  }
}

// Appends `document` with `value` at `parts`.
Status put(bson::View document, Parts parts, const bson::Element& value, bson::Builder& out,
           const Rename& rename) {
  bool placed = false;
  for (const bson::Element element : document) {
    if (element.key() != parts[0]) {
      out.append(element.key(), element);
      continue;
    }
    placed = true;
    if (parts.size() == 1) {
      out.append(parts[0], value);
      continue;
    }
    if (!element.is_document())
      return fail(React::kReject, "`" + rename.from + "` can't become `" + rename.to + "`: `" + parts[0] +
                                      "` is no document here");
    bson::Builder inner;
    TIDEMARK_TRY(put(element.document(), parts.subspan(1), value, inner, rename));
    out.append(parts[0], inner.view());
  }
  if (placed) return {};
  if (parts.size() == 1) {
    out.append(parts[0], value);
    return {};
  }
  static const bson::Document kEmpty = bson::Builder().finish();
  bson::Builder inner;
  TIDEMARK_TRY(put(kEmpty, parts.subspan(1), value, inner, rename));
  out.append(parts[0], inner.view());
  return {};
}

}  // namespace

Result<bson::Document> rename_field(const bson::Document& document, const Rename& rename) {
  bson::Builder without;
  std::optional<bson::Document> taken;
  take(document.view(), rename.from_parts, without, taken);
  if (!taken) return document;
  bson::Builder out;
  const auto value = taken->view().find("");
  TIDEMARK_TRY(put(without.view(), rename.to_parts, *value, out, rename));
  return out.finish();
}

std::string renamed(const std::string& name, const Rename& rename) {
  if (!is_under(name, rename.from)) return name;
  return rename.to + name.substr(rename.from.size());
}

void rename_in_update(UpdateNames& update, const Rename& rename) {
  const auto touches = [&](const std::string& name) {
    return is_under(name, rename.from) || is_under(rename.from, name);
  };
  const bool touched =
      std::any_of(update.set.begin(), update.set.end(), [&](auto& set) { return touches(set.name); }) ||
      std::any_of(update.removed.begin(), update.removed.end(), touches);
  if (!touched) return;
  // What the event said of a field at the new place is replaced, as the field itself is.
  std::erase_if(update.set, [&](const UpdateNames::Set& set) { return is_under(set.name, rename.to); });
  std::erase_if(update.removed, [&](const std::string& name) { return is_under(name, rename.to); });
  std::vector<UpdateNames::Set> moved;
  std::vector<std::string> gone;
  for (UpdateNames::Set& set : update.set) {
    if (set.name == rename.from || !is_under(rename.from, set.name)) {
      set.name = renamed(set.name, rename);
      continue;
    }
    // A document above the field was set whole: the field is in it, or is gone with the old one.
    const auto value = set.value.view().find("");
    std::optional<bson::Document> taken;
    if (value && value->is_document()) {
      const auto depth = split_path(set.name);
      bson::Builder rest, holder;
      take(value->document(), Parts(rename.from_parts).subspan(depth ? depth->size() : 1), rest, taken);
      holder.append("", rest.view());
      set.value = holder.finish();
    }
    if (taken)
      moved.push_back({rename.to, *taken});
    else
      gone.push_back(rename.to);
  }
  for (std::string& name : update.removed) {
    if (name != rename.from && is_under(rename.from, name))
      gone.push_back(rename.to);
    else
      name = renamed(name, rename);
  }
  update.set.insert(update.set.end(), moved.begin(), moved.end());
  update.removed.insert(update.removed.end(), gone.begin(), gone.end());
}

}  // namespace tidemark
