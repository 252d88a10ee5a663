#include "cli/demo_writer.h"

#include <algorithm>

#include "cli/demo_world.h"

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kMarksMax = 50'000;
constexpr auto kTick = milliseconds(20);
constexpr auto kRetryPause = milliseconds(50);
constexpr auto kWritePatience = seconds(60);
constexpr int kDuplicateKey = 11000;

bson::Timestamp timestamp_of(const bson::Element& element) {
  bson::Timestamp time;
  bson_iter_timestamp(&element.iter(), &time.seconds, &time.increment);
  return time;
}

// The write's own oplog time; servers give it as opTime, and never later than operationTime.
bson::Timestamp time_of(bson::View reply) {
  for (const char* path : {"opTime.ts", "operationTime"}) {
    const auto time = reply.find_path(path);
    if (time && time->type() == BSON_TYPE_TIMESTAMP) return timestamp_of(*time);
  }
  return {};
}

}  // namespace

void DeliveryLedger::acknowledged(bson::Timestamp time, int64_t count, Mono now) {
  written_ += count;
  last_ = std::max(last_, time);
  if (waiting_.size() >= kMarksMax) {
    waiting_.back().time = last_;
    waiting_.back().written = written_;
  } else {
    waiting_.push_back({last_, written_, now});
  }
}

DeliveryLedger::Progress DeliveryLedger::progress(bson::Timestamp position, Mono now) {
  while (!waiting_.empty() && waiting_.front().time <= position) {
    delivered_ = waiting_.front().written;
    waiting_.pop_front();
  }
  Progress progress;
  progress.written = written_;
  progress.delivered = delivered_;
  if (!waiting_.empty()) progress.lag = now - waiting_.front().at;
  return progress;
}

DemoWriter::DemoWriter(DemoServer server, const std::vector<Quake>& quakes, int rate, uint64_t seed,
                       Clock& clock)
    : server_(std::move(server)),
      quakes_(quakes),
      rate_(rate),
      random_(seed),
      clock_(clock),
      alive_(quakes.size(), false),
      thread_([this](std::stop_token stop) {
        run(std::move(stop));
        finished_ = true;
      }) {}

DeliveryLedger::Progress DemoWriter::progress(bson::Timestamp position) {
  MutexLock lock(mutex_);
  return ledger_.progress(position, clock_.now());
}

int64_t DemoWriter::written() const {
  MutexLock lock(mutex_);
  return ledger_.written();
}

bson::Timestamp DemoWriter::last_write() const {
  MutexLock lock(mutex_);
  return ledger_.last();
}

std::string DemoWriter::trouble() const {
  MutexLock lock(mutex_);
  return trouble_;
}

std::optional<Error> DemoWriter::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

void DemoWriter::run(std::stop_token stop) {
  double due = 0;
  Mono next = clock_.now();
  while (!stop.stop_requested()) {
    due += rate_ * std::chrono::duration<double>(kTick).count();
    const int changes = static_cast<int>(due);
    due -= changes;
    if (changes > 0 && !write(compose(changes))) return;
    // After an election the lost time is not made up for: the rate is a most, not a promise.
    next = std::max(next + kTick, clock_.now());
    clock_.sleep_until(next, stop);
  }
  // One last change, after all others: a position beyond it has passed every one of them.
  const auto any = std::ranges::find(alive_, true);
  const size_t chosen = any == alive_.end() ? 0 : static_cast<size_t>(any - alive_.begin());
  Batch last;
  (any == alive_.end() ? last.inserts : last.updates).push_back(chosen);
  write(last);
}

// Inserts until most quakes stand, then keeps a balance of inserts, updates and deletes.
DemoWriter::Batch DemoWriter::compose(int changes) {
  Batch batch;
  std::vector<bool> taken(quakes_.size(), false);
  const auto count = static_cast<size_t>(std::ranges::count(alive_, true));
  for (int i = 0; i < changes; ++i) {
    const size_t chosen = random_.below(quakes_.size());
    if (taken[chosen]) continue;
    taken[chosen] = true;
    if (!alive_[chosen]) {
      batch.inserts.push_back(chosen);
    } else if (count * 4 > quakes_.size() * 3 && random_.below(2) == 0) {
      batch.deletes.push_back(chosen);
    } else {
      batch.updates.push_back(chosen);
    }
  }
  return batch;
}

bool DemoWriter::write(const Batch& batch) {
  if (!batch.inserts.empty() &&
      !write_until_acknowledged(insert_command(batch.inserts), batch.inserts.size()))
    return false;
  for (const size_t i : batch.inserts) alive_[i] = true;
  if (!batch.updates.empty() &&
      !write_until_acknowledged(update_command(batch.updates), batch.updates.size()))
    return false;
  if (!batch.deletes.empty() &&
      !write_until_acknowledged(delete_command(batch.deletes), batch.deletes.size()))
    return false;
  for (const size_t i : batch.deletes) alive_[i] = false;
  return true;
}

// A stop doesn't cut it short: what is half written would be neither here nor there. Every command leaves the
// same documents however often it is applied.
bool DemoWriter::write_until_acknowledged(const bson::Document& command, size_t changes) {
  const Mono give_up = clock_.now() + kWritePatience;
  for (;;) {
    auto time = write_once(command);
    {
      MutexLock lock(mutex_);
      trouble_ = time ? "" : time.error().what;
      if (time) {
        ledger_.acknowledged(*time, static_cast<int64_t>(changes), clock_.now());
        return true;
      }
      if (clock_.now() >= give_up) {
        failure_ = time.error();
        return false;
      }
    }
    clock_.sleep_until(clock_.now() + kRetryPause, {});
  }
}

Result<bson::Timestamp> DemoWriter::write_once(const bson::Document& command) {
  TIDEMARK_ASSIGN(const bson::Document reply, server_.write(DemoWorld::kDatabase, command));
  const auto errors = reply.view().find("writeErrors");
  if (errors && errors->is_array()) {
    for (const bson::Element each : errors->document()) {
      if (!each.is_document()) continue;
      const auto code = each.document().find("code");
      // The document stands already: an earlier try got through, and only its answer was lost.
      if (code && code->integer() == kDuplicateKey) continue;
      const auto message = each.document().find("errmsg");
      return fail(React::kRetry,
                  message && message->is_string() ? std::string(message->string()) : "write error");
    }
  }
  return time_of(reply);
}

bson::Document DemoWriter::insert_command(const std::vector<size_t>& chosen) const {
  bson::Builder documents;
  for (size_t i = 0; i < chosen.size(); ++i)
    documents.append(std::to_string(i), quakes_[chosen[i]].document.view());
  bson::Builder command;
  command.append("insert", DemoWorld::kCollection).append_array("documents", documents.view());
  command.append("ordered", false);
  return command.finish();
}

bson::Document DemoWriter::update_command(const std::vector<size_t>& chosen) {
  bson::Builder updates;
  for (size_t i = 0; i < chosen.size(); ++i) {
    bson::Builder filter, fields, change, update;
    filter.append("_id", quakes_[chosen[i]].id);
    fields.append("revision", ++revision_).append_date("reviewed", clock_.wall_ms());
    fields.append("felt", static_cast<int32_t>(random_.below(1'000)));
    change.append("$set", fields.view());
    update.append("q", filter.view()).append("u", change.view());
    updates.append(std::to_string(i), update.view());
  }
  bson::Builder command;
  command.append("update", DemoWorld::kCollection).append_array("updates", updates.view());
  command.append("ordered", false);
  return command.finish();
}

bson::Document DemoWriter::delete_command(const std::vector<size_t>& chosen) const {
  bson::Builder deletes;
  for (size_t i = 0; i < chosen.size(); ++i) {
    bson::Builder filter, remove;
    filter.append("_id", quakes_[chosen[i]].id);
    remove.append("q", filter.view()).append("limit", int32_t{1});
    deletes.append(std::to_string(i), remove.view());
  }
  bson::Builder command;
  command.append("delete", DemoWorld::kCollection).append_array("deletes", deletes.view());
  command.append("ordered", false);
  return command.finish();
}

}  // namespace tidemark::cli
