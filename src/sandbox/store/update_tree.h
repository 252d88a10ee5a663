// The inside of Update: the document while it is being changed, the tree of modifiers, and the log of what
// changed. Private to update*.cc; used by one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bson/matcher.h"
#include "sandbox/store/pipeline_context.h"
#include "sandbox/store/update.h"
#include "sandbox/store/value.h"

namespace tidemark::sandbox {

// A value of the document that is being changed. Untouched values stay bytes of the original.
class MutableNode {
 public:
  MutableNode() = default;
  MutableNode(std::string key, Value value) : key_(std::move(key)), value_(std::move(value)) {}
  static MutableNode root(const bson::Document& document);
  static MutableNode new_document(std::string key);

  const std::string& key() const { return key_; }
  bson_type_t type() const { return expanded_ ? expanded_type_ : value_.type(); }
  bool is_document() const { return type() == BSON_TYPE_DOCUMENT; }
  bool is_array() const { return type() == BSON_TYPE_ARRAY; }

  void set(Value value);
  // The value as it is now.
  Value freeze() const;
  bson::Document freeze_document() const;  // REQUIRES is_document()

  // REQUIRES is_document() or is_array(). The children of an array have no keys of their own.
  std::vector<MutableNode>& children();
  // By name, or by index in an array; null when absent.
  MutableNode* child(std::string_view name);
  void remove_child(std::string_view name);

 private:
  void append_children(bson::Builder& builder) const;
  void append_to(bson::Builder& builder, std::string_view key) const;

  std::string key_;
  Value value_;
  bool expanded_ = false;
  bson_type_t expanded_type_ = BSON_TYPE_EOD;
  std::vector<MutableNode> children_;
};

// The index that `name` stands for in an array; empty for anything but decimal digits without leading zeros.
std::optional<uint32_t> array_index(std::string_view name);
std::string joined(std::string_view path, std::string_view name);

// What changed below one document or array, in the sections of the server's delta format.
class DeltaNode {
 public:
  explicit DeltaNode(bool array = false) : array_(array) {}

  void update(std::string name, Value value) { updates_.emplace_back(std::move(name), std::move(value)); }
  void insert(std::string name, Value value) { inserts_.emplace_back(std::move(name), std::move(value)); }
  void remove(std::string name) { deletes_.push_back(std::move(name)); }
  void resize(uint32_t size) { new_size_ = size; }
  // Everything below is one new value: what was logged here is forgotten.
  void replace_whole(Value value) { whole_ = std::move(value); }
  DeltaNode& sub(std::string_view name, bool array);
  void add_sub(std::string name, std::unique_ptr<DeltaNode> node) {
    subs_.emplace_back(std::move(name), std::move(node));
  }

  bool empty() const {
    return updates_.empty() && inserts_.empty() && deletes_.empty() && subs_.empty() && !new_size_;
  }
  // How many bytes the delta takes in the log.
  size_t size_bytes() const;
  // {updatedFields, removedFields, truncatedArrays[, disambiguatedPaths when there are ambiguous ones]}.
  bson::Document describe() const;

 private:
  struct Description;
  struct Step {
    std::string name;
    bool index;
  };
  void describe(std::vector<Step>& steps, Description& out) const;

  bool array_;
  std::vector<std::pair<std::string, Value>> updates_;
  std::vector<std::pair<std::string, Value>> inserts_;
  std::vector<std::string> deletes_;
  std::vector<std::pair<std::string, std::unique_ptr<DeltaNode>>> subs_;
  std::optional<uint32_t> new_size_;
  std::optional<Value> whole_;
};

// The delta that turns `before` into `after`; absent when writing `after` whole is shorter.
std::unique_ptr<DeltaNode> document_delta(bson::View before, bson::View after, size_t overhead);

// The bytes that a log entry has around a delta.
inline constexpr size_t kDeltaOverheadBytes = 19;

// The log format before deltas: full paths, in the order of execution.
struct PathLog {
  std::vector<std::pair<std::string, Value>> sets;
  std::vector<std::string> unsets;
  bson::Document describe() const;
};

// What the application of one update to one document knows.
struct UpdateEnv {
  const PipelineContext* context = nullptr;
  bson::View before;
  bool is_insert = false;
  bool deltas = true;
  std::optional<uint32_t> positional;    // the item that `$` means
  std::map<std::string, Value> renamed;  // by source path: what stood there
  PathLog* paths = nullptr;              // set while changes are logged and !deltas
};

enum class NodeChange { kNone, kUpdated, kAppended, kRemoved };

// One modifier with its argument.
class Modifier {
 public:
  virtual ~Modifier() = default;
  // Whether it makes the field when there is none.
  virtual bool creates(const UpdateEnv&) const { return true; }
  // `node` holds the value to change; path is for messages. kAppended: only items behind the old last one are
  // new.
  virtual Reply<NodeChange> update(MutableNode& node, const std::string& path,
                                   const UpdateEnv& env) const = 0;
  // The value of a field that did not exist.
  virtual Reply<Value> create(const std::string& path, const UpdateEnv& env) const = 0;
};

// `name` is "$set" and so on; `argument` is what the field of the modifier's document holds.
Reply<std::unique_ptr<const Modifier>> parse_modifier(std::string_view name, const bson::Element& argument,
                                                      const PipelineContext& context);
// The same for the array modifiers ($push, $addToSet, $pop, $pull, $pullAll); null for any other name.
Reply<std::unique_ptr<const Modifier>> parse_array_modifier(std::string_view name,
                                                            const bson::Element& argument,
                                                            const PipelineContext& context);
std::unique_ptr<const Modifier> make_unset();
std::unique_ptr<const Modifier> make_rename_source(std::string source);
std::unique_ptr<const Modifier> make_rename_target(std::string source);

// Field names in execution order: numbers by value, before and between other names as text.
struct FieldNameLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

// One step of the paths of an update: a modifier at the end of a path, or what is to be done to children.
struct OperationNode {
  std::unique_ptr<const Modifier> modifier;
  std::map<std::string, std::unique_ptr<OperationNode>, FieldNameLess>
      children;  // "$", "$[]", "$[id]" among them

  bool is_leaf() const { return modifier != nullptr; }
  // True when the children are $[] or $[id].
  bool is_array_filter() const { return !children.empty() && children.begin()->first.starts_with("$["); }
  bool may_create(const UpdateEnv& env) const;
};

// Everything that an update with modifiers is.
struct ModifierUpdate {
  OperationNode root;
  std::vector<std::pair<std::string, std::string>> renames;  // source, target
  std::map<std::string, bson::Matcher> array_filters;        // by identifier
  bool positional = false;                                   // some path has `$`
};

Reply<ModifierUpdate> parse_modifiers(bson::View update, bson::View array_filters,
                                      const PipelineContext& context);
Reply<UpdateResult> apply_modifiers(const ModifierUpdate& update, bson::View before, UpdateEnv env);

}  // namespace tidemark::sandbox
