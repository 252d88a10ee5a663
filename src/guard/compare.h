// Compares two ends of a pipeline document by document: what is missing at the destination, what is there in
// excess, what differs. Pure: it pulls rows in the order of their ids from two readers and holds one row of
// each, however large the ends are. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::guard {

// One document as both ends can express it.
struct Row {
  std::string id;   // canonical Extended JSON of `_id`
  std::string doc;  // whatever text the caller holds equal: canonical Extended JSON, or a normal form of it
};

// One end, in ascending order of the ids' bytes, every id once.
class RowReader {
 public:
  virtual ~RowReader() = default;
  // False, and `row` unspecified, after the last row.
  virtual Result<bool> next(Row& row) = 0;
};

// Rows held in memory; sorts them by id when made.
class SortedRows final : public RowReader {
 public:
  explicit SortedRows(std::vector<Row> rows);
  Result<bool> next(Row& row) override;

 private:
  std::vector<Row> rows_;
  size_t next_ = 0;
};

struct Difference {
  uint64_t count = 0;
  std::vector<std::string> first_ids;  // of the first `ids_max`, in order
};

struct Comparison {
  uint64_t source_total = 0;
  uint64_t destination_total = 0;
  Difference missing;    // at the source only
  Difference extra;      // at the destination only
  Difference different;  // at both, with other content

  bool equal() const { return missing.count == 0 && extra.count == 0 && different.count == 0; }
};

// An end that is out of order or repeats an id is an error (kFatal), not a difference: the counts would mean
// nothing.
Result<Comparison> compare(RowReader& source, RowReader& destination, size_t ids_max);

}  // namespace tidemark::guard
