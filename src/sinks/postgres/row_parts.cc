// Batches in transactions of their own: what clears or moves tables, and what was too much for one statement.
#include <algorithm>
#include <cstdlib>

#include "sinks/postgres/rows.h"
#include "sinks/postgres/sqlstate.h"

namespace tidemark::postgres {
namespace {

// Of a table that is cleared or moved: so many pages in the first statement, doubled up to the other bound while the server
// keeps up, halved where it doesn't.
constexpr uint64_t kPagesAtFirst = 64;
constexpr uint64_t kPagesMax = 1024;

// Errors that a smaller statement may escape: it took too long, or too many locks, or too much memory.
bool is_too_much(std::string_view sqlstate) {
  return sqlstate == kQueryCanceled || sqlstate == kOutOfMemory || sqlstate == kTooComplex;
}

}  // namespace

// Of a table's pages one after the other, so that no statement grows with the table. The pages whose rows are gone already
// cost nothing, so that a barrier that was broken off goes on where it was.
Status RowWriter::add_barrier(Connection& connection, const Work& work, uint64_t first_page,
                              uint64_t end_page, std::stop_token stop) {
  const std::string first = "(" + std::to_string(first_page) + ",0)",
                    end = "(" + std::to_string(end_page) + ",0)";
  const GuardForm form = guard_forms_[work.table];
  const std::string rows = " WHERE ctid >= $2 AND ctid < $3 AND " + older(form, "token", "$1");
  const auto guard = [&work](GuardForm wanted, std::string& bytes) {
    append_guard(wanted, work.event->id, bytes);
    return Param{bytes, true, false, wanted == GuardForm::kText ? kText : kBytea};
  };
  std::string bytes, target_bytes;
  const Param token = guard(form, bytes), from = {first, false, false, kTid}, to = {end, false, false, kTid};
  if (work.kind != Work::Kind::kMoveCopy) {
    const Param params[] = {token, from, to};
    return connection.add("DELETE FROM " + sql_names_[work.table] + rows, params, std::move(stop));
  }
  const std::string seconds = std::to_string(work.event->cluster_time.seconds);
  sql_ = "WITH moved AS (DELETE FROM " + sql_names_[work.table] + rows + " RETURNING id, doc) INSERT INTO " +
         sql_names_[work.target] +
         " AS t (id, doc, token, cluster_time) SELECT id, doc, $5, to_timestamp($4) FROM moved" +
         guarded_update(guard_forms_[work.target]);
  const Param seconds_param = {seconds, false, false, 701};  // float8, what to_timestamp takes
  const Param params[] = {token, from, to, seconds_param, guard(guard_forms_[work.target], target_bytes)};
  return connection.add(sql_, params, std::move(stop));
}

bool RowWriter::needs_parts() const {
  return std::any_of(works_.begin(), works_.end(), [](const Work& work) { return work.grows(); });
}

bool RowWriter::parts_may_help(const PipelineEnd& end) { return end.error && is_too_much(end.sqlstate); }

// One part in a transaction of its own, behind the fence.
PipelineEnd RowWriter::run_part(Connection& connection, const Fence& fence,
                                const std::function<Status()>& add_statement, std::stop_token stop) {
  const auto lost = [](Status status) { return PipelineEnd{std::move(status).error(), {}, 0}; };
  connection.start_pipeline();
  if (Status begun = connection.add("BEGIN", {}, stop); !begun) return lost(std::move(begun));
  if (fence.add) {
    if (Status fenced = fence.add(); !fenced) return lost(std::move(fenced));
  }
  const size_t at = connection.pipeline_size();
  Status added = add_statement();
  if (!added && connection.lost()) return lost(std::move(added));
  if (Status sent = connection.add(added ? "COMMIT" : "ROLLBACK", {}, stop); !sent)
    return lost(std::move(sent));
  PipelineEnd end = connection.finish(stop);
  if (end.error && !connection.lost()) static_cast<void>(connection.query("ROLLBACK", {}));
  if (end.error && fence.add && end.statement < at) {
    if (auto refused = fence.refusal(end)) end.error = std::move(refused);
  }
  if (!added && !end.error) end.error = std::move(added).error();
  return end;
}

WriteResult RowWriter::write_in_parts(Connection& connection, const Fence& fence, std::stop_token stop) {
  for (const Work& work : works_) {
    auto done = work.grows() ? write_barrier(connection, work, fence, stop)
                             : write_rows(connection, work, fence, stop);
    if (!done) return done;
  }
  return {};
}

WriteResult RowWriter::write_rows(Connection& connection, const Work& work, const Fence& fence,
                                  std::stop_token stop) {
  const Event* at = nullptr;
  const PipelineEnd end = run_part(
      connection, fence, [&] { return add_work(connection, work, work.begin, work.end, at, stop); }, stop);
  if (!end.error) return {};
  if (connection.lost() || end.error->react == React::kFenced) return write_failed(*end.error);
  if (end.sqlstate.empty()) return write_failed(*end.error, 0, at == nullptr ? 0 : index_of(at));
  if (is_too_much(end.sqlstate) && work.end - work.begin > 1 && !stop.stop_requested()) {
    const size_t middle = work.begin + (work.end - work.begin) / 2;
    Work part = work;
    part.end = middle;
    if (auto first = write_rows(connection, part, fence, stop); !first) return first;
    part.begin = middle;
    part.end = work.end;
    return write_rows(connection, part, fence, stop);
  }
  if (work.event != nullptr) return write_failed(*end.error, 0, index_of(work.event));
  if (end.error->react == React::kReject) return find_culprit_in(connection, work, *end.error, stop);
  return write_failed(*end.error, 0, index_of(rows_[work.begin].event));
}

WriteResult RowWriter::write_barrier(Connection& connection, const Work& work, const Fence& fence,
                                     std::stop_token stop) {
  const auto failed = [&](Error error) { return write_failed(std::move(error), 0, index_of(work.event)); };
  const auto size =
      connection.query("SELECT pg_relation_size($1::regclass) / current_setting('block_size')::bigint",
                       std::span(&sql_names_[work.table], 1), stop);
  if (!size) return failed(size.error());
  const auto pages = static_cast<uint64_t>(std::atoll(size->rows[0][0].c_str()));
  uint64_t span = kPagesAtFirst;
  bool grows = true;
  for (uint64_t page = 0; page < pages;) {
    if (stop.stop_requested()) return failed({React::kCancelled, connection.describe() + ": stopped"});
    const uint64_t end_page = std::min(page + span, pages);
    const PipelineEnd end = run_part(
        connection, fence, [&] { return add_barrier(connection, work, page, end_page, stop); }, stop);
    if (!end.error) {
      page = end_page;
      if (grows) span = std::min(2 * span, kPagesMax);
      continue;
    }
    const bool smaller =
        !connection.lost() && is_too_much(end.sqlstate) && span > 1 && !stop.stop_requested();
    if (!smaller) return failed(*end.error);
    span /= 2;
    grows = false;
  }
  return {};
}

}  // namespace tidemark::postgres
