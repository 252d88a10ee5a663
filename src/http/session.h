// One WebSocket client. At most one frame is on its way to it, and what comes next is decided when that has gone: nothing
// is queued for a client, so one that doesn't read costs one frame and its place in each feed.
//
// Keeps itself alive by its pending operations; everything but wake() runs on its strand.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "http/core.h"
#include "http/follower.h"
#include "http/stream.h"

namespace tidemark::http {

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Upgrade = boost::beast::http::request<boost::beast::http::string_body>;

  // `counted` is its place among the WebSocket clients, `connection` that among the connections.
  Session(Core& core, Stream stream, Held counted, Held connection);
  ~Session();

  void start(Upgrade upgrade);
  // There may be something to send. Any thread; many calls make one look.
  void wake();
  // The server ends. Any thread.
  void go_away();

 private:
  using WebSocket = boost::beast::websocket::stream<Stream>;

  void on_accepted(const ErrorCode& error);
  void read();
  void on_read(const ErrorCode& error);
  bool take_message();
  void close(boost::beast::websocket::close_code code);
  void end();
  void pump();
  bool choose();
  bool choose_feed_frame();
  void write();
  void on_written(const ErrorCode& error);
  void check_stall();
  void start_feeds();

  Core& core_;
  WebSocket socket_;
  Held counted_;
  Held connection_;
  uint64_t id_ = 0;
  boost::beast::flat_buffer incoming_;
  boost::asio::steady_timer timer_;  // for a resume to come; later, for the client's farewell
  std::vector<Follower> followers_;
  size_t next_follower_ = 0;

  bool open_ = false;     // accepted, and neither side has ended it
  bool leaving_ = false;  // to be closed once the frame on its way has gone
  bool writing_ = false;
  Mono writing_since_{};
  Held queued_;
  Text outgoing_;
  uint64_t status_sent_ = 0;
  uint64_t stats_sent_ = 0;
  uint64_t timeline_seen_ = 0;
  std::atomic<bool> woken_{false};
};

}  // namespace tidemark::http
