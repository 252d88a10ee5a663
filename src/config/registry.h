// The component types the program knows, by kind and name. Filled by one explicit list in
// src/app/components.cc: no component registers itself, because a linker drops such objects from a static
// library without a word.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/field_spec.h"

namespace tidemark::config {

// `Factory` is a function type that makes the component from its Settings (runtime/components.h names them
// all).
template <class Factory>
class Registry {
 public:
  struct Entry {
    ComponentSpec spec;
    Factory make;
  };

  void add(ComponentSpec spec, Factory make) {
    std::string type = spec.type;
    entries_.emplace(std::move(type), Entry{std::move(spec), std::move(make)});
  }

  const Entry* find(std::string_view type) const {
    const auto it = entries_.find(type);
    return it == entries_.end() ? nullptr : &it->second;
  }

  std::vector<const ComponentSpec*> specs() const {
    std::vector<const ComponentSpec*> all;
    for (const auto& [type, entry] : entries_) all.push_back(&entry.spec);
    return all;
  }

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace tidemark::config
