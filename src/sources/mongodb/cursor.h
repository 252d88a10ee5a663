// The two commands of a change stream, `aggregate` and `getMore`, built and read by hand: the whole reply is
// one batch and its postBatchResumeToken is seen, which libmongoc's own change streams keep to themselves.
// The builders and the reader are pure; a Cursor belongs to the thread of its client.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "bson/document.h"
#include "sources/mongodb/driver.h"

namespace tidemark::mongodb {

// What is watched and how; fixed for the life of the source.
struct StreamOptions {
  std::string database;    // empty: the whole deployment
  std::string collection;  // empty: the whole database
  bson::Document stages;   // the filter, as it is sent; never "no document"
  std::string full_document = "default";
  std::string full_document_before_change = "off";
  bool expanded_events = false;
};

// Where one cursor begins, and what this server can do.
struct OpenAt {
  bson::View token;  // "no document": at `time`, or now
  std::optional<bson::Timestamp> time;
  bool resume_after = false;  // for services that don't know startAfter
  bool split = false;         // with $changeStreamSplitLargeEvent
  // Only what names an event, for finding out which one is too large.
  bool slim = false;
  // Without the operator's stages, images and lookups: every event as the oplog has it.
  bool bare = false;
  // An array of tokens: nothing but these events comes to the operator's stages. "No document": all do.
  bson::View only;
  // An array of tokens: every event but these comes to the operator's stages.
  bson::View except;
};

bson::Document build_aggregate(const StreamOptions& options, const OpenAt& at);
bson::Document build_get_more(int64_t cursor, std::string_view collection, int64_t batch_size,
                              std::chrono::milliseconds wait);
// The database the commands are sent to.
std::string command_database(const StreamOptions& options);

// The parts of a cursor's reply, as views into it.
struct CursorReply {
  int64_t id = 0;  // 0: the server has closed the cursor
  std::string_view ns;
  bson::View batch;
  bson::View high_water_mark;  // postBatchResumeToken; none from servers before 4.0.7
};
// Empty when the reply isn't one of a cursor.
std::optional<CursorReply> read_cursor_reply(bson::View reply);

// An open server-side cursor. Destruction leaves it to the server; kill() ends it.
class Cursor {
 public:
  Cursor() = default;
  Cursor(Client* client, Member member) : client_(client), member_(std::move(member)) {}

  // Sends the aggregate; the reply may hold a first batch although none was asked for.
  CommandResult<ReplyPtr> open(const StreamOptions& options, const OpenAt& at, std::stop_token stop);
  // REQUIRES is_open().
  CommandResult<ReplyPtr> get_more(int64_t batch_size, std::chrono::milliseconds wait, std::stop_token stop);
  // Best effort; bounded by the client's timeout for replies. Of an open cursor, or of one whose last getMore was not answered in
  // time: the server may be at work on that one still, and would be at work on another beside it after each attempt. A
  // connection that broke has killed its cursor.
  void kill(std::stop_token stop);
  bool is_abandoned() const { return abandoned_ != 0; }
  void forget() { id_ = abandoned_ = 0; }

  bool is_open() const { return id_ != 0; }
  const Member& member() const { return member_; }

 private:
  CommandResult<ReplyPtr> take(CommandResult<ReplyPtr> reply);

  Client* client_ = nullptr;
  Member member_;
  std::string database_;
  std::string collection_;
  int64_t id_ = 0;
  int64_t abandoned_ = 0;
};

}  // namespace tidemark::mongodb
