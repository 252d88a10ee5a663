#include <algorithm>
#include <cctype>
#include <set>

#include "sandbox/store/filter.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kPathPartsMax = 200;

Reply<std::vector<std::string_view>> split_path(std::string_view path) {
  if (path.empty()) return command_error(kEmptyFieldName, "An empty update path is not valid.");
  std::vector<std::string_view> parts;
  std::string_view rest = path;
  while (true) {
    const size_t dot = rest.find('.');
    parts.push_back(rest.substr(0, dot));
    if (parts.back().empty())
      return command_error(kEmptyFieldName, "The update path '" + std::string(path) +
                                                "' contains an empty field name, which is not allowed.");
    if (dot == rest.npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (parts.size() > kPathPartsMax)
    return command_error(kOverflow,
                         "The update path is too deep: " + std::to_string(parts.size()) + " fields");
  return parts;
}

class ModifierParser {
 public:
  ModifierParser(const PipelineContext& context, ModifierUpdate& out) : context_(context), out_(out) {}

  Reply<void> filters(bson::View array_filters) {
    if (!array_filters) return {};
    for (const bson::Element item : array_filters) {
      if (!item.is_document())
        return command_error(kTypeMismatch, "BSON field 'update.updates.arrayFilters." +
                                                std::string(item.key()) + "' is the wrong type '" +
                                                std::string(type_name(item.type())) +
                                                "', expected type 'object'");
      SANDBOX_ASSIGN(const std::string name, filter_name(item.document()));
      if (name.empty())
        return command_error(kFailedToParse,
                             "Cannot use an expression without a top-level field name in arrayFilters");
      if (!valid_identifier(name))
        return command_error(kBadValue,
                             "Error parsing array filter :: caused by :: The top-level field name must be an "
                             "alphanumeric string beginning with a lowercase letter, found '" +
                                 name + "'");
      auto matcher = parse_filter(item.document(), context_);
      if (!matcher) {
        matcher.error().message = "Error parsing array filter :: caused by :: " + matcher.error().message;
        return tl::unexpected(std::move(matcher).error());
      }
      if (!out_.array_filters.emplace(name, *std::move(matcher)).second)
        return command_error(kFailedToParse,
                             "Found multiple array filters with the same top-level field name " + name);
    }
    return {};
  }

  Reply<void> modifiers(bson::View update) {
    for (const bson::Element modifier : update) {
      const std::string name(modifier.key());
      if (!known(name))
        return command_error(kFailedToParse,
                             "Unknown modifier: " + name +
                                 ". Expected a valid update modifier or pipeline-style update "
                                 "specified as an array");
      if (!modifier.is_document())
        return command_error(kFailedToParse, "Modifiers operate on fields but we found type " +
                                                 std::string(type_name(modifier.type())) +
                                                 " instead. For example: {$mod: {<field>: ...}} not " +
                                                 shell_field(modifier));
      if (modifier.document().empty() && context_.version < ServerVersion{5, 0})
        return command_error(kFailedToParse, "'" + name + "' is empty. You must specify a field like so: {" +
                                                 name + ": {<field>: ...}}");
      for (const bson::Element field : modifier.document()) {
        if (name == "$rename") {
          SANDBOX_TRY(rename(field));
          continue;
        }
        SANDBOX_ASSIGN(auto operation, parse_modifier(name, field, context_));
        SANDBOX_TRY(add(field.key(), std::move(operation)));
      }
    }
    for (const auto& [name, matcher] : out_.array_filters) {
      if (!used_filters_.contains(name))
        return command_error(kFailedToParse, "The array filter for identifier '" + name +
                                                 "' was not used in the update " + shell_text(update));
    }
    return {};
  }

 private:
  static bool known(std::string_view name) {
    static const std::set<std::string_view> kNames{
        "$set",         "$unset", "$inc",      "$mul", "$min",  "$max",     "$rename", "$setOnInsert",
        "$currentDate", "$push",  "$addToSet", "$pop", "$pull", "$pullAll", "$bit"};
    return kNames.contains(name);
  }

  static bool valid_identifier(std::string_view name) {
    return !name.empty() && std::islower(static_cast<unsigned char>(name[0])) != 0 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
  }

  // The one name that all paths of an array filter begin with; empty when it has no field.
  static Reply<std::string> filter_name(bson::View filter) {
    std::string name;
    for (const bson::Element element : filter) {
      std::string found;
      if (!element.key().starts_with("$")) {
        found = element.key().substr(0, element.key().find('.'));
      } else if (element.is_array()) {
        for (const bson::Element item : element.document()) {
          if (!item.is_document()) continue;
          SANDBOX_ASSIGN(std::string inner, filter_name(item.document()));
          if (!found.empty() && !inner.empty() && found != inner) return two_names(found, inner);
          if (!inner.empty()) found = std::move(inner);
        }
      }
      if (!name.empty() && !found.empty() && name != found) return two_names(name, found);
      if (!found.empty()) name = found;
    }
    return name;
  }
  static tl::unexpected<CommandError> two_names(const std::string& a, const std::string& b) {
    return command_error(
        kFailedToParse,
        "Error parsing array filter :: caused by :: Expected a single top-level field name, found '" + a +
            "' and '" + b + "'");
  }

  static tl::unexpected<CommandError> conflict(std::string_view path, std::string_view at) {
    return command_error(
        kConflictingUpdateOperators,
        "Updating the path '" + std::string(path) + "' would create a conflict at '" + std::string(at) + "'");
  }

  Reply<void> check_part(std::string_view path, std::string_view part, bool first) {
    if (!part.starts_with("$")) return {};
    if (part == "$" || part.starts_with("$[")) {
      if (first)
        return command_error(kBadValue, "Cannot have " +
                                            std::string(part == "$" ? "positional" : "array filter") +
                                            " operator in the first position in path '" + std::string(path) +
                                            "'" + (part == "$" ? "" : ": " + std::string(part)));
      if (part == "$") {
        out_.positional = true;
        return {};
      }
      if (part.back() != ']')
        return command_error(kBadValue, "Cannot find closing bracket in path '" + std::string(path) + "'");
      const std::string identifier(part.substr(2, part.size() - 3));
      if (identifier.empty()) return {};
      if (!out_.array_filters.contains(identifier))
        return command_error(kBadValue, "No array filter found for identifier '" + identifier +
                                            "' in path '" + std::string(path) + "'");
      used_filters_.insert(identifier);
      return {};
    }
    if (!first && (part == "$id" || part == "$ref" || part == "$db")) return {};
    return command_error(kDollarPrefixedFieldName, "The dollar ($) prefixed field '" + std::string(part) +
                                                       "' in '" + std::string(path) +
                                                       "' is not valid for storage.");
  }

  Reply<void> add(std::string_view path, std::unique_ptr<const Modifier> modifier) {
    SANDBOX_ASSIGN(const auto parts, split_path(path));
    OperationNode* node = &out_.root;
    for (size_t i = 0; i < parts.size(); ++i) {
      SANDBOX_TRY(check_part(path, parts[i], i == 0));
      const std::string_view so_far =
          path.substr(0, static_cast<size_t>(parts[i].data() - path.data()) + parts[i].size());
      const bool filter = parts[i].starts_with("$[");
      if (!node->children.empty() && node->is_array_filter() != filter)
        return conflict(path, so_far.substr(0, so_far.size() - parts[i].size() - 1));
      auto& child = node->children[std::string(parts[i])];
      const bool last = i + 1 == parts.size();
      if (child && (last || child->is_leaf())) return conflict(path, so_far);
      if (!child) child = std::make_unique<OperationNode>();
      node = child.get();
    }
    node->modifier = std::move(modifier);
    return {};
  }

  Reply<void> rename(const bson::Element& field) {
    const std::string source(field.key());
    if (!field.is_string())
      return command_error(
          kBadValue, "The 'to' field for $rename must be a string: " + source + ": " + shell_text(field));
    const std::string target(field.string());
    if (target.find('\0') != target.npos)
      return command_error(kBadValue, "The 'to' field for $rename cannot contain an embedded null byte");
    if (source == target)
      return command_error(kBadValue, "The source and target field for $rename must differ: " + source +
                                          ": " + shell_text(field));
    for (const std::string& path : {source, target}) {
      if (("." + path).find(".$") != path.npos)
        return command_error(kBadValue, std::string("The ") + (path == source ? "source" : "destination") +
                                            " field for $rename may not be dynamic: " + path);
    }
    SANDBOX_TRY(add(source, make_rename_source(source)));
    SANDBOX_TRY(add(target, make_rename_target(source)));
    out_.renames.emplace_back(source, target);
    return {};
  }

  const PipelineContext& context_;
  ModifierUpdate& out_;
  std::set<std::string> used_filters_;
};

}  // namespace

Reply<ModifierUpdate> parse_modifiers(bson::View update, bson::View array_filters,
                                      const PipelineContext& context) {
  ModifierUpdate result;
  ModifierParser parser(context, result);
  SANDBOX_TRY(parser.filters(array_filters));
  SANDBOX_TRY(parser.modifiers(update));
  return result;
}

}  // namespace tidemark::sandbox
