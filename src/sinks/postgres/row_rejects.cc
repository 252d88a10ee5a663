// Which event it was, when a statement over many rows failed for what is in one of them.
#include <algorithm>

#include "sinks/postgres/rows.h"

namespace tidemark::postgres {

// Whether the statement over the work's first rows up to `end` fails for what is in them.
Result<bool> RowWriter::fails(Connection& connection, const Work& work, size_t end, std::stop_token stop) {
  connection.start_pipeline();
  TIDEMARK_TRY(connection.add("BEGIN", {}, stop));
  const Event* at = nullptr;
  TIDEMARK_TRY(add_work(connection, work, work.begin, end, at, stop));
  const PipelineEnd tried = connection.finish(stop);
  if (connection.lost()) return fail(*tried.error);
  TIDEMARK_TRY(connection.query("ROLLBACK", {}));
  if (tried.error && tried.error->react != React::kReject) return fail(*tried.error);
  return tried.error.has_value();
}

WriteResult RowWriter::find_culprit(Connection& connection, const PipelineEnd& end, std::stop_token stop) {
  const auto work = std::find_if(works_.begin(), works_.end(),
                                 [&](const Work& each) { return each.statement == end.statement; });
  if (work == works_.end()) return write_failed(Error{React::kFatal, end.error->what, end.error->hint});
  if (work->event != nullptr) return write_failed(*end.error, 0, index_of(work->event));
  return find_culprit_in(connection, *work, *end.error, std::move(stop));
}

WriteResult RowWriter::find_culprit_in(Connection& connection, const Work& work, const Error& error,
                                       std::stop_token stop) {
  // rows_[begin, good) pass, rows_[begin, bad) fail.
  size_t good = work.begin, bad = work.end;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    auto failed = fails(connection, work, middle, stop);
    if (!failed) return write_failed(std::move(failed).error());
    (*failed ? bad : good) = middle;
  }
  return write_failed(error, 0, index_of(rows_[good].event));
}

}  // namespace tidemark::postgres
