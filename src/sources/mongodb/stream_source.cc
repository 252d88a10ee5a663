#include "sources/mongodb/stream_source.h"

#include <algorithm>
#include <array>
#include <thread>

#include "base/log.h"
#include "sources/mongodb/health.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;

// MongoDB 6.0, the first that may know $changeStreamSplitLargeEvent.
constexpr int kWireVersion60 = 17;
// The server's code for an aggregation stage that it doesn't know.
constexpr int kUnknownStage = 40324;
// BSONObjectTooLarge.
constexpr int kTooLarge = 10334;
// A batch is kept near this size while events are large: the driver holds a reply twice for a moment.
constexpr int64_t kBatchBytes = 4 << 20;
constexpr int kAuthenticationAttempts = 3;
constexpr milliseconds kAuthenticationPause{100};
constexpr int kClosedAtOnceMax = 3;
constexpr int kSlimReadsMax = 60;
constexpr int kEarliestAttempts = 5;
constexpr milliseconds kCloseTimeout{1000};

std::string name_of(const StreamOptions& stream) {
  if (stream.database.empty()) return "the deployment";
  return stream.collection.empty() ? "database " + stream.database
                                   : stream.database + "." + stream.collection;
}

bool has_events(const CursorReply& parts) { return !parts.batch.empty(); }

tl::unexpected<Error> not_a_start(const std::string& where, std::string why, std::string hint, int code = 0) {
  return fail(React::kConfig, where + ": " + std::move(why), std::move(hint), code);
}

std::string text_of(bson::Timestamp time) {
  return std::to_string(time.seconds) + "." + std::to_string(time.increment);
}

}  // namespace

StreamSource::StreamSource(SourceOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      reread_(options_.reread, options_.pipeline,
              [this](const CollectionName& collection, bson::Timestamp after, const std::string& last_id,
                     size_t limit, const mongo::DocumentReader::Visit& visit, std::stop_token stop) {
                return scan(collection, after, last_id, limit, visit, std::move(stop));
              }) {}

StreamSource::~StreamSource() { close(); }

std::string StreamSource::where(std::string_view doing) const {
  return options_.pipeline + ": " + std::string(doing) + " the change stream of " + name_of(options_.stream);
}

void StreamSource::on_ready(std::function<void()> listener) {
  MutexLock lock(mutex_);
  listener_ = std::move(listener);
  if (driver_) driver_->on_ready(listener_);
}

Result<std::shared_ptr<Driver>> StreamSource::driver() {
  MutexLock lock(mutex_);
  if (closed_) return fail(React::kCancelled, options_.pipeline + ": the source is closed");
  if (!driver_) {
    auto made = Driver::create(options_.driver, options_.pipeline);
    if (!made) return fail(std::move(made).error());
    driver_ = std::move(*made);
    driver_->on_ready(listener_);
    log::debug("{}: connecting to {}", options_.pipeline, redact_uri(options_.driver.uri));
  }
  return driver_;
}

// --- opening

CommandResult<StreamSource::Opened> StreamSource::try_open(Client& client, const Member& member,
                                                           const OpenAt& at, Capabilities& known,
                                                           std::stop_token stop) {
  const bool split = !at.slim && options_.split != "off" && !known.no_split &&
                     (options_.split == "on" || member.wire_version >= kWireVersion60);
  const bool resume_after = options_.start_after == "off" || known.resume_after;
  const bool may_drop_split = split && options_.split == "auto";
  const bool may_use_resume_after = at.token && !resume_after && options_.start_after == "auto";

  struct Variant {
    bool allowed, split, resume_after;
  };
  const std::array<Variant, 4> variants = {{
      {true, split, resume_after},
      {may_drop_split, false, resume_after},
      {may_use_resume_after, split, true},
      {may_drop_split && may_use_resume_after, false, true},
  }};
  // The refusal of what was wanted is the one worth telling.
  std::optional<CommandFailure> first;
  bool stage_unknown = false;  // splitting was refused by name: only a way without it can work
  for (const Variant& variant : variants) {
    if (!variant.allowed || (stage_unknown && variant.split)) continue;
    OpenAt attempt = at;
    attempt.split = variant.split;
    attempt.resume_after = variant.resume_after;
    Opened opened{Cursor(&client, member), nullptr};
    auto reply = opened.cursor.open(options_.stream, attempt, stop);
    if (reply) {
      opened.reply = std::move(*reply);
      if (split && !variant.split) known.no_split = true;
      if (at.token && variant.resume_after) known.resume_after = true;
      return opened;
    }
    const bool unsupported =
        reply.error().origin == Origin::kServer && may_mean_unsupported(reply.error().code);
    stage_unknown = reply.error().code == kUnknownStage;
    if (!first) first = std::move(reply.error());
    if (!unsupported) break;
  }
  return tl::unexpected(std::move(*first));
}

Result<StreamSource::Opened> StreamSource::open_cursor(Client& client, const OpenAt& at, Capabilities& known,
                                                       std::stop_token stop) {
  CommandFailure failure;
  // libmongoc reports a connection that breaks during the handshake as refused credentials; only what stays
  // refused is the operator's to mend.
  for (int attempt = 0; attempt < kAuthenticationAttempts; ++attempt) {
    if (attempt > 0 && !clock_.sleep_until(clock_.now() + kAuthenticationPause, stop)) break;
    auto member = client.select(Client::Prefer::kUri, stop);
    if (!member) return fail(member.error().classify(Phase::kOpen, where("opening")));
    client.begin_session();
    auto opened = try_open(client, *member, at, known, stop);
    if (opened) return std::move(*opened);
    failure = std::move(opened.error());
    if (failure.origin != Origin::kAuthentication) break;
  }
  Error error = failure.classify(Phase::kOpen, where("opening"));
  if (error.code == kUnknownStage && options_.split == "on")
    error.hint = "split_large_events = \"on\" needs MongoDB 6.0.9 or later; use \"auto\"";
  return fail(std::move(error));
}

Status StreamSource::open_stream(const Position& from, std::stop_token stop) {
  first_.reset();
  if (!client_) {
    TIDEMARK_ASSIGN(const std::shared_ptr<Driver> driver, this->driver());
    client_ = driver->client();
  }
  cursor_.kill(stop);
  OpenAt at;
  at.token = from.token();
  TIDEMARK_ASSIGN(Opened opened, open_cursor(*client_, at, known_, stop));
  const CursorReply parts = *read_cursor_reply(opened.reply->view());
  const bool first_batch = has_events(parts) || parts.id == 0;
  // The mark of a first batch that has events stands behind them: not where the stream was opened.
  if (first_batch || !parts.high_water_mark)
    reader_.start(from);
  else
    reader_.start(Position(parts.high_water_mark, token_time(parts.high_water_mark)));
  if (first_batch) first_ = opened.reply;
  cursor_ = std::move(opened.cursor);
  fresh_ = true;
  log::debug("{} on {}", where("opened"), cursor_.member().address);
  return {};
}

Result<Position> StreamSource::open(const Position& from, std::stop_token stop) {
  if (from.empty()) {
    return fail(React::kConfig, where("opening") + ": there is no position to open it at",
                "choose one with `tidemark position init --from now|earliest|time:...|token:...`");
  }
  one_by_one_ = 0;
  may_resume_ = true;
  reread_.forget();
  documents_.reset();
  TIDEMARK_TRY(open_stream(from, std::move(stop)));
  return reader_.position();
}

// --- reading

int64_t StreamSource::batch_size() const {
  if (one_by_one_ > 0) return 1;
  if (event_bytes_ <= 0) return options_.batch_size;
  return std::clamp<int64_t>(kBatchBytes / event_bytes_, 1, options_.batch_size);
}

void StreamSource::note_size(const SourceBatch& batch) {
  const auto events = static_cast<int64_t>(batch.events->events().size());
  if (events == 0) return;
  event_bytes_ = static_cast<int64_t>(batch.events->size_bytes()) / events;
  one_by_one_ = std::max<int64_t>(0, one_by_one_ - events);
}

Result<SourceBatch> StreamSource::read_once(milliseconds wait, std::stop_token stop) {
  ReplyPtr reply = std::move(first_);
  first_.reset();
  if (!reply) {
    auto more = cursor_.get_more(batch_size(), std::min(wait, options_.max_await), std::move(stop));
    if (!more)
      return fail(more.error().classify(fresh_ ? Phase::kFirstRead : Phase::kRead, where("reading")));
    reply = std::move(*more);
    fresh_ = false;
  }
  const Position before = reader_.position();
  auto batch = reader_.read(std::move(reply));
  if (!batch) {
    Error error = std::move(batch).error();
    error.what = where("reading") + ": " + error.what;
    return fail(std::move(error));
  }
  note_size(*batch);
  const bool moved = !batch->events->events().empty() || batch->resume_after != before;
  if (moved) may_resume_ = true;
  closed_at_once_ = batch->closed && !moved ? closed_at_once_ + 1 : 0;
  if (closed_at_once_ >= kClosedAtOnceMax) {
    return fail(React::kFatal,
                where("reading") + ": the server ends it at once, again and again, at the same position",
                "choose another position with `tidemark position set`");
  }
  return batch;
}

Result<SourceBatch> StreamSource::read(milliseconds wait, std::stop_token stop) {
  if (!reread_.pending()) {
    Position before = reader_.position();
    TIDEMARK_ASSIGN(SourceBatch batch, read_stream(wait, stop));
    reread_.take(std::move(batch), std::move(before));
  }
  auto batch = reread_.next(static_cast<size_t>(batch_size()), std::move(stop));
  if (!reread_.pending()) documents_.reset();
  return batch;
}

Result<AuditPage> StreamSource::scan(const CollectionName& collection, bson::Timestamp after,
                                     const std::string& last_id, size_t limit,
                                     const mongo::DocumentReader::Visit& visit, std::stop_token stop) {
  if (!documents_) {
    TIDEMARK_ASSIGN(auto client,
                    mongo::Client::create({options_.driver.uri,
                                           options_.pipeline + ": reading a renamed collection again",
                                           "grant `find` on " + collection.text() + " (the role `read`)"}));
    documents_ = std::make_unique<mongo::DocumentReader>(std::move(client));
  }
  documents_->scan_after(after);
  return documents_->scan(collection, last_id, limit, visit, std::move(stop));
}

Result<SourceBatch> StreamSource::read_stream(milliseconds wait, std::stop_token stop) {
  // Closed by ourselves, behind an event that was too large.
  if (!cursor_.is_open() && !first_) TIDEMARK_TRY(open_stream(reader_.position(), stop));
  // At most one round for a stream that broke and two for an event that is too large.
  while (true) {
    auto batch = read_once(wait, stop);
    if (batch) return batch;
    const Error& error = batch.error();
    if (error.react == React::kReject && one_by_one_ > 0) return read_oversized(stop);
    if (error.react == React::kReject) {
      // The reply died with every event it held: read them again, one by one, up to the one that is too
      // large.
      one_by_one_ = options_.batch_size;
    } else if (error.react == React::kRetry && may_resume_) {
      may_resume_ = false;
      log::info("{}; resuming", error.what);
    } else {
      return batch;
    }
    TIDEMARK_TRY(open_stream(reader_.position(), stop));
  }
}

Result<SourceBatch> StreamSource::read_oversized(std::stop_token stop) {
  const Position before = reader_.position();
  OpenAt at;
  at.token = before.token();
  at.slim = true;
  TIDEMARK_ASSIGN(Opened opened, open_cursor(*client_, at, known_, stop));
  cursor_ = std::move(opened.cursor);
  reader_.start(before);
  ReplyPtr reply = std::move(opened.reply);
  for (int i = 0; i < kSlimReadsMax; ++i) {
    auto batch = reader_.read(std::move(reply));
    if (!batch) return batch;
    if (!batch->events->events().empty()) {
      Event& event = batch->events->events().front();
      event.reject_reason = batch->events->store(
          "the change event is larger than 16 MB and the server cannot split it; only its name and key are "
          "here");
      batch->events->events().resize(1);
      const bson::View token = event.raw.find("_id")->document();
      batch->resume_after = Position(token, token_time(token));
      batch->closed = false;
      reader_.start(batch->resume_after);
      one_by_one_ = 0;
      may_resume_ = true;
      cursor_.kill(stop);
      log::warn("{}: the event {} is larger than 16 MB", options_.pipeline, event.id);
      return batch;
    }
    auto more = cursor_.get_more(1, options_.max_await, stop);
    if (!more) return fail(more.error().classify(Phase::kRead, where("reading")));
    reply = std::move(*more);
  }
  return fail(React::kRetry, where("reading") + ": an event is larger than 16 MB, and was not found again");
}

// --- the rest

Result<Position> StreamSource::resolve(const StartPoint& start, std::stop_token stop) {
  TIDEMARK_ASSIGN(const std::shared_ptr<Driver> driver, this->driver());
  const std::unique_ptr<Client> client = driver->client();
  // The oldest entry may be truncated between asking for it and opening there.
  const int attempts = start.kind == StartPoint::Kind::kEarliest ? kEarliestAttempts : 1;
  for (int attempt = 1;; ++attempt) {
    auto position = resolve_once(*client, start, stop);
    if (position || position.error().react != React::kPositionLost) return position;
    if (attempt < attempts) continue;
    const Error& error = position.error();
    if (start.kind == StartPoint::Kind::kTime)
      return not_a_start(
          where("opening"), "nothing can be read from " + text_of(start.time) + " on: " + error.what,
          "that time is older than the oplog; choose a later one, `earliest` or `now`", error.code);
    if (start.kind == StartPoint::Kind::kToken)
      return not_a_start(where("opening"), "the token cannot be resumed from: " + error.what,
                         "give the whole token of this deployment and collection, `earliest` or `now`",
                         error.code);
    return not_a_start(where("opening"), error.what, error.hint, error.code);
  }
}

Result<Position> StreamSource::resolve_once(Client& client, const StartPoint& start, std::stop_token stop) {
  OpenAt at;
  bson::Builder token;
  if (start.kind == StartPoint::Kind::kToken) {
    at.token = token.append("_data", start.token_data).view();
  } else if (start.kind == StartPoint::Kind::kTime) {
    at.time = start.time;
  } else if (start.kind == StartPoint::Kind::kEarliest) {
    auto member = client.select(Client::Prefer::kUri, stop);
    if (!member) return fail(member.error().classify(Phase::kOpen, where("opening")));
    TIDEMARK_ASSIGN(at.time, oldest_oplog_entry(client, *member, stop));
    if (*at.time == bson::Timestamp{})
      return not_a_start(where("opening"), "the oldest entry of the oplog is not to be read",
                         "grant `find` on local.oplog.rs (the role clusterMonitor), or give a time");
  }
  Capabilities known;
  TIDEMARK_ASSIGN(Opened opened, open_cursor(client, at, known, stop));
  const CursorReply parts = *read_cursor_reply(opened.reply->view());
  Position position = parts.high_water_mark && !has_events(parts)
                          ? Position(parts.high_water_mark, token_time(parts.high_water_mark))
                          : Position(at.token, token_time(at.token));
  if (position.empty()) {
    return fail(React::kConfig, where("opening") + ": the server gives no high-water mark to start from",
                "Tidemark needs MongoDB 4.2 or later; on an older service give a token");
  }
  // The server looks at the starting point only when the cursor runs.
  if (opened.cursor.is_open()) {
    auto more = opened.cursor.get_more(1, milliseconds(1), stop);
    // An event that is too large is no fault of the position before it.
    if (!more && more.error().code != kTooLarge)
      return fail(more.error().classify(Phase::kFirstRead, where("opening")));
    opened.cursor.kill(stop);
  }
  return position;
}

Result<SourceHealth> StreamSource::health(std::stop_token stop) {
  TIDEMARK_ASSIGN(const std::shared_ptr<Driver> driver, this->driver());
  const std::unique_ptr<Client> client = driver->client();
  auto health = read_health(*client, std::move(stop));
  if (!health) {
    Error error = std::move(health).error();
    error.what = options_.pipeline + ": " + error.what;
    return fail(std::move(error));
  }
  return health;
}

void StreamSource::close() {
  documents_.reset();
  if (client_) {
    // A member that doesn't answer must not hold the shutdown up: its cursor then ends by its own timeout.
    std::stop_source deadline;
    const std::jthread timer([this, &deadline](const std::stop_token& done) {
      if (clock_.sleep_until(clock_.now() + kCloseTimeout, done)) deadline.request_stop();
    });
    cursor_.kill(deadline.get_token());
    first_.reset();
    client_.reset();
  }
  std::shared_ptr<Driver> driver;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    listener_ = nullptr;
    driver = std::move(driver_);
    driver_.reset();
  }
  if (driver) driver->on_ready(nullptr);
}

}  // namespace tidemark::mongodb
