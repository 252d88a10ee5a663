#include "amqp/queue_arguments.h"

#include <charconv>

namespace tidemark::amqp {
namespace {

// What stands between the first `before` and the first `after` that follows, which `text` then begins behind.
std::optional<std::string> take_between(std::string_view& text, std::string_view before,
                                        std::string_view after) {
  const size_t begin = text.find(before);
  if (begin == text.npos) return std::nullopt;
  text.remove_prefix(begin + before.size());
  const size_t end = text.find(after);
  if (end == text.npos) return std::nullopt;
  std::string found(text.substr(0, end));
  text.remove_prefix(end + after.size());
  return found;
}

template <class Pairs>
void forget(Pairs& pairs, const std::string& name) {
  std::erase_if(pairs, [&](const auto& pair) { return pair.first == name; });
}

bool says(std::string_view type, std::string_view part) { return type.find(part) != type.npos; }

}  // namespace

std::optional<int64_t> Mismatch::number() const {
  if (!value) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size()) return std::nullopt;
  return number;
}

std::optional<Mismatch> read_mismatch(std::string_view text) {
  Mismatch mismatch;
  const auto name = take_between(text, "inequivalent arg '", "'");
  if (!name) return std::nullopt;
  mismatch.name = *name;
  constexpr std::string_view kCurrent = "but current is ";
  const size_t current = text.rfind(kCurrent);
  if (current == text.npos) return std::nullopt;
  text.remove_prefix(current + kCurrent.size());
  if (text.starts_with("none")) return mismatch;
  if (text.starts_with('\'')) {
    // Both have a value: the type is the declaration's.
    const auto value = take_between(text, "'", "'");
    if (!value) return std::nullopt;
    mismatch.value = *value;
    mismatch.type = mismatch.number() ? "long" : "longstr";
    return mismatch;
  }
  const auto value = take_between(text, "the value '", "' of type '");
  if (!value) return std::nullopt;
  mismatch.value = *value;
  mismatch.type = std::string(text.substr(0, text.find('\'')));
  return mismatch;
}

bool QueueArguments::learn(const Mismatch& mismatch) {
  forget(texts, mismatch.name);
  forget(numbers, mismatch.name);
  forget(booleans, mismatch.name);
  if (!mismatch.value) return true;
  if (mismatch.type == "longstr") {
    texts.push_back({mismatch.name, *mismatch.value});
  } else if (mismatch.type == "bool") {
    booleans.push_back({mismatch.name, *mismatch.value == "true"});
  } else if (const auto number = mismatch.number();
             number && (says(mismatch.type, "int") || says(mismatch.type, "long") ||
                        says(mismatch.type, "short") || says(mismatch.type, "byte"))) {
    numbers.push_back({mismatch.name, *number});
  } else {
    return false;
  }
  return true;
}

}  // namespace tidemark::amqp
