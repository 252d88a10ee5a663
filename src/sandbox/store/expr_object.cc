// Objects: $mergeObjects, $objectToArray, $arrayToObject, $getField, $setField, $unsetField, sizes,
// $toHashedIndexKey.
#include <cmath>
#include <cstring>

#include "bson/compare.h"
#include "sandbox/store/expr_node.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {
namespace {

using Arguments = std::span<const Value>;

std::string name_of(const Value& value) { return std::string(type_name(value)); }

// `fields` with `value` under `name`, in its place or at the end; a missing value removes the field.
Value with_field(bson::View fields, std::string_view name, const Value& value) {
  bson::Builder builder;
  bool placed = false;
  for (const bson::Element field : fields) {
    if (field.key() != name) {
      builder.append(field.key(), field);
      continue;
    }
    value.append_to(builder, name);
    placed = true;
  }
  if (!placed) value.append_to(builder, name);
  return Value::document(builder.view());
}

Reply<Value> merge_objects(const Scope&, Arguments arguments) {
  std::vector<Value> inputs(arguments.begin(), arguments.end());
  if (inputs.size() == 1 && inputs[0].is_array()) inputs = std::vector<Value>(inputs[0].items());
  Value merged = Value::document(bson::Builder().view());
  for (const Value& value : inputs) {
    if (value.nullish()) continue;
    if (!value.is_document())
      return command_error(40400, "$mergeObjects requires object inputs, but input " + shell_text(value) +
                                      " is of type " + name_of(value));
    for (const bson::Element field : value.view())
      merged = with_field(merged.view(), field.key(), Value(value.owner(), field));
  }
  return merged;
}

Reply<Value> object_to_array(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_document())
    return command_error(40390, "$objectToArray requires a document input, found: " + name_of(a[0]));
  std::vector<Value> items;
  for (const bson::Element field : a[0].view()) {
    bson::Builder pair;
    pair.append("k", field.key()).append("v", field);
    items.push_back(Value::document(pair.view()));
  }
  return Value::array(items);
}

Reply<Value> array_to_object(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_array())
    return command_error(40386, "$arrayToObject requires an array input, found: " + name_of(a[0]));
  Value result = Value::document(bson::Builder().view());
  for (const Value& item : a[0].items()) {
    Value key;
    Value value;
    if (item.is_document()) {
      key = item.field("k");
      value = item.field("v");
    } else if (item.is_array()) {
      const auto pair = item.items();
      if (pair.size() != 2)
        return command_error(40397,
                             "$arrayToObject requires an array of size 2 arrays,found array of size: " +
                                 std::to_string(pair.size()));
      key = pair[0];
      value = pair[1];
    } else {
      return command_error(40398, "Unrecognised input type format for $arrayToObject: " + name_of(item));
    }
    if (key.missing() || value.missing())
      return command_error(40393, "$arrayToObject requires an object keys of 'k' and 'v'.");
    if (!key.is_string())
      return command_error(40394,
                           "$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' "
                           "must be of type string. Found type: " +
                               name_of(key));
    result = with_field(result.view(), key.string(), value);
  }
  return result;
}

// field, input
Reply<Value> get_field(const Scope& scope, Arguments a) {
  if (!a[0].is_string())
    return command_error(3041704,
                         "$getField requires 'field' to evaluate to type String, but got " + name_of(a[0]));
  const Value input = a.size() > 1 ? a[1] : Value::document(scope.root->view());
  if (input.missing()) return Value();
  if (input.nullish()) return Value::null();
  return input.field(a[0].string());
}

class GetFieldExpression final : public ExpressionNode {
 public:
  ExpressionPtr field, input;
  Reply<Value> evaluate(const Scope& scope) const override {
    SANDBOX_ASSIGN(Value name, field->evaluate(scope));
    if (!input) return get_field(scope, std::span(&name, 1));
    SANDBOX_ASSIGN(Value from, input->evaluate(scope));
    const Value both[] = {std::move(name), std::move(from)};
    return get_field(scope, both);
  }
};

Reply<ExpressionPtr> parse_get_field(ExpressionParser& parser, const bson::Element& argument) {
  auto node = std::make_shared<GetFieldExpression>();
  const bool named = argument.is_document() && !argument.document().empty() &&
                     !(*argument.document().begin()).key().starts_with("$");
  if (!named) {
    SANDBOX_ASSIGN(node->field, parser.parse(argument));
    return node;
  }
  for (const bson::Element item : argument.document()) {
    if (item.key() != "field" && item.key() != "input")
      return command_error(3041701, "$getField found an unknown argument: " + std::string(item.key()));
    SANDBOX_ASSIGN((item.key() == "field" ? node->field : node->input), parser.parse(item));
  }
  if (!node->field) return command_error(3041702, "$getField requires 'field' to be specified");
  if (!node->input) return command_error(3041703, "$getField requires 'input' to be specified");
  return node;
}

// field, input, value
Reply<Value> set_field(const Scope&, Arguments a) {
  if (!a[0].is_string())
    return command_error(4161107, "$setField requires 'field' to evaluate to a constant String");
  if (a[1].nullish()) return Value::null();
  if (!a[1].is_document())
    return command_error(4161105, "$setField requires 'input' to evaluate to type Object");
  return with_field(a[1].view(), a[0].string(), a.size() > 2 ? a[2] : Value());
}
Reply<Value> unset_field(const Scope& scope, Arguments a) { return set_field(scope, a.subspan(0, 2)); }

Reply<Value> bson_size(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (!a[0].is_document())
    return command_error(31393, "$bsonSize requires a document input, found: " + name_of(a[0]));
  return Value(static_cast<int32_t>(a[0].view().size()));
}

Reply<Value> binary_size(const Scope&, Arguments a) {
  if (a[0].nullish()) return Value::null();
  if (a[0].is_string()) return Value(static_cast<int32_t>(a[0].string().size()));
  if (a[0].type() != BSON_TYPE_BINARY)
    return command_error(51276, "$binarySize requires a string or BinData argument, found: " + name_of(a[0]));
  return Value(static_cast<int32_t>(a[0].element().binary().bytes.size()));
}

// libbson calls its MD5 deprecated; hashed indexes are defined by it, and nothing here is a matter of
// security.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
class IndexHash {
 public:
  IndexHash() {
    bson_md5_init(&state_);
    const int32_t seed = 0;
    bytes(&seed, sizeof seed);
  }
  void element(const bson::Element& value, bool with_name) {
    const int32_t bracket = bson::canonical_type(value.type());
    bytes(&bracket, sizeof bracket);
    if (with_name) bytes(std::string(value.key()).c_str(), value.key().size() + 1);
    if (value.is_document() || value.is_array()) {
      for (const bson::Element item : value.document()) element(item, true);
      const int32_t end = 0;
      return bytes(&end, sizeof end);
    }
    if (value.is_number()) {
      const int64_t number = squashed(value);
      return bytes(&number, sizeof number);
    }
    bytes(value.value_bytes().data(), value.value_bytes().size());
  }
  int64_t finish() {
    uint8_t digest[16];
    bson_md5_finish(&state_, digest);
    int64_t result = 0;
    std::memcpy(&result, digest, sizeof result);
    return result;
  }

 private:
  void bytes(const void* data, size_t size) {
    bson_md5_append(&state_, static_cast<const uint8_t*>(data), static_cast<uint32_t>(size));
  }
  // Doubles are cut to integers and kept within their range.
  static int64_t squashed(const bson::Element& value) {
    if (value.type() != BSON_TYPE_DOUBLE) return value.integer().value_or(0);
    const double number = bson_iter_double(&value.iter());
    if (std::isnan(number)) return 0;
    if (number >= 0x1p63) return INT64_MAX;
    if (number < -0x1p63) return INT64_MIN;
    return static_cast<int64_t>(number);
  }

  bson_md5_t state_;
};
#pragma GCC diagnostic pop

Reply<Value> to_hashed_index_key(const Scope&, Arguments a) {
  const Value value = a[0].missing() ? Value::null() : a[0];
  IndexHash hash;
  hash.element(value.element(), false);
  return Value(hash.finish());
}

}  // namespace

void add_object_operators(OperatorTable& table) {
  table["$mergeObjects"] = {merge_objects, 0, -1};
  table["$objectToArray"] = {object_to_array, 1, 1};
  table["$arrayToObject"] = {array_to_object, 1, 1};
  table["$getField"].form = parse_get_field;
  table["$setField"] = {set_field, 3, 0, {"field", "input", "value"}, nullptr, 4161101};
  table["$unsetField"] = {unset_field, 2, 0, {"field", "input"}, nullptr, 4161101};
  table["$bsonSize"] = {bson_size, 1, 1};
  table["$binarySize"] = {binary_size, 1, 1};
  table["$toHashedIndexKey"] = {to_hashed_index_key, 1, 1};
}

}  // namespace tidemark::sandbox
