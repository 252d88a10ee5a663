#include "sinks/mongodb/unique_index.h"

#include <algorithm>
#include <array>

namespace tidemark::mongodb_sink {
namespace {

// Codes of createIndexes.
constexpr int kOptionsConflict = 85;
constexpr int kSpecsConflict = 86;
constexpr std::array kRefused = {67, 10, 197, 171, kOptionsConflict, kSpecsConflict};
constexpr size_t kIndexesMax = 64;  // what a server allows to a collection

// The same fields in the same order, all ascending, whatever the numbers' types.
bool same_pattern(bson::View a, bson::View b) {
  auto other = b.begin();
  for (const bson::Element field : a) {
    if (!(other != b.end()) || (*other).key() != field.key()) return false;
    if (!(*other).is_number() || (*other).integer() != field.integer()) return false;
    ++other;
  }
  return !(other != b.end());
}

}  // namespace

UniqueIndex::UniqueIndex(const std::vector<std::string>& paths) : paths_(paths) {
  bson::Builder pattern;
  for (const std::string& path : paths_) {
    pattern.append(path, int32_t{1});
    name_ += (name_.empty() ? "" : "_") + path + "_1";
  }
  pattern_ = pattern.finish();
}

Status UniqueIndex::ensure(mongo::Client& client, const TableName& target, std::stop_token stop) {
  bson::Builder index;
  index.append("key", pattern_.view()).append("name", name_).append("unique", true);
  bson::Builder indexes;
  indexes.append("0", index.view());
  bson::Builder command;
  command.append("createIndexes", target.name).append_array("indexes", indexes.view());
  auto created = client.write(target.schema, command.view(), stop);
  if (created) return {};
  Error error = std::move(created).error();
  const std::string where = "the unique index " + name_ + " on " + target.text() + " can't be created: ";
  if (error.code == mongo::kDuplicateKey) {
    return fail(
        React::kConfig, where + error.what,
        "the collection holds documents with the same unique_key already: remove all but one of each, "
        "choose another unique_key, or another collection",
        error.code);
  }
  if (error.code == kOptionsConflict || error.code == kSpecsConflict) {
    TIDEMARK_ASSIGN(const bool there, exists(client, target, stop));
    if (there) return {};
  }
  if (std::find(kRefused.begin(), kRefused.end(), error.code) != kRefused.end()) {
    const bool in_the_way = error.code == kOptionsConflict || error.code == kSpecsConflict;
    return fail(
        React::kConfig, where + error.what,
        in_the_way
            ? "another index of these fields stands in its way: drop that one, or choose another unique_key"
        : client.known().sharded
            ? "on a sharded collection a unique index has to begin with the shard key: choose a unique_key "
              "that does, shard the collection by the unique_key, or leave unique_key out (`_id` alone tells "
              "repetitions then)"
            : "choose another unique_key: the server can't make such an index",
        error.code);
  }
  return fail(std::move(error));
}

// One of the same fields that somebody gave another name; a partial or sparse one is no substitute.
Result<bool> UniqueIndex::exists(mongo::Client& client, const TableName& target, std::stop_token stop) {
  bson::Builder command;
  command.append("listIndexes", target.name);
  TIDEMARK_ASSIGN(const auto indexes,
                  client.read_all(target.schema, command.view(), kIndexesMax, std::move(stop)));
  for (const bson::Document& index : indexes) {
    const auto key = index.view().find("key");
    const auto unique = index.view().find("unique");
    const auto name = index.view().find("name");
    if (!key || !key->is_document() || !same_pattern(pattern_, key->document())) continue;
    if (!unique || !unique->truthy() || index.view().find("partialFilterExpression")) continue;
    if (const auto sparse = index.view().find("sparse"); sparse && sparse->truthy()) continue;
    if (name && name->is_string()) names_.emplace(name->string());
    return true;
  }
  return false;
}

std::optional<std::string> UniqueIndex::missing_in(bson::View document) const {
  for (const std::string& path : paths_) {
    const auto field = document.find_path(path);
    if (!field || field->is_null()) return path;
  }
  return std::nullopt;
}

bool UniqueIndex::is_repetition(const mongo::WriteError& error) const {
  if (error.key_pattern) {
    bson::Builder id;
    id.append("_id", int32_t{1});
    return same_pattern(id.view(), error.key_pattern) ||
           (!paths_.empty() && same_pattern(pattern_, error.key_pattern));
  }
  return error.index_name == "_id_" || (!paths_.empty() && error.index_name == name_) ||
         names_.contains(error.index_name);
}

}  // namespace tidemark::mongodb_sink
