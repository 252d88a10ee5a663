#include "sources/mongodb/stream_source.h"

#include <algorithm>
#include <array>
#include <thread>

#include "base/log.h"
#include "base/uri.h"
#include "sources/mongodb/inquiry.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;

// MongoDB 6.0, the first that may know $changeStreamSplitLargeEvent.
constexpr int kWireVersion60 = 17;
// The server's code for an aggregation stage that it doesn't know.
constexpr int kUnknownStage = 40324;
// A batch is kept near this size while events are large: the driver holds a reply twice for a moment.
constexpr int64_t kBatchBytes = 4 << 20;
constexpr int kAuthenticationAttempts = 3;
constexpr milliseconds kAuthenticationPause{100};
constexpr int kClosedAtOnceMax = 3;
constexpr int kSlimReadsMax = 60;
constexpr milliseconds kCloseTimeout{1000};
// For the end of a getMore that was not answered in time, by a member that may be gone.
constexpr milliseconds kKillTimeout{2000};

std::string name_of(const StreamOptions& stream) {
  if (stream.database.empty()) return "the deployment";
  return stream.collection.empty() ? "database " + stream.database
                                   : stream.database + "." + stream.collection;
}

bool has_events(const CursorReply& parts) { return !parts.batch.empty(); }

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

CommandResult<OpenedCursor> StreamSource::try_open(Client& client, const Member& member, const OpenAt& at,
                                                   Capabilities& known, std::stop_token stop) {
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
    OpenedCursor opened{Cursor(&client, member), nullptr};
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

Result<OpenedCursor> StreamSource::open_cursor(Client& client, const OpenAt& at, Capabilities& known,
                                               std::stop_token stop) {
  CommandFailure failure;
  Member on;
  // libmongoc reports a connection that breaks during the handshake as refused credentials; only what stays
  // refused is the operator's to mend.
  for (int attempt = 0; attempt < kAuthenticationAttempts; ++attempt) {
    if (attempt > 0 && !clock_.sleep_until(clock_.now() + kAuthenticationPause, stop)) break;
    auto member = client.select(Client::Prefer::kUri, stop);
    if (!member) return fail(member.error().classify(Phase::kOpen, where("opening")));
    client.begin_session();
    on = *member;
    auto opened = try_open(client, *member, at, known, stop);
    if (opened) return std::move(*opened);
    failure = std::move(opened.error());
    if (failure.origin != Origin::kAuthentication) break;
  }
  Error error = why_refused(client, on, at, failure, stop);
  if (error.code == kUnknownStage && options_.split == "on")
    error.hint = "split_large_events = \"on\" needs MongoDB 6.0.9 or later; use \"auto\"";
  return fail(std::move(error));
}

Error StreamSource::why_refused(Client& client, const Member& member, const OpenAt& at,
                                const CommandFailure& failure, std::stop_token stop) {
  Error error = failure.classify(Phase::kOpen, where("opening"));
  if (failure.cancelled || failure.origin != Origin::kServer) return error;
  const Failure refused = failure.failure();
  if (!at.bare && filtered() && may_be_about_the_filter(refused)) {
    OpenAt bare = at;
    bare.bare = bare.slim = true;
    bare.only = {};
    Capabilities ignored;
    // What opens without the filter, at the same place, is refused because of it.
    if (auto opened = try_open(client, member, bare, ignored, stop)) {
      opened->cursor.kill(stop);
      return filter_refused(refused, where("opening"));
    }
  }
  if (options_.stream.collection.empty() || (error.react != React::kConfig && !is_unknown(error)))
    return error;
  const std::string kind = kind_of_collection(client, member, options_.stream, std::move(stop));
  if (kind.empty() || kind == "collection") return error;
  return not_a_collection(std::move(error), name_of(options_.stream) + " is a " + kind);
}

Status StreamSource::open_stream(const Position& from, std::stop_token stop) {
  first_.reset();
  if (!client_) {
    TIDEMARK_ASSIGN(const std::shared_ptr<Driver> driver, this->driver());
    client_ = driver->client();
  }
  if (cursor_.is_abandoned()) client_->set_reply_timeout(kKillTimeout);
  cursor_.kill(stop);
  client_->set_reply_timeout({});
  OpenAt at;
  at.token = from.token();
  bson::Builder except;
  for (size_t i = 0; i < passed_over_.size(); ++i) except.append(std::to_string(i), passed_over_[i].view());
  if (!passed_over_.empty()) at.except = except.view();
  TIDEMARK_ASSIGN(OpenedCursor opened, open_cursor(*client_, at, known_, stop));
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
  passed_over_.clear();
  if (Status opened = open_stream(from, stop); !opened)
    return fail(after_failure(std::move(opened).error(), from, stop));
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

StreamSource::ReadFailure StreamSource::failure_of(const CommandFailure& failure) const {
  const Phase phase = fresh_ ? Phase::kFirstRead : Phase::kRead;
  ReadFailure made{failure.classify(phase, where("reading")), false, failure.timed_out};
  if (failure.timed_out) {
    made.error.what += ": no answer within " + std::to_string(reply_timeout().count()) +
                       " ms; the server may be scanning its oplog for the next event";
    made.error.hint =
        "it is given twice as long each time, up to `scan_timeout_max`; `socket_timeout` says how long at "
        "first";
  }
  made.about_an_event = !failure.cancelled && may_be_about_an_event(failure.failure(), phase, filtered());
  return made;
}

StreamSource::ReadResult StreamSource::read_once(milliseconds wait, std::stop_token stop) {
  ReplyPtr reply = std::move(first_);
  first_.reset();
  if (!reply) {
    client_->set_reply_timeout(scans_ > 0 ? reply_timeout() : milliseconds(0));
    auto more = cursor_.get_more(batch_size(), std::min(wait, options_.max_await), std::move(stop));
    if (!more) return tl::unexpected(failure_of(more.error()));
    reply = std::move(*more);
    fresh_ = false;
    scans_ = 0;
  }
  const Position before = reader_.position();
  auto batch = reader_.read(std::move(reply));
  if (!batch) {
    Error error = std::move(batch).error();
    error.what = where("reading") + ": " + error.what;
    return tl::unexpected(ReadFailure{std::move(error)});
  }
  note_size(*batch);
  const bool moved = !batch->events->events().empty() || batch->resume_after != before;
  if (moved) may_resume_ = true;
  forget_passed_over();
  closed_at_once_ = batch->closed && !moved ? closed_at_once_ + 1 : 0;
  if (closed_at_once_ >= kClosedAtOnceMax) {
    Error error{React::kRetry,
                where("reading") + ": the server ends it at once, again and again, at the same position",
                "if that doesn't pass, choose another position with `tidemark position set`"};
    error.unknown = true;
    may_resume_ = false;  // at once it would be the same again
    return tl::unexpected(ReadFailure{std::move(error)});
  }
  return *std::move(batch);
}

void StreamSource::forget_passed_over() {
  const bson::Timestamp reached = reader_.position().cluster_time();
  std::erase_if(passed_over_, [&](const bson::Document& token) { return token_time(token) < reached; });
}

milliseconds StreamSource::reply_timeout() const {
  // Doubled so often it is longer than any limit.
  constexpr int kDoublingsMax = 20;
  const milliseconds once = options_.driver.socket_timeout;
  return std::clamp(once * (1 << std::min(scans_, kDoublingsMax)), once,
                    std::max(once, options_.scan_timeout_max));
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
  // Closed by ourselves, behind an event that could not be sent.
  if (!cursor_.is_open() && !first_) TIDEMARK_TRY(open_stream(reader_.position(), stop));
  // At most one round for a stream that broke and two for an event that can't be sent.
  while (true) {
    auto batch = read_once(wait, stop);
    if (batch) return *std::move(batch);
    const Error& error = batch.error().error;
    const bool about_an_event = error.react == React::kReject || batch.error().about_an_event;
    if (batch.error().timed_out) ++scans_;
    if (about_an_event && one_by_one_ > 0) {
      return error.react == React::kReject ? read_oversized(error, stop) : read_failing(error, stop);
    }
    if (about_an_event) {
      // The reply died with every event it held: read them again, one by one, up to the one that can't be sent.
      log::info("{}; reading the events one by one", error.what);
      one_by_one_ = options_.batch_size;
    } else if (error.react == React::kRetry && may_resume_) {
      may_resume_ = false;
      log::info("{}; resuming", error.what);
    } else {
      return fail(after_failure(error, reader_.position(), stop));
    }
    if (Status opened = open_stream(reader_.position(), stop); !opened)
      return fail(after_failure(std::move(opened).error(), reader_.position(), stop));
  }
}

Error StreamSource::after_failure(Error error, const Position& at, std::stop_token stop) {
  if (error.react == React::kPositionLost) return explain_loss(std::move(error), at, std::move(stop));
  if (error.react != React::kDenied) return error;
  // A connection whose user was dropped stays logged out for good, also when the user is there again.
  cursor_.forget();
  client_.reset();
  forget_connections();
  return error;
}

void StreamSource::forget_connections() {
  std::shared_ptr<Driver> old;  // ends behind the lock, because its end joins threads
  MutexLock lock(mutex_);
  old = std::move(driver_);
}

Result<SourceBatch> StreamSource::read_oversized(const Error& error, std::stop_token stop) {
  OpenAt at;
  const Position before = reader_.position();
  at.token = before.token();
  at.slim = true;
  TIDEMARK_ASSIGN(SourceBatch batch,
                  read_by_name(at, {},
                               "the change event is larger than 16 MB and the server cannot split it (" +
                                   error.what + "); only its name and key are here",
                               std::move(stop)));
  const bson::View token = batch.events->events().front().raw.find("_id")->document();
  batch.resume_after = Position(token, token_time(token));
  reader_.start(batch.resume_after);
  return batch;
}

Result<SourceBatch> StreamSource::read_failing(const Error& error, std::stop_token stop) {
  log::warn("{}; looking for the event that it is about", error.what);
  const Position position = reader_.position();
  const auto open = [&](const OpenAt& at) { return open_cursor(*client_, at, known_, stop); };
  TIDEMARK_ASSIGN(const std::optional<FoundEvent> found,
                  EventSearch(open, error.code, where("reading"), passed_over_).find(position, stop));
  if (!found) return fail(error);
  OpenAt at;
  at.token = found->before.token();
  at.slim = at.bare = true;
  const char* what = filtered() ? "the server can't bring this event through `filter` ("
                                : "the server can't make this event (";
  TIDEMARK_ASSIGN(SourceBatch batch,
                  read_by_name(at, found->token, what + error.what + "); only its name and key are here",
                               std::move(stop)));
  // The stream goes on in front of it and without it, and the next mark stands behind it: its own token may not be one that
  // the filtered stream can be resumed at.
  passed_over_.push_back(found->token);
  batch.resume_after = position;
  batch.resume_within = position;
  reader_.start(position);
  return batch;
}

Result<SourceBatch> StreamSource::read_by_name(const OpenAt& at, bson::View expected,
                                               const std::string& reason, std::stop_token stop) {
  TIDEMARK_ASSIGN(OpenedCursor opened, open_cursor(*client_, at, known_, stop));
  cursor_ = std::move(opened.cursor);
  BatchReader reader;
  reader.start(reader_.position());
  ReplyPtr reply = std::move(opened.reply);
  for (int i = 0; i < kSlimReadsMax; ++i) {
    auto batch = reader.read(std::move(reply));
    if (!batch) return batch;
    if (!batch->events->events().empty()) {
      Event& event = batch->events->events().front();
      if (expected && !(event.raw.find("_id")->document() == expected)) break;
      event.reject_reason = batch->events->store(reason);
      batch->events->events().resize(1);
      batch->closed = false;
      one_by_one_ = 0;
      may_resume_ = true;
      cursor_.kill(stop);
      log::warn("{}: event {}: {}", options_.pipeline, event.id, reason);
      return batch;
    }
    auto more = cursor_.get_more(1, options_.max_await, stop);
    if (!more) {
      Error error = more.error().classify(Phase::kRead, where("reading"));
      // Not even its name comes: nothing is known that could be put aside.
      if (error.react == React::kReject) error.react = React::kRetry;
      return fail(std::move(error));
    }
    reply = std::move(*more);
  }
  return fail(React::kRetry, where("reading") + ": an event that the server can't send was not found again");
}

// --- the end

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
