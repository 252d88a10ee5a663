// The values of one configuration table after parsing: checked against its ComponentSpec, environment filled
// in, defaults in place. Immutable.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidemark::config {

class Settings {
 public:
  using Value = std::variant<std::string, int64_t, bool, std::vector<std::string>,
                             std::vector<std::pair<std::string, std::string>>>;

  // True when the field was given or has a default.
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }

  // REQUIRES: the ComponentSpec declares `name` with the matching type, else an assertion. A field without
  // value and default gives the type's empty value.
  const std::string& string(std::string_view name) const;  // kString, kEnum, kJson
  int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::chrono::milliseconds duration(std::string_view name) const;
  int64_t bytes(std::string_view name) const;
  const std::vector<std::string>& list(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& map(std::string_view name) const;  // in file order

  // "orders.toml:12:3, pipeline.sink": where the table stands, for messages of the component.
  const std::string& where() const { return where_; }
  // "orders.toml:14:10, pipeline.sink.path": where the field stands, or where() when it was not given.
  std::string where(std::string_view name) const;

  // For the parser, and for tests that build settings by hand.
  void set(std::string name, Value value, std::string where = {});
  void set_where(std::string where) { where_ = std::move(where); }

  // A configuration error about `field`: "orders.toml:14:10, pipeline.sink.path: WHAT".
  Error error(std::string_view field, std::string what, std::string hint = {}) const;

 private:
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> places_;
  std::string where_;
};

}  // namespace tidemark::config
