#include "guard/compare.h"

#include <algorithm>
#include <utility>

namespace tidemark::guard {
namespace {

// One end with its current row, checked for order.
class Cursor {
 public:
  Cursor(RowReader& reader, const char* name) : reader_(reader), name_(name) {}

  Status advance() {
    std::swap(previous_, row_.id);
    TIDEMARK_ASSIGN(const bool there, reader_.next(row_));
    done_ = !there;
    if (done_) return {};
    if (total_ > 0 && row_.id <= previous_)
      return fail(React::kFatal, std::string("the ") + name_ + " hands out id " + row_.id + " after " +
                                     previous_ + ": a comparison needs every id once, in order");
    ++total_;
    return {};
  }

  bool done() const { return done_; }
  const Row& row() const { return row_; }
  uint64_t total() const { return total_; }

 private:
  RowReader& reader_;
  const char* name_;
  Row row_;
  std::string previous_;
  bool done_ = false;
  uint64_t total_ = 0;
};

void note(Difference& difference, const std::string& id, size_t ids_max) {
  ++difference.count;
  if (difference.first_ids.size() < ids_max) difference.first_ids.push_back(id);
}

}  // namespace

SortedRows::SortedRows(std::vector<Row> rows) : rows_(std::move(rows)) {
  std::ranges::sort(rows_, {}, &Row::id);
}

Result<bool> SortedRows::next(Row& row) {
  if (next_ == rows_.size()) return false;
  row = rows_[next_++];
  return true;
}

Result<Comparison> compare(RowReader& source, RowReader& destination, size_t ids_max) {
  Comparison result;
  Cursor left(source, "source");
  Cursor right(destination, "destination");
  TIDEMARK_TRY(left.advance());
  TIDEMARK_TRY(right.advance());
  while (!left.done() || !right.done()) {
    const bool only_left = right.done() || (!left.done() && left.row().id < right.row().id);
    const bool only_right = !only_left && (left.done() || right.row().id < left.row().id);
    if (only_left) {
      note(result.missing, left.row().id, ids_max);
      TIDEMARK_TRY(left.advance());
    } else if (only_right) {
      note(result.extra, right.row().id, ids_max);
      TIDEMARK_TRY(right.advance());
    } else {
      if (left.row().doc != right.row().doc) note(result.different, left.row().id, ids_max);
      TIDEMARK_TRY(left.advance());
      TIDEMARK_TRY(right.advance());
    }
  }
  result.source_total = left.total();
  result.destination_total = right.total();
  return result;
}

}  // namespace tidemark::guard
