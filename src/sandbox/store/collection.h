// One member's copy of one collection: its documents in natural order, its options and its indexes.
//
// Not synchronised: the member that owns it holds its lock around every call. Documents are immutable and
// shared, so that handing one out or copying the collection costs pointers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bson/matcher.h"
#include "sandbox/store/command_error.h"
#include "sandbox/store/index.h"
#include "sandbox/store/sort.h"
#include "sandbox/store/uuid.h"
#include "sandbox/store/version.h"

namespace tidemark::sandbox {

struct FindOptions {
  const SortOrder* sort = nullptr;
  size_t skip = 0;
  size_t limit = 0;  // 0: all
  // Only what stands at or after this canonical_key in _id's order. REQUIRES a sort by _id, ascending.
  std::string id_min = {};
};

class Collection {
 public:
  // `options` as `create` takes them, checked by check_collection_options.
  Collection(std::string db, std::string name, Uuid uuid, bson::Document options);

  const std::string& db() const { return db_; }
  const std::string& name() const { return name_; }
  std::string ns() const { return db_ + "." + name_; }
  const Uuid& uuid() const { return uuid_; }
  // As listCollections shows them.
  const bson::Document& options() const { return options_; }
  // collMod. REQUIRES checked options.
  void set_options(bson::Document options);
  bool pre_and_post_images() const { return pre_and_post_images_; }
  bool capped() const { return capped_bytes_max_ > 0; }
  void set_name(std::string db, std::string name);
  // A sharded collection's key pattern; no document where there is none. Known to a mongos alone: it isn't replicated.
  const bson::Document& shard_key() const { return shard_key_; }
  void set_shard_key(bson::Document key) { shard_key_ = std::move(key); }
  // What names a document in events: the fields of the shard key that it has, then its _id.
  bson::Document document_key(bson::View document) const;
  bool is_view() const {
    return static_cast<bool>(options_.view()) && options_.view().find("viewOn").has_value();
  }
  bool is_time_series() const {
    return static_cast<bool>(options_.view()) && options_.view().find("timeseries").has_value();
  }
  // Takes the option `temp` off, as a rename does.
  void make_permanent();

  // REQUIRES a document that has gone through prepare_insert. 11000 with keyPattern and keyValue for a
  // duplicate key; nothing has changed then.
  Reply<void> insert(bson::Document document);
  // Puts `after` in the place of the document of this _id, at the same point of natural order.
  // REQUIRES equal _ids. NoMatchingDocument (47) when there is none.
  Reply<void> replace(const bson::Element& id, bson::Document after);
  // The document that was removed.
  std::optional<bson::Document> remove(const bson::Element& id);
  std::optional<bson::Document> find_id(const bson::Element& id) const;
  // DocumentValidationFailure (121) when the collection's validator refuses `document`. Writes on a primary
  // call it; applying the oplog doesn't.
  Reply<void> validate(bson::View document) const;

  size_t count() const { return records_.size(); }
  size_t bytes() const { return bytes_; }

  // Documents that match, in the asked or else natural order. Uses an index for equality, $in and ranges
  // where it can. The error is that of an $expr that could not be evaluated.
  Reply<std::vector<bson::Document>> find(const bson::Matcher& matcher,
                                          const FindOptions& options = {}) const;
  Reply<size_t> count_matching(const bson::Matcher& matcher, size_t skip = 0, size_t limit = 0) const;
  std::vector<bson::Document> all() const;
  // In natural order until `visit` returns false.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [record, document] : records_) {
      if (!visit(document)) return;
    }
  }

  // As listIndexes answers: {v, key, name, ...}, _id_ first.
  std::vector<bson::Document> list_indexes() const;
  size_t index_count() const { return 1 + indexes_.size(); }
  // `spec` as createIndexes takes it. True when it was created, false when the same one exists. Errors: 67
  // for kinds the sandbox doesn't have, 85 and 86 for conflicts, 11000 when the documents have duplicates.
  Reply<bool> create_index(bson::View spec);
  // By name; 27 when there is none, 72 for _id_.
  Reply<void> drop_index(std::string_view name);
  // The name of the index with exactly this key pattern.
  std::optional<std::string> index_name(bson::View key_pattern) const;
  // All but _id_; their names.
  std::vector<std::string> drop_all_indexes();

 private:
  using Visit = std::function<bool(const bson::Document&)>;  // false: stop

  CommandError duplicate_key(std::string_view index, bson::View key_pattern, bson::View key_value) const;
  Reply<void> check_unique(bson::View document, RecordId self) const;
  void index_record(bson::View document, RecordId record);
  void unindex_record(bson::View document, RecordId record);
  void erase(std::map<RecordId, bson::Document>::iterator record);
  void evict_capped();
  // Every document that may match, in the order of _id if `by_id`, else in an order as a server might choose.
  void candidates(bson::View filter, const SortOrder* by_id, const Visit& visit) const;
  bool candidates_of_index(bson::View filter, const Visit& visit) const;
  void visit_ids(const std::string& low, const std::string& high, bool descending, const Visit& visit) const;
  // Those that do match.
  Reply<void> matching(const bson::Matcher& matcher, const SortOrder* by_id, const Visit& visit) const;

  std::string db_;
  std::string name_;
  Uuid uuid_;
  bson::Document options_;
  bson::Document shard_key_;
  bool pre_and_post_images_ = false;
  int64_t capped_bytes_max_ = 0;
  int64_t capped_count_max_ = 0;
  std::optional<bson::Matcher> validator_;
  RecordId next_record_ = 1;
  size_t bytes_ = 0;
  std::map<RecordId, bson::Document> records_;        // natural order
  std::map<std::string, RecordId, std::less<>> ids_;  // by canonical_key of _id, therefore in _id's order
  std::vector<Index> indexes_;                        // besides _id_
};

// What the server does to a document before it is inserted: _id first, made by `new_id` when absent; refuses
// _ids that can't be one (arrays, undefined, regular expressions) and documents beyond 16 MB.
Reply<bson::Document> prepare_insert(const bson::Document& document,
                                     const std::function<bson_oid_t()>& new_id);
// What it does besides to the documents of the command `insert`: two _ids are refused, until 5.0 names that begin with "$"
// at the top, and a Timestamp(0, 0) at the top becomes what `now` says.
Reply<bson::Document> prepare_inserted(const bson::Document& document, ServerVersion version,
                                       const std::function<bson_oid_t()>& new_id,
                                       const std::function<bson::Timestamp()>& now);

// Refuses `create` options that the sandbox doesn't have (views, time series, clustered, encrypted) and bad
// ones. Takes the command's fields beside `create` itself and generic ones; the result is what
// listCollections shows.
Reply<bson::Document> check_collection_options(bson::View options);

}  // namespace tidemark::sandbox
