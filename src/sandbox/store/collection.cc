#include "sandbox/store/collection.h"

#include <algorithm>
#include <cstring>

#include "bson/compare.h"
#include "sandbox/store/filter.h"
#include "sandbox/store/shell_text.h"

namespace tidemark::sandbox {
namespace {

const bson::Document& id_key_pattern() {
  static const bson::Document pattern = [] {
    bson::Builder builder;
    builder.append("_id", int32_t{1});
    return builder.finish();
  }();
  return pattern;
}

bool same_bytes(bson::View a, bson::View b) { return a == b; }

}  // namespace

Collection::Collection(std::string db, std::string name, Uuid uuid, bson::Document options)
    : db_(std::move(db)), name_(std::move(name)), uuid_(uuid) {
  set_options(std::move(options));
}

void Collection::set_name(std::string db, std::string name) {
  db_ = std::move(db);
  name_ = std::move(name);
}

bson::Document Collection::document_key(bson::View document) const {
  bson::Builder key;
  if (shard_key_)
    for (const auto& part : shard_key_.view())
      if (const auto value = document.find_path(part.key())) key.append(part.key(), *value);
  const auto id = document.find("_id");
  if (id && !key.view().find("_id")) key.append("_id", *id);
  return key.finish();
}

void Collection::make_permanent() {
  const bson::View view = options_.view();
  if (!view || !view.find("temp")) return;
  bson::Builder kept;
  for (const auto& option : view)
    if (option.key() != "temp") kept.append(option.key(), option);
  options_ = kept.finish();
}

void Collection::set_options(bson::Document options) {
  options_ = std::move(options);
  const bson::View view = options_.view();
  const auto images = view.find_path("changeStreamPreAndPostImages.enabled");
  pre_and_post_images_ = images && images->truthy();
  capped_bytes_max_ = 0;
  capped_count_max_ = 0;
  if (const auto capped = view.find("capped"); capped && capped->truthy()) {
    if (const auto size = view.find("size")) capped_bytes_max_ = size->integer().value_or(0);
    if (const auto max = view.find("max")) capped_count_max_ = max->integer().value_or(0);
  }
  validator_.reset();
  const auto level = view.find("validationLevel");
  const auto action = view.find("validationAction");
  const bool off = (level && level->is_string() && level->string() == "off") ||
                   (action && action->is_string() && action->string() == "warn");
  if (const auto validator = view.find("validator"); validator && !off && validator->is_document()) {
    if (auto matcher = parse_filter(validator->document())) validator_ = *std::move(matcher);
  }
}

CommandError Collection::duplicate_key(std::string_view index, bson::View key_pattern,
                                       bson::View key_value) const {
  bson::Builder extra;
  extra.append("keyPattern", key_pattern).append("keyValue", key_value);
  return {kDuplicateKey,
          code_name(kDuplicateKey),
          "E11000 duplicate key error collection: " + ns() + " index: " + std::string(index) +
              " dup key: " + shell_text(key_value),
          {},
          extra.finish()};
}

Reply<void> Collection::check_unique(bson::View document, RecordId self) const {
  for (const Index& index : indexes_) {
    SANDBOX_ASSIGN(const auto keys, index.keys(document));
    if (!index.unique()) continue;
    for (const std::string& key : keys) {
      if (index.holder(key, self))
        return tl::unexpected(
            duplicate_key(index.name(), index.key_pattern(), index.key_value(document, key)));
    }
  }
  return {};
}

void Collection::index_record(bson::View document, RecordId record) {
  for (Index& index : indexes_) {
    if (const auto keys = index.keys(document)) {
      for (const std::string& key : *keys) index.add(key, record);
    }
  }
}

void Collection::unindex_record(bson::View document, RecordId record) {
  for (Index& index : indexes_) {
    if (const auto keys = index.keys(document)) {
      for (const std::string& key : *keys) index.remove(key, record);
    }
  }
}

Reply<void> Collection::insert(bson::Document document) {
  const auto id = document.view().find("_id");
  if (!id) return command_error(kBadValue, "can't insert a document without _id");
  std::string key = bson::canonical_key(*id);
  // Most ids come in ascending order: then there is nothing to search.
  auto hint = ids_.end();
  if (!ids_.empty() && !(std::prev(hint)->first < key)) hint = ids_.lower_bound(key);
  if (hint != ids_.end() && hint->first == key) {
    bson::Builder value;
    value.append("_id", *id);
    return tl::unexpected(duplicate_key("_id_", id_key_pattern(), value.view()));
  }
  const RecordId record = next_record_;
  if (!indexes_.empty()) {
    SANDBOX_TRY(check_unique(document, record));
    index_record(document, record);
  }
  ++next_record_;
  ids_.emplace_hint(hint, std::move(key), record);
  bytes_ += document.size();
  records_.emplace_hint(records_.end(), record, std::move(document));
  if (capped_bytes_max_ > 0) evict_capped();
  return {};
}

void Collection::erase(std::map<RecordId, bson::Document>::iterator record) {
  const bson::View document = record->second.view();
  if (!indexes_.empty()) unindex_record(document, record->first);
  if (const auto id = document.find("_id")) ids_.erase(bson::canonical_key(*id));
  bytes_ -= document.size();
  records_.erase(record);
}

void Collection::evict_capped() {
  while (records_.size() > 1 &&
         (static_cast<int64_t>(bytes_) > capped_bytes_max_ ||
          (capped_count_max_ > 0 && static_cast<int64_t>(records_.size()) > capped_count_max_)))
    erase(records_.begin());
}

Reply<void> Collection::replace(const bson::Element& id, bson::Document after) {
  const auto found = ids_.find(bson::canonical_key(id));
  if (found == ids_.end())
    return command_error(kNoMatchingDocument, "no document with _id " + shell_text(id));
  const auto record = records_.find(found->second);
  if (!indexes_.empty()) {
    SANDBOX_TRY(check_unique(after, record->first));
    unindex_record(record->second, record->first);
    index_record(after, record->first);
  }
  bytes_ += after.size();
  bytes_ -= record->second.size();
  record->second = std::move(after);
  return {};
}

std::optional<bson::Document> Collection::remove(const bson::Element& id) {
  const auto found = ids_.find(bson::canonical_key(id));
  if (found == ids_.end()) return std::nullopt;
  const auto record = records_.find(found->second);
  bson::Document document = record->second;
  erase(record);
  return document;
}

std::optional<bson::Document> Collection::find_id(const bson::Element& id) const {
  const auto found = ids_.find(bson::canonical_key(id));
  if (found == ids_.end()) return std::nullopt;
  return records_.at(found->second);
}

Reply<void> Collection::validate(bson::View document) const {
  if (!validator_ || validator_->matches(document)) return {};
  CommandError error{kDocumentValidationFailure,
                     code_name(kDocumentValidationFailure),
                     "Document failed validation",
                     {},
                     {}};
  if (const auto id = document.find("_id")) {
    bson::Builder info;
    info.append("failingDocumentId", *id);
    bson::Builder extra;
    extra.append("errInfo", info.view());
    error.extra = extra.finish();
  }
  return tl::unexpected(std::move(error));
}

Reply<std::vector<bson::Document>> Collection::find(const bson::Matcher& matcher,
                                                    const FindOptions& options) const {
  std::vector<bson::Document> result;
  const bool sorted = options.sort != nullptr && !options.sort->empty();
  const bool by_id = sorted && options.sort->is_by_id();
  const bool cut_early = !sorted || by_id;
  size_t to_skip = cut_early ? options.skip : 0;
  SANDBOX_TRY(matching(matcher, by_id ? options.sort : nullptr, [&](const bson::Document& document) {
    if (!options.id_min.empty() && bson::canonical_key(*document.view().find("_id")) < options.id_min)
      return true;
    if (to_skip > 0) {
      --to_skip;
      return true;
    }
    result.push_back(document);
    return !(cut_early && options.limit > 0 && result.size() >= options.limit);
  }));
  if (cut_early) return result;
  options.sort->sort(result, options.limit > 0 ? options.skip + options.limit : 0);
  result.erase(result.begin(),
               result.begin() + static_cast<ptrdiff_t>(std::min(options.skip, result.size())));
  return result;
}

Reply<size_t> Collection::count_matching(const bson::Matcher& matcher, size_t skip, size_t limit) const {
  size_t count = 0;
  if (matcher.filter().empty()) {
    count = records_.size();
  } else {
    const size_t enough = limit > 0 ? skip + limit : 0;
    SANDBOX_TRY(matching(matcher, nullptr, [&](const bson::Document&) { return ++count != enough; }));
  }
  count -= std::min(skip, count);
  return limit > 0 ? std::min(count, limit) : count;
}

std::vector<bson::Document> Collection::all() const {
  std::vector<bson::Document> result;
  result.reserve(records_.size());
  for (const auto& [record, document] : records_) result.push_back(document);
  return result;
}

std::vector<bson::Document> Collection::list_indexes() const {
  std::vector<bson::Document> result;
  bson::Builder id_index;
  id_index.append("v", int32_t{2}).append("key", id_key_pattern().view()).append("name", "_id_");
  result.push_back(id_index.finish());
  for (const Index& index : indexes_) result.push_back(index.spec());
  return result;
}

Reply<bool> Collection::create_index(bson::View spec) {
  SANDBOX_ASSIGN(Index index, Index::parse(spec));
  if (same_bytes(index.key_pattern(), id_key_pattern())) return false;
  if (index.name() == "_id_")
    return command_error(kBadValue,
                         "The index name '_id_' is reserved for the _id index, which must have key pattern "
                         "{_id: 1}, found key: " +
                             shell_text(index.key_pattern()));
  for (const Index& other : indexes_) {
    if (same_bytes(other.spec(), index.spec())) return false;
    if (other.name() == index.name())
      return command_error(
          kIndexKeySpecsConflict,
          "An existing index has the same name as the requested index. When index names are not "
          "specified, they are auto generated and can cause conflicts. Please refer to our "
          "documentation. Requested index: " +
              shell_text(index.spec()) + ", existing index: " + shell_text(other.spec()));
    if (same_bytes(other.key_pattern(), index.key_pattern()) && other.partial() == index.partial())
      return command_error(kIndexOptionsConflict,
                           "Index already exists with a different name: " + other.name());
  }
  for (const auto& [record, document] : records_) {
    SANDBOX_ASSIGN(const auto keys, index.keys(document));
    for (const std::string& key : keys) {
      if (index.unique() && index.holder(key, record))
        return tl::unexpected(
            duplicate_key(index.name(), index.key_pattern(), index.key_value(document, key)));
      index.add(key, record);
    }
  }
  indexes_.push_back(std::move(index));
  return true;
}

Reply<void> Collection::drop_index(std::string_view name) {
  if (name == "_id_") return command_error(kInvalidOptions, "cannot drop _id index");
  const auto found =
      std::find_if(indexes_.begin(), indexes_.end(), [name](const Index& i) { return i.name() == name; });
  if (found == indexes_.end())
    return command_error(kIndexNotFound, "index not found with name [" + std::string(name) + "]");
  indexes_.erase(found);
  return {};
}

std::optional<std::string> Collection::index_name(bson::View key_pattern) const {
  if (same_bytes(key_pattern, id_key_pattern())) return "_id_";
  for (const Index& index : indexes_) {
    if (bson::compare_documents(index.key_pattern(), key_pattern) == 0) return index.name();
  }
  return std::nullopt;
}

std::vector<std::string> Collection::drop_all_indexes() {
  std::vector<std::string> names;
  for (const Index& index : indexes_) names.push_back(index.name());
  indexes_.clear();
  return names;
}

}  // namespace tidemark::sandbox
