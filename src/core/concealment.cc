#include "core/concealment.h"

#include <algorithm>

#include "core/path_tree.h"

namespace tidemark {
namespace {

// Without repeats, and without what lies under another of them: a tree of paths takes neither.
std::vector<std::string> outermost(std::vector<std::string> paths) {
  std::ranges::sort(paths);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::vector<std::string> kept;
  for (const std::string& path : paths) {
    const auto above = [&](const std::string& other) { return other != path && is_under(path, other); };
    if (std::ranges::none_of(paths, above)) kept.push_back(path);
  }
  return kept;
}

// The event before any transform, with what the source knew of it beside the change event itself.
Result<Event> original(const Event& event) {
  if (!event.received) return event;
  TIDEMARK_ASSIGN(Event made, parse_change_event(event.received));
  made.reject_reason = event.reject_reason;
  made.payload = event.payload;
  made.attempts = event.attempts;
  made.malformed = event.malformed;
  made.hidden = event.hidden;
  return made;
}

}  // namespace

Result<Concealment> Concealment::of(const std::vector<std::unique_ptr<Transform>>& transforms) {
  Concealment made;
  for (size_t i = 0; i < transforms.size(); ++i) {
    std::vector<std::string> paths = transforms[i]->hides();
    if (paths.empty()) continue;
    for (size_t j = i; j-- > 0;) {
      std::vector<std::string> earlier;
      for (const std::string& path : paths) {
        for (std::string& before : transforms[j]->before(path)) earlier.push_back(std::move(before));
      }
      paths = outermost(std::move(earlier));
    }
    TIDEMARK_ASSIGN(auto hider, transforms[i]->hiding(paths));
    made.hiders_.push_back(std::move(hider));
  }
  return made;
}

Result<Event> Concealment::conceal(const Event& event, EventBatch& batch) const {
  TIDEMARK_ASSIGN(Event shown, original(event));
  for (const auto& hider : hiders_) TIDEMARK_TRY(hider->apply(shown, batch));
  return shown;
}

Result<Event> bare(const Event& event, EventBatch& batch) {
  bson::Builder raw;
  const bson::View whole = event.received ? event.received : event.raw;
  for (const bson::Element field : whole) {
    const std::string_view name = field.key();
    if (name == "documentKey" && field.is_document()) {
      bson::Builder key;
      if (const auto id = field.document().find("_id")) key.append("_id", *id);
      raw.append(name, key.view());
    } else if (name == "_id" || name == "operationType" || name == "clusterTime" || name == "wallTime" ||
               name == "ns" || name == "to") {
      raw.append(name, field);
    }
  }
  TIDEMARK_ASSIGN(Event made, parse_change_event(batch.store(raw.view())));
  made.attempts = event.attempts;
  made.malformed = event.malformed;
  return made;
}

}  // namespace tidemark
