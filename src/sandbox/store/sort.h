// A sort specification. Immutable once parsed; any thread may use one.
#pragma once

#include <string>
#include <vector>

#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

class SortOrder {
 public:
  static Reply<SortOrder> parse(bson::View spec);

  bool empty() const { return parts_.empty(); }
  bool less(bson::View a, bson::View b) const;
  // Bytes that order documents as less() does; an array counts by its least item, or its greatest when
  // descending.
  std::string key(bson::View document) const;
  // Stable. Keeps the first `limit` documents where limit > 0.
  void sort(std::vector<bson::Document>& documents, size_t limit = 0) const;
  // True for {_id: 1} and {_id: -1}: an index delivers that order.
  bool is_by_id() const { return parts_.size() == 1 && parts_[0].path == "_id"; }
  bool descending() const { return !parts_.empty() && parts_[0].descending; }

 private:
  struct Part {
    std::string path;
    bool descending = false;
  };
  std::vector<Part> parts_;
};

}  // namespace tidemark::sandbox
