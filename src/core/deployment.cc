#include "core/deployment.h"

#include <algorithm>

namespace tidemark {
namespace {

constexpr std::string_view kKey = " key=";
constexpr std::string_view kCollections = " collections=";

// What stands behind `mark`, and takes both off the end of `text`.
std::string_view take_tail(std::string_view& text, std::string_view mark) {
  const size_t at = text.rfind(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view tail = text.substr(at + mark.size());
  text = text.substr(0, at);
  return tail;
}

bool share_one(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&b](const std::string& one) { return std::find(b.begin(), b.end(), one) != b.end(); });
}

}  // namespace

std::string Deployment::text() const {
  std::string out = id.empty() ? name : name + "/" + id;
  if (!key.empty()) out.append(kKey).append(key);
  if (!collections.empty()) out.append(kCollections);
  for (size_t i = 0; i < collections.size(); ++i) {
    if (i > 0) out += ',';
    out += collections[i];
  }
  return out;
}

Deployment Deployment::parse(std::string_view text) {
  Deployment made;
  std::string_view collections = take_tail(text, kCollections);
  made.key = take_tail(text, kKey);
  const size_t slash = text.find('/');
  made.name = text.substr(0, slash);
  if (slash != std::string_view::npos) made.id = text.substr(slash + 1);
  while (!collections.empty()) {
    const size_t comma = collections.find(',');
    made.collections.emplace_back(collections.substr(0, comma));
    collections.remove_prefix(comma == std::string_view::npos ? collections.size() : comma + 1);
  }
  return made;
}

Sameness compare_deployments(std::string_view stored, std::string_view now) {
  const Deployment a = Deployment::parse(stored);
  const Deployment b = Deployment::parse(now);
  if (a.name != b.name) return Sameness::kOther;
  if (!a.id.empty() && !b.id.empty()) return a.id == b.id ? Sameness::kSame : Sameness::kOther;
  if (!a.key.empty() && a.key == b.key) return Sameness::kSame;
  if (share_one(a.collections, b.collections)) return Sameness::kSame;
  // Not one of the collections of then is here. That they were all dropped and made anew since, and that the key was changed
  // as well, is possible; to go on in another deployment without a word is worse than to ask the operator.
  const bool sees = !b.key.empty() || !b.collections.empty();
  if (!a.collections.empty() && sees) return Sameness::kOther;
  return Sameness::kUntold;
}

bool same_deployment(std::string_view stored, std::string_view now) {
  return compare_deployments(stored, now) != Sameness::kOther;
}

std::string_view deployment_name(std::string_view text) {
  take_tail(text, kCollections);
  take_tail(text, kKey);
  return text;
}

std::string difference_of(std::string_view stored, std::string_view now) {
  const Deployment a = Deployment::parse(stored);
  const Deployment b = Deployment::parse(now);
  std::string text = "deployment " + std::string(deployment_name(stored)) + ", but the source is " +
                     std::string(deployment_name(now));
  if (a.name == b.name && (a.id.empty() || b.id.empty())) {
    text +=
        ", another one of that name: none of the collections that were there when the position was saved is "
        "here";
  }
  return text;
}

}  // namespace tidemark
