#include "config/settings.h"

#include "base/check.h"
#include "base/uri.h"

namespace tidemark::config {
namespace {

// The value of `name` as T, or an empty T when the field has none.
template <class T, class Values>
const T& value_of(const Values& values, std::string_view name) {
  static const T kEmpty{};
  const auto it = values.find(name);
  if (it == values.end()) return kEmpty;
  const T* value = std::get_if<T>(&it->second);
  TIDEMARK_CHECK(value != nullptr, "a setting was read as another type than its spec declares");
  return *value;
}

}  // namespace

const std::string& Settings::string(std::string_view name) const {
  return value_of<std::string>(values_, name);
}

int64_t Settings::integer(std::string_view name) const { return value_of<int64_t>(values_, name); }

bool Settings::boolean(std::string_view name) const { return value_of<bool>(values_, name); }

std::chrono::milliseconds Settings::duration(std::string_view name) const {
  return std::chrono::milliseconds(value_of<int64_t>(values_, name));
}

int64_t Settings::bytes(std::string_view name) const { return value_of<int64_t>(values_, name); }

const std::vector<std::string>& Settings::list(std::string_view name) const {
  return value_of<std::vector<std::string>>(values_, name);
}

const std::vector<std::pair<std::string, std::string>>& Settings::map(std::string_view name) const {
  return value_of<std::vector<std::pair<std::string, std::string>>>(values_, name);
}

std::string Settings::where(std::string_view name) const {
  const auto it = places_.find(name);
  return it == places_.end() ? where_ : it->second;
}

void Settings::set(std::string name, Value value, std::string where) {
  if (!where.empty()) places_.insert_or_assign(name, std::move(where));
  values_.insert_or_assign(std::move(name), std::move(value));
}

Error Settings::error(std::string_view field, std::string what, std::string hint) const {
  const auto it = places_.find(field);
  std::string place;
  if (it != places_.end()) {
    place = it->second;
  } else {
    // The field was not given: its table is the place, and the field's name must still be said.
    place = where_;
    if (!field.empty()) place += (place.empty() ? "" : ".") + std::string(field);
  }
  if (!place.empty()) place += ": ";
  return Error{React::kConfig, place + without_logins(what), std::move(hint)};
}

}  // namespace tidemark::config
