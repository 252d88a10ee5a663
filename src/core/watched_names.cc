#include "core/watched_names.h"

#include <algorithm>

namespace tidemark {
namespace {

// "tmpXXXXX.renameCollection", "tmpXXXXX.convertToCapped.orders": five random letters and digits, then what for.
bool is_unique_name(std::string_view collection) {
  constexpr std::string_view kTmp = "tmp";
  constexpr size_t kRandom = 5;
  if (!collection.starts_with(kTmp) || collection.size() <= kTmp.size() + kRandom) return false;
  const std::string_view random = collection.substr(kTmp.size(), kRandom);
  if (random.find('.') != std::string_view::npos) return false;
  const std::string_view purpose = collection.substr(kTmp.size() + kRandom);
  for (const std::string_view known : {".renameCollection", ".convertToCapped"}) {
    if (!purpose.starts_with(known)) continue;
    if (purpose.size() == known.size() || purpose[known.size()] == '.') return true;
  }
  return false;
}

}  // namespace

bool is_temporary_collection(std::string_view collection) {
  for (const std::string_view prefix : {"system.", "tmp.agg_out.", "tmp.mr."})
    if (collection.starts_with(prefix)) return true;
  return is_unique_name(collection);
}

Result<ExcludedNames> ExcludedNames::parse(const std::vector<std::string>& texts) {
  ExcludedNames excluded;
  for (const std::string& text : texts) {
    const size_t dot = text.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
      return fail(React::kConfig, "\"" + text + "\" names no collection",
                  "write \"database.collection\", or \"database.*\" for a whole database");
    }
    std::string collection = text.substr(dot + 1);
    if (collection == "*") collection.clear();
    excluded.names_.push_back({text.substr(0, dot), std::move(collection)});
  }
  return excluded;
}

bool ExcludedNames::has(std::string_view database, std::string_view collection) const {
  return std::any_of(names_.begin(), names_.end(), [&](const Name& name) {
    return name.database == database && (name.collection.empty() || name.collection == collection);
  });
}

bool WatchedNames::has(const Namespace& ns) const {
  if (ns.collection.empty() || is_temporary_collection(ns.collection)) return false;
  if (!database.empty() && ns.database != database) return false;
  if (!collection.empty() && ns.collection != collection) return false;
  return !exclude.has(ns);
}

}  // namespace tidemark
