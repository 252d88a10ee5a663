// What is asked of a StreamSource beside its stream, by commands, the guard, and after the loss of a position. Any thread, each
// question with a client of its own.
#include <algorithm>
#include <array>

#include "bson/json.h"
#include "sources/mongodb/health.h"
#include "sources/mongodb/inquiry.h"
#include "sources/mongodb/stream_source.h"

namespace tidemark::mongodb {
namespace {

using std::chrono::milliseconds;

constexpr int kEarliestAttempts = 5;

tl::unexpected<Error> not_a_start(const std::string& where, std::string why, std::string hint, int code = 0) {
  return fail(React::kConfig, where + ": " + std::move(why), std::move(hint), code);
}

std::string text_of(bson::Timestamp time) {
  return std::to_string(time.seconds) + "." + std::to_string(time.increment);
}

// As `--from time:` takes it.
std::string rfc3339(uint32_t seconds) {
  std::string text;
  bson::append_rfc3339(int64_t{seconds} * 1000, text);
  return text;
}

}  // namespace

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
    if (*at.time == bson::Timestamp{} && member->is_mongos)
      return not_a_start(
          where("opening"),
          "a mongos doesn't show the oplogs of its shards: where the oldest begins isn't known",
          "give a time that every shard's oplog reaches back to, or `now`");
    if (*at.time == bson::Timestamp{})
      return not_a_start(where("opening"), "the oldest entry of the oplog is not to be read",
                         "grant `find` on local.oplog.rs (the role clusterMonitor), or give a time");
  }
  TIDEMARK_TRY(refuse_the_future(client, start, stop));
  Capabilities known;
  TIDEMARK_ASSIGN(OpenedCursor opened, open_cursor(client, at, known, stop));
  const CursorReply parts = *read_cursor_reply(opened.reply->view());
  Position position = parts.high_water_mark && parts.batch.empty()
                          ? Position(parts.high_water_mark, token_time(parts.high_water_mark))
                          : Position(at.token, token_time(at.token));
  if (position.empty()) {
    return fail(React::kConfig, where("opening") + ": the server gives no high-water mark to start from",
                "Tidemark needs MongoDB 4.2 or later; on an older service give a token");
  }
  // The server looks at the starting point only when the cursor runs.
  if (opened.cursor.is_open()) {
    auto more = opened.cursor.get_more(1, milliseconds(1), stop);
    if (!more) {
      const CommandFailure& failure = more.error();
      Error error = failure.classify(Phase::kFirstRead, where("opening"));
      // An event that can't be sent is no fault of the position before it.
      const bool about_an_event = error.react == React::kReject ||
                                  may_be_about_an_event(failure.failure(), Phase::kFirstRead, filtered());
      if (!about_an_event && !failure.timed_out) return fail(std::move(error));
    }
    opened.cursor.kill(stop);
  }
  return position;
}

Status StreamSource::refuse_the_future(Client& client, const StartPoint& start, std::stop_token stop) {
  bson::Timestamp time = start.time;
  if (start.kind == StartPoint::Kind::kToken) {
    bson::Builder token;
    time = token_time(token.append("_data", start.token_data).view());
  } else if (start.kind != StartPoint::Kind::kTime) {
    return {};
  }
  TIDEMARK_ASSIGN(const bson::Timestamp clock, read_clock(client, std::move(stop)));
  // The same second is no future, whatever its ordinal.
  if (clock.seconds == 0 || time.seconds <= clock.seconds) return {};
  return not_a_start(where("opening"),
                     "the time " + rfc3339(time.seconds) + " lies ahead of the deployment's own, which is " +
                         rfc3339(clock.seconds) + ": everything that is written until then would be skipped",
                     "give a time that has been (UTC, RFC 3339), or `now`");
}

Error StreamSource::explain_loss(Error error, const Position& from, std::stop_token stop) {
  constexpr std::array kGone = {286, 136, 40576};
  if (stop.stop_requested() || from.cluster_time().seconds == 0) return error;
  const std::string back = "--from time:" + rfc3339(from.cluster_time().seconds);
  const auto health = this->health(std::move(stop));
  const bson::Timestamp oldest = health ? health->oldest : bson::Timestamp{};
  if (oldest.seconds == 0) {
    error.what += "; whether the oplog still reaches back to the position isn't known here";
    error.hint = "try `tidemark position set " + back +
                 "`, which loses nothing and is refused where the oplog doesn't reach back so far; " +
                 error.hint;
  } else if (oldest < from.cluster_time() &&
             std::find(kGone.begin(), kGone.end(), error.code) == kGone.end()) {
    error.what +=
        "; the position's token is not in this deployment's oplog, although its time is (the oplog begins "
        "at " +
        rfc3339(oldest.seconds) + "): it may be the token of another deployment, filter or collection";
    error.hint = "`tidemark position set " + back +
                 "` reads that second again and loses nothing, if this is the right deployment; " +
                 error.hint;
  } else {
    error.what += "; the oplog begins at " + rfc3339(oldest.seconds) + ", and the position is of " +
                  rfc3339(from.cluster_time().seconds);
  }
  return error;
}

Result<std::vector<std::string>> StreamSource::rehearse(std::stop_token stop) {
  TIDEMARK_ASSIGN(const SourceHealth health, this->health(stop));
  TIDEMARK_ASSIGN(const std::shared_ptr<Driver> driver, this->driver());
  const std::unique_ptr<Client> client = driver->client();
  std::vector<std::string> notes = health.limits;
  auto member = client->select(Client::Prefer::kUri, stop);
  if (!member) return fail(member.error().classify(Phase::kOpen, where("opening")));
  TIDEMARK_TRY(resolve_once(*client, {}, stop));
  for (auto note : {note_on_collection(*client, *member, options_.stream, stop),
                    note_on_majority_reads(*client, *member, options_.stream, stop)})
    if (note) notes.push_back(std::move(*note));
  return notes;
}

Result<SourceHealth> StreamSource::health(std::stop_token stop) {
  TIDEMARK_ASSIGN(const std::shared_ptr<Driver> driver, this->driver());
  const std::unique_ptr<Client> client = driver->client();
  auto health = read_health(*client, options_.stream.database, stop);
  if (!health) {
    Error error = std::move(health).error();
    if (error.react == React::kDenied) forget_connections();
    error.what = options_.pipeline + ": " + error.what;
    return fail(std::move(error));
  }
  health->scanning_s =
      scanning_for(*client, options_.stream, options_.driver.app_name, options_.max_await, std::move(stop));
  return health;
}

}  // namespace tidemark::mongodb
