// One index besides _id_: what it is, and its entries. Owned by a Collection and used under its owner's lock.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bson/matcher.h"
#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

using RecordId = uint64_t;

class Index {
 public:
  // `spec` as createIndexes takes it; 67 (and 197 for options of the wrong kind) for what the sandbox doesn't
  // have.
  static Reply<Index> parse(bson::View spec);

  const std::string& name() const { return name_; }
  // As listIndexes shows it.
  const bson::Document& spec() const { return spec_; }
  bson::View key_pattern() const { return key_; }
  bool unique() const { return unique_; }
  bool sparse() const { return sparse_; }
  bool partial() const { return filter_.has_value(); }
  const std::vector<std::string>& paths() const { return paths_; }

  // The entries of one document: several when an indexed field is an array, none when it is not to be
  // indexed. CannotIndexParallelArrays (171) when two indexed fields are arrays.
  Reply<std::vector<std::string>> keys(bson::View document) const;
  // The values behind one of keys(document), under the names of the key pattern: what a duplicate-key error
  // shows.
  bson::Document key_value(bson::View document, const std::string& key) const;
  // The record, other than `self`, that holds `key`.
  std::optional<RecordId> holder(const std::string& key, RecordId self) const;
  void add(const std::string& key, RecordId record) { entries_.emplace(key, record); }
  void remove(const std::string& key, RecordId record) { entries_.erase({key, record}); }
  void clear() { entries_.clear(); }
  const std::set<std::pair<std::string, RecordId>>& entries() const { return entries_; }

 private:
  std::string name_;
  bson::Document spec_;
  bson::Document key_;
  std::vector<std::string> paths_;
  bool unique_ = false;
  bool sparse_ = false;
  std::optional<bson::Matcher> filter_;  // of a partial index
  std::set<std::pair<std::string, RecordId>> entries_;
};

}  // namespace tidemark::sandbox
