#include "cli/demo_watch.h"

#include "cli/demo_world.h"
#include "sinks/sqlite/database.h"
#include "sinks/sqlite/positions.h"

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLook = milliseconds(50);
constexpr auto kRateWindow = seconds(2);
constexpr size_t kSecondsShown = 120;
constexpr size_t kIdsShown = 10;
constexpr const char* kPositionTable = "tidemark_positions";  // the sink's default

sqlite::DatabaseOptions read_only(const std::string& path) {
  sqlite::DatabaseOptions options;
  options.path = path;
  options.read_only = true;
  return options;
}

Result<int64_t> count_source(DemoServer& server) {
  bson::Builder command;
  command.append("count", DemoWorld::kCollection);
  TIDEMARK_ASSIGN(const bson::Document reply,
                  server.command(DemoWorld::kDatabase, command.view(), DemoServer::Member::kPrimary));
  const auto count = reply.view().find("n");
  const auto value = count ? count->integer() : std::nullopt;
  if (!value) return fail(React::kFatal, "count: the reply has no n");
  return *value;
}

}  // namespace

Result<int64_t> DemoDestination::count() const {
  TIDEMARK_ASSIGN(const auto database, sqlite::Database::open(read_only(path_), clock_));
  TIDEMARK_ASSIGN(auto select,
                  database->prepare("SELECT count(*) FROM " + sqlite::quoted(DemoWorld::kTable)));
  TIDEMARK_TRY(select.step());
  return select.integer(0);
}

Result<std::optional<StoredPosition>> DemoDestination::position() const {
  TIDEMARK_ASSIGN(const auto database, sqlite::Database::open(read_only(path_), clock_));
  return sqlite::PositionTable(kPositionTable).read(*database, DemoWorld::kPipeline);
}

Result<std::vector<guard::Row>> DemoDestination::rows() const {
  TIDEMARK_ASSIGN(const auto database, sqlite::Database::open(read_only(path_), clock_));
  TIDEMARK_ASSIGN(auto select, database->prepare("SELECT id, doc FROM " + sqlite::quoted(DemoWorld::kTable)));
  std::vector<guard::Row> rows;
  while (true) {
    TIDEMARK_ASSIGN(const bool there, select.step());
    if (!there) return rows;
    rows.push_back({select.text(0), select.text(1)});
  }
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

DemoWatch::DemoWatch(DemoServer server, std::string database_path, DemoWriter& writer, DemoFaults* faults,
                     Clock& clock)
    : server_(std::move(server)),
      destination_(std::move(database_path), clock),
      writer_(writer),
      faults_(faults),
      clock_(clock),
      source_thread_([this](std::stop_token stop) { run(std::move(stop), &DemoWatch::look_at_source); }),
      destination_thread_(
          [this](std::stop_token stop) { run(std::move(stop), &DemoWatch::look_at_destination); }) {}

DemoWatch::~DemoWatch() = default;

void DemoWatch::run(std::stop_token stop, void (DemoWatch::*look)()) {
  do {
    (this->*look)();
  } while (clock_.sleep_until(clock_.now() + kLook, stop));
}

// What can't be read now keeps its last value: an election leaves the source without an answer for a moment.
void DemoWatch::look_at_source() {
  const auto count = count_source(server_);
  MutexLock lock(mutex_);
  if (count) source_count_ = *count;
}

void DemoWatch::look_at_destination() {
  const auto count = destination_.count();
  const auto stored = destination_.position();
  std::optional<DeliveryLedger::Progress> progress;
  if (stored && *stored) {
    const bson::Timestamp time = token_time((*stored)->position.token());
    progress = writer_.progress(time);
    if (faults_ != nullptr) faults_->delivered(progress->delivered);
    MutexLock lock(mutex_);
    position_time_ = time;
    position_saved_at_ = (*stored)->saved_at_ms;
  }
  MutexLock lock(mutex_);
  if (count) destination_count_ = *count;
  if (progress) {
    progress_ = *progress;
    rate_.add(progress->delivered, clock_.now());
  }
}

void DemoWatch::fill(DemoSnapshot& snapshot) const {
  MutexLock lock(mutex_);
  snapshot.source_count = source_count_;
  snapshot.destination_count = destination_count_;
  snapshot.written = progress_.written;
  snapshot.delivered = progress_.delivered;
  snapshot.events_per_s = rate_.per_second();
  snapshot.rates = rate_.by_second();
  if (progress_.written > 0) snapshot.lag = std::chrono::duration_cast<milliseconds>(progress_.lag);
  if (position_saved_at_)
    snapshot.position_age = milliseconds(std::max<WallMs>(0, clock_.wall_ms() - *position_saved_at_));
}

bool DemoWatch::drained() const {
  const bson::Timestamp last = writer_.last_write();
  MutexLock lock(mutex_);
  return position_time_ >= last;
}

Result<guard::Comparison> audit_demo(DemoServer& server, const DemoDestination& destination) {
  TIDEMARK_ASSIGN(auto source, server.rows(DemoWorld::kDatabase, DemoWorld::kCollection));
  TIDEMARK_ASSIGN(auto rows, destination.rows());
  guard::SortedRows left(std::move(source));
  guard::SortedRows right(std::move(rows));
  return guard::compare(left, right, kIdsShown);
}

}  // namespace tidemark::cli
