#include "demo/ledger.h"

#include <algorithm>

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kMarksMax = 50'000;
constexpr auto kRateWindow = seconds(2);
constexpr size_t kSecondsShown = 120;

struct FaultName {
  const char* one;
  const char* many;
  const char* button;
  const char* label;
};

// In the order of FaultKind.
constexpr std::array<FaultName, kFaultKinds> kNames = {{
    {"election", "elections", "step_down", "Step the primary down"},
    {"primary killed", "primary kills", "kill_primary", "Kill the primary"},
    {"cursors killed", "cursor kills", "kill_cursors", "Kill every cursor"},
    {"feed silenced", "silenced feeds", "silence_feed", "Silence the feed for 6 s"},
    {"connection closed", "closed connections", "close_connection",
     "Close a connection instead of answering"},
    {"kill -9 of the worker", "worker kills (kill -9)", "kill_worker", "kill -9 the worker"},
    {"broker restarted", "broker restarts", "restart_broker", "Restart the broker"},
    {"poisoned event", "poisoned events", "poison", "Post an event that can't be processed"},
}};

const FaultName& names(FaultKind kind) { return kNames.at(static_cast<size_t>(kind)); }

}  // namespace

std::string_view to_string(FaultKind kind) { return names(kind).one; }
std::string_view plural(FaultKind kind) { return names(kind).many; }
std::string_view button_name(FaultKind kind) { return names(kind).button; }
std::string_view button_label(FaultKind kind) { return names(kind).label; }

std::optional<FaultKind> fault_of_button(std::string_view name) {
  for (size_t kind = 0; kind < kFaultKinds; ++kind)
    if (name == kNames[kind].button) return static_cast<FaultKind>(kind);
  return std::nullopt;
}

void FaultLedger::inflicted(FaultKind kind, milliseconds at, std::string detail, int64_t posted) {
  entries_.push_back({{kind, at, std::move(detail), std::nullopt}, posted, std::nullopt});
  ++inflicted_[static_cast<size_t>(kind)];
}

void FaultLedger::delivered(int64_t events, milliseconds now) {
  for (Entry& entry : entries_)
    if (entry.record.kind != FaultKind::kSilentFeed && events > entry.posted) survive(entry, now);
}

void FaultLedger::silence_ended(int64_t events) {
  for (Entry& entry : entries_)
    if (entry.record.kind == FaultKind::kSilentFeed && !entry.shown) entry.shown = events;
}

void FaultLedger::shown(int64_t events, milliseconds now) {
  for (Entry& entry : entries_)
    if (entry.shown && events > *entry.shown) survive(entry, now);
}

void FaultLedger::survive(Entry& entry, milliseconds now) {
  if (entry.record.survived_after) return;
  entry.record.survived_after = now - entry.record.at;
  ++survived_[static_cast<size_t>(entry.record.kind)];
}

std::vector<FaultRecord> FaultLedger::newest_first(size_t max) const {
  std::vector<FaultRecord> records;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && records.size() < max; ++entry)
    records.push_back(entry->record);
  return records;
}

size_t FaultLedger::waiting() const {
  return static_cast<size_t>(
      std::ranges::count_if(entries_, [](const Entry& entry) { return !entry.record.survived_after; }));
}

void DeliveryLedger::accepted(int64_t events, Mono now) {
  accepted_ += events;
  if (waiting_.size() >= kMarksMax) {
    waiting_.back().accepted = accepted_;
  } else {
    waiting_.push_back({accepted_, now});
  }
}

std::chrono::nanoseconds DeliveryLedger::lag(int64_t arrived, Mono now) {
  while (!waiting_.empty() && waiting_.front().accepted <= arrived) waiting_.pop_front();
  return waiting_.empty() ? std::chrono::nanoseconds(0) : now - waiting_.front().at;
}

void RateMeter::add(int64_t total, Mono now) {
  recent_.push_back({now, total});
  while (recent_.size() > 2 && now - recent_.front().at > kRateWindow) recent_.pop_front();
  if (!second_) second_ = Sample{now, total};
  const auto passed = now - second_->at;
  if (passed < seconds(1)) return;
  by_second_.push_back(static_cast<double>(total - second_->total) /
                       std::chrono::duration<double>(passed).count());
  if (by_second_.size() > kSecondsShown) by_second_.erase(by_second_.begin());
  second_ = Sample{now, total};
}

double RateMeter::per_second() const {
  if (recent_.size() < 2) return 0;
  const double time = std::chrono::duration<double>(recent_.back().at - recent_.front().at).count();
  return time > 0 ? static_cast<double>(recent_.back().total - recent_.front().total) / time : 0;
}

}  // namespace tidemark::demo
