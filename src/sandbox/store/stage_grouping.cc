// $group with its accumulators, and the stages that are groups: $sortByCount, $bucket, $bucketAuto.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "bson/compare.h"
#include "sandbox/store/expr_node.h"
#include "sandbox/store/expression.h"
#include "sandbox/store/numbers.h"
#include "sandbox/store/shell_text.h"
#include "sandbox/store/stage.h"

namespace tidemark::sandbox {
namespace {

enum class Accumulator { kSum, kAverage, kMin, kMax, kFirst, kLast, kPush, kAddToSet, kCount, kMergeObjects };

struct AccumulatorSpec {
  std::string field;
  Accumulator kind = Accumulator::kSum;
  Expression argument;
};

// What one accumulator has gathered for one group.
class Accumulated {
 public:
  Reply<void> add(Accumulator kind, Value value) {
    const bool first = count_++ == 0;
    switch (kind) {
      case Accumulator::kSum: {
        if (first) value_ = Value(int32_t{0});
        if (!value.is_number()) return {};
        SANDBOX_ASSIGN(value_, calculate(Arithmetic::kAdd, value_, value, false));
        return {};
      }
      case Accumulator::kAverage:
        if (!value.is_number()) return {};
        if (value.type() == BSON_TYPE_DECIMAL128)
          return command_error(kNotImplemented, "$avg of Decimal128 is not implemented by the sandbox");
        total_ += value.number();
        ++numbers_;
        return {};
      case Accumulator::kMin:
      case Accumulator::kMax: {
        if (value.nullish()) return {};
        const bool replaces = value_.missing() || (kind == Accumulator::kMin ? compare(value, value_) < 0
                                                                             : compare(value_, value) < 0);
        if (replaces) value_ = std::move(value);
        return {};
      }
      case Accumulator::kFirst:
        if (first) value_ = std::move(value);
        return {};
      case Accumulator::kLast:
        value_ = std::move(value);
        return {};
      case Accumulator::kPush:
        if (!value.missing()) items_.push_back(std::move(value));
        return {};
      case Accumulator::kAddToSet:
        if (!value.missing() && seen_.insert(bson::canonical_key(value.element())).second)
          items_.push_back(std::move(value));
        return {};
      case Accumulator::kCount:
        return {};
      case Accumulator::kMergeObjects:
        if (value.nullish()) return {};
        if (!value.is_document())
          return command_error(40400, "$mergeObjects requires object inputs, but input " + shell_text(value) +
                                          " is of type " + std::string(type_name(value)));
        items_.push_back(std::move(value));
        return {};
    }
    return {};
  }

  Value result(Accumulator kind) const {
    switch (kind) {
      case Accumulator::kAverage:
        return numbers_ == 0 ? Value::null() : Value(total_ / static_cast<double>(numbers_));
      case Accumulator::kPush:
      case Accumulator::kAddToSet:
        return Value::array(items_);
      case Accumulator::kCount:
        return count_ <= INT32_MAX ? Value(static_cast<int32_t>(count_)) : Value(count_);
      case Accumulator::kMergeObjects:
        return merged();
      default:
        return value_.missing() ? Value::null() : value_;
    }
  }

 private:
  Value merged() const {
    std::vector<std::pair<std::string, Value>> fields;
    for (const Value& item : items_) {
      for (const bson::Element field : item.view()) {
        const auto found =
            std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == field.key(); });
        if (found == fields.end())
          fields.emplace_back(std::string(field.key()), Value(item.owner(), field));
        else
          found->second = Value(item.owner(), field);
      }
    }
    bson::Builder builder;
    for (const auto& [name, value] : fields) value.append_to(builder, name);
    return Value::document(builder.view());
  }

  int64_t count_ = 0;
  int64_t numbers_ = 0;
  double total_ = 0;
  Value value_;
  std::vector<Value> items_;
  std::set<std::string> seen_;
};

Reply<AccumulatorSpec> parse_accumulator(const bson::Element& field, const PipelineContext& context) {
  static const std::map<std::string_view, Accumulator> kKinds{
      {"$sum", Accumulator::kSum},     {"$avg", Accumulator::kAverage},
      {"$min", Accumulator::kMin},     {"$max", Accumulator::kMax},
      {"$first", Accumulator::kFirst}, {"$last", Accumulator::kLast},
      {"$push", Accumulator::kPush},   {"$addToSet", Accumulator::kAddToSet},
      {"$count", Accumulator::kCount}, {"$mergeObjects", Accumulator::kMergeObjects}};
  const std::string name(field.key());
  if (name.find('.') != name.npos)
    return command_error(40235, "The field name '" + name + "' cannot contain '.'");
  if (name.starts_with("$"))
    return command_error(40236, "The field name '" + name + "' cannot be an operator name");
  if (!field.is_document())
    return command_error(40234, "The field '" + name + "' must be an accumulator object");
  auto second = field.document().begin();
  if (!field.document().empty()) ++second;
  if (field.document().empty() || second != field.document().end())
    return command_error(40238, "The field '" + name + "' must specify one accumulator");
  const bson::Element argument = *field.document().begin();
  const auto kind = kKinds.find(argument.key());
  if (kind == kKinds.end()) {
    static const std::set<std::string_view> kServer{
        "$accumulator", "$bottom",     "$bottomN",   "$firstN",     "$lastN", "$maxN", "$median",
        "$minN",        "$percentile", "$stdDevPop", "$stdDevSamp", "$top",   "$topN"};
    if (kServer.contains(argument.key()))
      return command_error(kNotImplemented, "The accumulator " + std::string(argument.key()) +
                                                " is not implemented by the sandbox");
    return command_error(15952, "unknown group operator '" + std::string(argument.key()) + "'");
  }
  if (argument.is_array() && kind->second != Accumulator::kPush && kind->second != Accumulator::kAddToSet)
    return command_error(40237, "The " + std::string(argument.key()) + " accumulator is a unary operator");
  AccumulatorSpec spec;
  spec.field = name;
  spec.kind = kind->second;
  if (spec.kind != Accumulator::kCount) {
    SANDBOX_ASSIGN(spec.argument, Expression::parse(argument, context));
  }
  return spec;
}

// Groups in the order in which they were first met.
class Groups {
 public:
  explicit Groups(const std::vector<AccumulatorSpec>& accumulators) : accumulators_(accumulators) {}

  Reply<void> add(Value id, const bson::Document& document) {
    if (id.missing()) id = Value::null();
    const auto [found, is_new] = index_.try_emplace(bson::canonical_key(id.element()), groups_.size());
    if (is_new) groups_.push_back({std::move(id), std::vector<Accumulated>(accumulators_.size())});
    Group& group = groups_[found->second];
    for (size_t i = 0; i < accumulators_.size(); ++i) {
      SANDBOX_ASSIGN(Value value, accumulators_[i].argument.evaluate(document));
      SANDBOX_TRY(group.accumulated[i].add(accumulators_[i].kind, std::move(value)));
    }
    return {};
  }

  Documents finish() const {
    Documents output;
    output.reserve(groups_.size());
    for (const Group& group : groups_) {
      bson::Builder builder;
      group.id.append_to(builder, "_id");
      for (size_t i = 0; i < accumulators_.size(); ++i)
        group.accumulated[i].result(accumulators_[i].kind).append_to(builder, accumulators_[i].field);
      output.push_back(builder.finish());
    }
    return output;
  }

 private:
  struct Group {
    Value id;
    std::vector<Accumulated> accumulated;
  };
  const std::vector<AccumulatorSpec>& accumulators_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<Group> groups_;
};

class GroupStage final : public Stage {
 public:
  Expression id;
  std::vector<AccumulatorSpec> accumulators;
  bool sort_by_count = false;

  Reply<Documents> run(Documents input) const override {
    Groups groups(accumulators);
    for (const bson::Document& document : input) {
      SANDBOX_ASSIGN(Value value, id.evaluate(document));
      SANDBOX_TRY(groups.add(std::move(value), document));
    }
    Documents output = groups.finish();
    if (sort_by_count) {
      std::stable_sort(output.begin(), output.end(), [](const bson::Document& a, const bson::Document& b) {
        return a.view().find("count")->integer() > b.view().find("count")->integer();
      });
    }
    return output;
  }
};

class BucketStage final : public Stage {
 public:
  Expression by;
  std::vector<Value> boundaries;
  Value fallback;
  bool has_fallback = false;
  std::vector<AccumulatorSpec> accumulators;

  Reply<Documents> run(Documents input) const override {
    Groups groups(accumulators);
    for (const bson::Document& document : input) {
      SANDBOX_ASSIGN(const Value value, by.evaluate(document));
      const auto above = std::upper_bound(boundaries.begin(), boundaries.end(), value,
                                          [](const Value& a, const Value& b) { return compare(a, b) < 0; });
      if (above != boundaries.begin() && above != boundaries.end()) {
        SANDBOX_TRY(groups.add(*std::prev(above), document));
      } else if (has_fallback) {
        SANDBOX_TRY(groups.add(fallback, document));
      } else {
        return command_error(
            40066, "$switch could not find a matching branch for an input, and no default was specified.");
      }
    }
    Documents output = groups.finish();
    std::stable_sort(output.begin(), output.end(), [](const bson::Document& a, const bson::Document& b) {
      return bson::compare(*a.view().begin(), *b.view().begin()) < 0;
    });
    return output;
  }
};

class BucketAutoStage final : public Stage {
 public:
  Expression by;
  size_t buckets = 1;
  std::vector<AccumulatorSpec> accumulators;

  Reply<Documents> run(Documents input) const override {
    std::vector<std::pair<Value, const bson::Document*>> values;
    for (const bson::Document& document : input) {
      SANDBOX_ASSIGN(Value value, by.evaluate(document));
      values.emplace_back(value.missing() ? Value::null() : std::move(value), &document);
    }
    std::stable_sort(values.begin(), values.end(),
                     [](const auto& a, const auto& b) { return compare(a.first, b.first) < 0; });
    Documents output;
    const size_t size = std::max<size_t>(1, (values.size() + buckets / 2) / buckets);
    for (size_t from = 0; from < values.size();) {
      size_t to = output.size() + 1 == buckets ? values.size() : std::min(values.size(), from + size);
      while (to < values.size() && compare(values[to - 1].first, values[to].first) == 0) ++to;
      bson::Builder id;
      values[from].first.append_to(id, "min");
      (to < values.size() ? values[to] : values.back()).first.append_to(id, "max");
      Groups groups(accumulators);
      for (size_t i = from; i < to; ++i)
        SANDBOX_TRY(groups.add(Value::document(id.view()), *values[i].second));
      output.push_back(groups.finish()[0]);
      from = to;
    }
    return output;
  }
};

AccumulatorSpec count_accumulator() {
  AccumulatorSpec spec;
  spec.field = "count";
  spec.kind = Accumulator::kCount;
  return spec;
}

Reply<StagePtr> parse_group(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document()) return command_error(15947, "a group's fields must be specified in an object");
  auto stage = std::make_shared<GroupStage>();
  bool has_id = false;
  for (const bson::Element field : argument.document()) {
    if (field.key() == "_id") {
      if (has_id) return command_error(15948, "a group's _id may only be specified once");
      has_id = true;
      SANDBOX_ASSIGN(stage->id, Expression::parse(field, context));
      continue;
    }
    SANDBOX_ASSIGN(AccumulatorSpec spec, parse_accumulator(field, context));
    stage->accumulators.push_back(std::move(spec));
  }
  if (!has_id) return command_error(15955, "a group specification must include an _id");
  return stage;
}

Reply<StagePtr> parse_sort_by_count(const bson::Element& argument, const PipelineContext& context) {
  const bool expression =
      (argument.is_string() && argument.string().starts_with("$")) || argument.is_document();
  if (!expression)
    return command_error(
        40148,
        "the sortByCount field must be defined as a $-prefixed path or an expression inside an object");
  auto stage = std::make_shared<GroupStage>();
  stage->sort_by_count = true;
  stage->accumulators.push_back(count_accumulator());
  SANDBOX_ASSIGN(stage->id, Expression::parse(argument, context));
  return stage;
}

Reply<std::vector<AccumulatorSpec>> parse_output(const bson::Element& argument,
                                                 const PipelineContext& context) {
  std::vector<AccumulatorSpec> result;
  const auto output = argument.document().find("output");
  if (!output) {
    result.push_back(count_accumulator());
    return result;
  }
  if (!output->is_document()) return command_error(40196, "The $bucket 'output' field must be an object");
  for (const bson::Element field : output->document()) {
    SANDBOX_ASSIGN(AccumulatorSpec spec, parse_accumulator(field, context));
    result.push_back(std::move(spec));
  }
  return result;
}

Reply<StagePtr> parse_bucket(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document()) return command_error(40201, "Argument to $bucket stage must be an object");
  auto stage = std::make_shared<BucketStage>();
  const auto by = argument.document().find("groupBy");
  const auto boundaries = argument.document().find("boundaries");
  if (!by || !boundaries)
    return command_error(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  SANDBOX_ASSIGN(stage->by, Expression::parse(*by, context));
  if (!boundaries->is_array()) return command_error(40200, "The $bucket 'boundaries' field must be an array");
  stage->boundaries = Value(*boundaries).items();
  if (stage->boundaries.size() < 2)
    return command_error(40192, "The $bucket 'boundaries' field must have at least 2 values");
  for (size_t i = 1; i < stage->boundaries.size(); ++i) {
    if (compare(stage->boundaries[i - 1], stage->boundaries[i]) >= 0)
      return command_error(40194, "The 'boundaries' option to $bucket must be sorted in ascending order");
  }
  if (const auto fallback = argument.document().find("default")) {
    stage->fallback = Value(*fallback);
    stage->has_fallback = true;
  }
  SANDBOX_ASSIGN(stage->accumulators, parse_output(argument, context));
  return stage;
}

Reply<StagePtr> parse_bucket_auto(const bson::Element& argument, const PipelineContext& context) {
  if (!argument.is_document()) return command_error(40240, "The argument to $bucketAuto must be an object");
  auto stage = std::make_shared<BucketAutoStage>();
  const auto by = argument.document().find("groupBy");
  const auto buckets = argument.document().find("buckets");
  if (!by || !buckets)
    return command_error(40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified");
  if (argument.document().find("granularity"))
    return command_error(kNotImplemented, "granularity of $bucketAuto is not implemented by the sandbox");
  const auto number = buckets->is_number() ? buckets->integer() : std::nullopt;
  if (!number || *number < 1)
    return command_error(40243, "The $bucketAuto 'buckets' field must be greater than 0");
  stage->buckets = static_cast<size_t>(*number);
  SANDBOX_ASSIGN(stage->by, Expression::parse(*by, context));
  SANDBOX_ASSIGN(stage->accumulators, parse_output(argument, context));
  return stage;
}

}  // namespace

void add_grouping_stages(StageTable& table) {
  table["$group"] = parse_group;
  table["$sortByCount"] = parse_sort_by_count;
  table["$bucket"] = parse_bucket;
  table["$bucketAuto"] = parse_bucket_auto;
}

}  // namespace tidemark::sandbox
