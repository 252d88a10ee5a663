// The component types that the program knows, by kind and name. Filled by the one explicit list in src/app/components.cc:
// no component registers itself, because a linker drops such objects from a static library without a word.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "config/field_spec.h"
#include "registry/declarations.h"

namespace tidemark {

// Declarations of one kind, by type. Not synchronised: filled before anything reads it.
template <class Declaration>
class Registry {
 public:
  Registry() = default;
  Registry(std::initializer_list<Declaration> declarations) {
    for (const Declaration& declaration : declarations) add(declaration);
  }

  // Two of one type are a programmer's error.
  void add(Declaration declaration) {
    std::string type = declaration.spec.type;
    const bool is_new = declarations_.emplace(std::move(type), std::move(declaration)).second;
    TIDEMARK_CHECK(is_new, "two components of one kind have the same type");
  }

  // Null when there is none of this type.
  const Declaration* find(std::string_view type) const {
    const auto it = declarations_.find(type);
    return it == declarations_.end() ? nullptr : &it->second;
  }

  // Of a type that the parser has let through.
  const Declaration& get(std::string_view type) const {
    const Declaration* found = find(type);
    TIDEMARK_CHECK(found != nullptr, "the parser let an unknown component type through");
    return *found;
  }

  // By name.
  std::vector<const config::ComponentSpec*> specs() const {
    std::vector<const config::ComponentSpec*> all;
    for (const auto& [type, declaration] : declarations_) all.push_back(&declaration.spec);
    return all;
  }

 private:
  std::map<std::string, Declaration, std::less<>> declarations_;
};

struct Components {
  Registry<SourceComponent> sources = {};
  Registry<TransformComponent> transforms = {};
  Registry<SinkComponent> sinks = {};
  Registry<PositionComponent> positions = {};
  Registry<DeadLettersComponent> dead_letters = {};
  Registry<StatsComponent> stats = {};
  // Tables that are no component's: [server], [guard] and those below it.
  std::vector<const config::ComponentSpec*> singles = {};
};

}  // namespace tidemark
