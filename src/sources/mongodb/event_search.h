// Finds the one event that the server can't bring through the operator's stages, when a read fails again and again at one
// place with an error that isn't known to pass: {$toInt: "abc"}, say. The server names no event; so the events behind the
// place are listed without the stages, and portions of them are sent through the stages, until one is left that fails alone.
//
// Nothing is called found unless it fails by itself, twice, and its neighbours don't: an error that has nothing to do with an
// event fails without any event as well. Owned by the source's reading thread, for the length of one search.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/position.h"
#include "sources/mongodb/cursor.h"

namespace tidemark::mongodb {

struct OpenedCursor {
  Cursor cursor;
  ReplyPtr reply;
};

struct FoundEvent {
  Position before;  // it is the next event behind this, in a stream without stages
  bson::Document token;
};

class EventSearch {
 public:
  using Open = std::function<Result<OpenedCursor>(const OpenAt& at)>;

  // `code` is the server's, `where` begins the messages. `known` are tokens of events that were found before.
  EventSearch(Open open, int code, std::string where, const std::vector<bson::Document>& known);

  // Looks behind `from`. Streams with the stages are opened nowhere else: servers from 5.1 on refuse to resume at an event that
  // the stages drop (280). Empty when no event there fails by itself with that code: the error was the surroundings'. An error
  // when the looking fails.
  Result<std::optional<FoundEvent>> find(const Position& from, std::stop_token stop);

 private:
  struct Candidate {
    Position before;
    bson::Document token;
    bson::Timestamp time;
  };
  enum class Verdict { kPasses, kFails };

  // The next events behind `after`, which then stands behind them. Its cursor is closed before another is opened: a client has one session, and a cursor
  // belongs to the session that it was opened in.
  Result<std::vector<Candidate>> list(Position& after, std::stop_token stop);
  // Whether candidates [first, last) come through the stages.
  Result<Verdict> try_events(const Position& from, const std::vector<Candidate>& all, size_t first,
                             size_t last, std::stop_token stop);
  // Whether the stages work with no event at all.
  Result<Verdict> try_nothing(const Position& from, const Candidate& until, std::stop_token stop);
  Result<Verdict> run(const Position& from, bson::View only, bson::Timestamp until, std::stop_token stop);
  Result<std::optional<FoundEvent>> halve(const Position& from, const std::vector<Candidate>& all,
                                          std::stop_token stop);

  const Open open_;
  const int code_;
  const std::string where_;
  const std::vector<bson::Document>& known_;
};

}  // namespace tidemark::mongodb
