// $sort, $limit, $skip, $count, $sample, $unwind.
#include <algorithm>

#include "sandbox/store/expr_node.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/sort.h"
#include "sandbox/store/stage.h"
#include "sandbox/store/update_tree.h"

namespace tidemark::sandbox {
namespace {

class SortStage final : public Stage {
 public:
  explicit SortStage(SortOrder order) : order_(std::move(order)) {}
  Reply<Documents> run(Documents input) const override {
    order_.sort(input);
    return input;
  }

 private:
  SortOrder order_;
};

class SliceStage final : public Stage {
 public:
  SliceStage(size_t skip, size_t limit) : skip_(skip), limit_(limit) {}
  Reply<Documents> run(Documents input) const override {
    input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(std::min(skip_, input.size())));
    if (input.size() > limit_) input.resize(limit_);
    return input;
  }

 private:
  size_t skip_;
  size_t limit_;
};

class CountStage final : public Stage {
 public:
  explicit CountStage(std::string name) : name_(std::move(name)) {}
  Reply<Documents> run(Documents input) const override {
    if (input.empty()) return Documents();
    bson::Builder builder;
    if (input.size() <= INT32_MAX)
      builder.append(name_, static_cast<int32_t>(input.size()));
    else
      builder.append(name_, static_cast<int64_t>(input.size()));
    return Documents{builder.finish()};
  }

 private:
  std::string name_;
};

class SampleStage final : public Stage {
 public:
  SampleStage(size_t size, std::function<uint64_t()> random) : size_(size), random_(std::move(random)) {}
  Reply<Documents> run(Documents input) const override {
    const size_t count = std::min(size_, input.size());
    for (size_t i = 0; i < count; ++i) std::swap(input[i], input[i + random_() % (input.size() - i)]);
    input.resize(count);
    return input;
  }

 private:
  size_t size_;
  std::function<uint64_t()> random_;
};

class UnwindStage final : public Stage {
 public:
  std::vector<std::string> path;
  std::string index_field;
  bool keep_empty = false;

  Reply<Documents> run(Documents input) const override {
    Documents output;
    for (const bson::Document& document : input) {
      const Value value = plain_path(document);
      if (value.is_array()) {
        const auto items = value.items();
        for (size_t i = 0; i < items.size(); ++i)
          output.push_back(unwound(document, items[i], static_cast<int64_t>(i)));
        if (items.empty() && keep_empty) output.push_back(unwound(document, Value(), std::nullopt));
      } else if (!value.nullish()) {
        output.push_back(unwound(document, value, std::nullopt));
      } else if (keep_empty) {
        output.push_back(unwound(document, value, std::nullopt));
      }
    }
    return output;
  }

 private:
  // Through documents only: an array on the way ends the path.
  Value plain_path(const bson::Document& document) const {
    bson::View view = document.view();
    for (size_t i = 0;; ++i) {
      const auto element = view.find(path[i]);
      if (!element) return {};
      if (i + 1 == path.size()) return Value(document, *element);
      if (!element->is_document()) return {};
      view = element->document();
    }
  }

  bson::Document unwound(const bson::Document& document, const Value& value,
                         std::optional<int64_t> index) const {
    MutableNode root = MutableNode::root(document);
    MutableNode* node = &root;
    for (size_t i = 0; i + 1 < path.size() && node != nullptr; ++i) {
      node = node->child(path[i]);
      if (node != nullptr && !node->is_document()) node = nullptr;
    }
    if (node != nullptr) {
      MutableNode* target = node->child(path.back());
      if (target != nullptr && value.missing())
        node->remove_child(path.back());
      else if (target != nullptr)
        target->set(value);
    }
    if (!index_field.empty()) {
      root.remove_child(index_field);
      root.children().emplace_back(index_field, index ? Value(*index) : Value::null());
    }
    return root.freeze_document();
  }
};

Reply<StagePtr> parse_sort(const bson::Element& argument, const PipelineContext&) {
  if (!argument.is_document()) return command_error(15973, "the $sort key specification must be an object");
  if (argument.document().empty()) return command_error(15976, "$sort stage must have at least one sort key");
  SANDBOX_ASSIGN(SortOrder order, SortOrder::parse(argument.document()));
  return std::make_shared<const SortStage>(std::move(order));
}

Reply<StagePtr> parse_limit(const bson::Element& argument, const PipelineContext&) {
  const auto number = argument.is_number() ? argument.integer() : std::nullopt;
  if (!number || *number < 0)
    return command_error(2107201,
                         "invalid argument to $limit stage: Expected a non-negative number in: $limit: " +
                             shell_text(argument));
  if (*number == 0) return command_error(15958, "the limit must be positive");
  return std::make_shared<const SliceStage>(0, static_cast<size_t>(*number));
}

Reply<StagePtr> parse_skip(const bson::Element& argument, const PipelineContext&) {
  const auto number = argument.is_number() ? argument.integer() : std::nullopt;
  if (!number || *number < 0)
    return command_error(
        5107200,
        "invalid argument to $skip stage: Expected a non-negative number in: $skip: " + shell_text(argument));
  return std::make_shared<const SliceStage>(static_cast<size_t>(*number), SIZE_MAX);
}

Reply<StagePtr> parse_count(const bson::Element& argument, const PipelineContext&) {
  if (!argument.is_string()) return command_error(40156, "the count field must be a non-empty string");
  const std::string name(argument.string());
  if (name.empty()) return command_error(40157, "the count field must be a non-empty string");
  if (name[0] == '$') return command_error(40158, "the count field cannot be a $-prefixed path");
  if (name.find('.') != name.npos) return command_error(40160, "the count field cannot contain '.'");
  return std::make_shared<const CountStage>(name);
}

Reply<StagePtr> parse_sample(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document())
    return command_error(28745, "the $sample stage specification must be an object");
  const auto size = argument.document().find("size");
  if (!size) return command_error(28749, "$sample stage must specify a size");
  const auto number = size->is_number() ? size->integer() : std::nullopt;
  if (!number) return command_error(28746, "size argument to $sample must be a number");
  if (*number <= 0) return command_error(28747, "size argument to $sample must be a positive integer");
  if (!context.random) return command_error(kNotImplemented, "$sample has no source of randomness here");
  return std::make_shared<const SampleStage>(static_cast<size_t>(*number), context.random);
}

Reply<StagePtr> parse_unwind(const bson::Element& argument, const PipelineContext&) {
  auto stage = std::make_shared<UnwindStage>();
  std::string path;
  if (argument.is_string()) {
    path = argument.string();
  } else if (argument.is_document()) {
    for (const bson::Element item : argument.document()) {
      if (item.key() == "path") {
        if (!item.is_string())
          return command_error(28808, "expected a string as the path for $unwind stage, got " +
                                          std::string(type_name(item.type())));
        path = item.string();
      } else if (item.key() == "preserveNullAndEmptyArrays") {
        if (item.type() != BSON_TYPE_BOOL)
          return command_error(
              28809, "expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage, got " +
                         std::string(type_name(item.type())));
        stage->keep_empty = item.truthy();
      } else if (item.key() == "includeArrayIndex") {
        if (!item.is_string() || item.string().empty())
          return command_error(
              28810, "expected a non-empty string for the includeArrayIndex  option to $unwind stage, got " +
                         std::string(type_name(item.type())));
        stage->index_field = item.string();
        if (stage->index_field[0] == '$')
          return command_error(
              28822, "includeArrayIndex option to $unwind stage should not be prefixed with a '$': " +
                         stage->index_field);
        if (stage->index_field.find('.') != std::string::npos)
          return command_error(kNotImplemented,
                               "a dotted includeArrayIndex is not implemented by the sandbox");
      } else {
        return command_error(28811, "unrecognized option to $unwind stage: " + std::string(item.key()));
      }
    }
  } else {
    return command_error(15981,
                         "expected either a string or an object as specification for $unwind stage, got " +
                             std::string(type_name(argument.type())));
  }
  if (path.empty()) return command_error(28812, "no path specified to $unwind stage");
  if (path[0] != '$')
    return command_error(28818, "path option to $unwind stage should be prefixed with a '$': " + path);
  SANDBOX_ASSIGN(stage->path, split_field_path(std::string_view(path).substr(1)));
  return stage;
}

}  // namespace

void add_ordering_stages(StageTable& table) {
  table["$sort"] = parse_sort;
  table["$limit"] = parse_limit;
  table["$skip"] = parse_skip;
  table["$count"] = parse_count;
  table["$sample"] = parse_sample;
  table["$unwind"] = parse_unwind;
}

}  // namespace tidemark::sandbox
