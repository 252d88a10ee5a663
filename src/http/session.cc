#include "http/session.h"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/field.hpp>

namespace tidemark::http {
namespace {

namespace websocket = beast::websocket;

constexpr size_t kMessageBytesMax = 4 << 10;
constexpr int kSendBufferBytes = 256 << 10;
constexpr std::chrono::milliseconds kResumeWait{500};
// How long a client may take to answer our closing frame.
constexpr std::chrono::milliseconds kCloseTime{1000};

websocket::stream_base::timeout timeout_of(std::chrono::milliseconds handshake) {
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = handshake;
  timeout.idle_timeout = websocket::stream_base::none();
  timeout.keep_alive_pings = false;
  return timeout;
}

}  // namespace

Session::Session(Core& core, Stream stream, Held counted, Held connection)
    : core_(core),
      socket_(std::move(stream)),
      counted_(std::move(counted)),
      connection_(std::move(connection)),
      incoming_(kMessageBytesMax * 2),
      timer_(socket_.get_executor()) {
  for (const auto& feed : core_.feeds) followers_.emplace_back(feed);
}

Session::~Session() {
  if (id_ != 0) core_.sessions.remove(id_);
}

void Session::start(Upgrade upgrade) {
  // The kernel would else grow the buffer of a client that doesn't read by megabytes.
  ErrorCode ignored;
  socket_.next_layer().next_layer().set_option(asio::socket_base::send_buffer_size(kSendBufferBytes),
                                               ignored);
  socket_.set_option(timeout_of(core_.options.header_timeout));
  socket_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(beast::http::field::sec_websocket_protocol, kSubprotocol);
    response.set(beast::http::field::server, "tidemark");
  }));
  socket_.read_message_max(kMessageBytesMax);
  socket_.auto_fragment(false);
  socket_.text(true);
  const auto shared = std::make_shared<Upgrade>(std::move(upgrade));
  socket_.async_accept(*shared,
                       [self = shared_from_this(), shared](ErrorCode error) { self->on_accepted(error); });
}

void Session::on_accepted(const ErrorCode& error) {
  if (error) return;
  open_ = true;
  core_.hub.look();
  timeline_seen_ = core_.hub.timeline_start();
  std::vector<FeedRange> ranges;
  for (const auto& feed : core_.feeds) ranges.push_back({feed->name(), feed->oldest(), feed->newest()});
  outgoing_ = std::make_shared<const std::string>(
      render_hello(core_.router.identity(), core_.clock.wall_ms(), core_.hub.stats_interval_s(), ranges));
  id_ = core_.sessions.add(weak_from_this());
  timer_.expires_after(kResumeWait);
  timer_.async_wait([self = shared_from_this()](ErrorCode cancelled) {
    if (!cancelled) self->start_feeds();
  });
  write();
  read();
}

void Session::start_feeds() {
  for (Follower& follower : followers_) follower.start();
  pump();
}

// --- what the client says

void Session::read() {
  socket_.async_read(incoming_,
                     [self = shared_from_this()](ErrorCode error, size_t) { self->on_read(error); });
}

void Session::on_read(const ErrorCode& error) {
  if (error) return end();
  // Once the farewell is on its way Beast itself reads on for the client's, and a read of ours beside it could meet a
  // broken frame, wait for the farewell's end, and be waited for by it.
  if (!open_) return;
  if (!socket_.got_text() || !take_message()) return close(websocket::close_code::policy_error);
  incoming_.consume(incoming_.size());
  read();
}

bool Session::take_message() {
  const auto resume = parse_resume(beast::buffers_to_string(incoming_.data()));
  if (!resume) return false;
  const auto it = std::find_if(followers_.begin(), followers_.end(),
                               [&](const Follower& follower) { return follower.name() == resume->feed; });
  // A feed that an earlier version of the program had is no offence.
  if (it == followers_.end()) return true;
  if (it->resumed()) return false;
  if (resume->instance == core_.router.identity().instance)
    it->resume(resume->after);
  else
    it->resume_elsewhere();
  pump();
  return true;
}

void Session::close(websocket::close_code code) {
  if (!open_) return;
  open_ = false;
  timer_.cancel();
  socket_.set_option(timeout_of(kCloseTime));
  timer_.expires_after(2 * kCloseTime);
  timer_.async_wait([self = shared_from_this()](ErrorCode cancelled) {
    if (!cancelled) self->end();
  });
  socket_.async_close(code, [self = shared_from_this()](ErrorCode) { self->end(); });
}

void Session::end() {
  open_ = false;
  timer_.cancel();
  ErrorCode ignored;
  socket_.next_layer().next_layer().close(ignored);
  counted_.release();
  connection_.release();
  if (const uint64_t id = std::exchange(id_, 0)) core_.sessions.remove(id);
}

// --- what the client is told

void Session::wake() {
  if (woken_.exchange(true)) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->woken_ = false;
    self->pump();
  });
}

void Session::go_away() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->leaving_ = true;
    if (!self->writing_) self->close(websocket::close_code::going_away);
  });
}

void Session::pump() {
  if (writing_) return check_stall();
  if (open_ && choose()) write();
}

// A heartbeat first, so that a busy feed can't make the page take the socket for dead; then the feeds in turn.
bool Session::choose() {
  if (const Bulletin status = core_.hub.status(); status.version > status_sent_) {
    status_sent_ = status.version;
    outgoing_ = status.text;
    return true;
  }
  if (const Bulletin stats = core_.hub.stats(); stats.version > stats_sent_) {
    stats_sent_ = stats.version;
    outgoing_ = stats.text;
    return true;
  }
  if (const auto entries = core_.hub.timeline_after(timeline_seen_); !entries.empty()) {
    outgoing_ = std::make_shared<const std::string>(render_timeline_frame(entries));
    return true;
  }
  return choose_feed_frame();
}

bool Session::choose_feed_frame() {
  for (size_t i = 0; i < followers_.size(); ++i) {
    Follower& follower = followers_[(next_follower_ + i) % followers_.size()];
    auto frame = follower.next();
    if (!frame) continue;
    next_follower_ = (next_follower_ + i + 1) % followers_.size();
    core_.counters.feed_missed += frame->missed;
    outgoing_ = std::make_shared<const std::string>(std::move(frame->text));
    return true;
  }
  return false;
}

void Session::write() {
  writing_ = true;
  writing_since_ = core_.clock.now();
  queued_ = Held(core_.counters.websocket_bytes_queued, static_cast<int64_t>(outgoing_->size()));
  socket_.async_write(asio::buffer(*outgoing_),
                      [self = shared_from_this()](ErrorCode error, size_t) { self->on_written(error); });
}

void Session::on_written(const ErrorCode& error) {
  writing_ = false;
  queued_.release();
  outgoing_.reset();
  if (error) return end();
  if (leaving_) return close(websocket::close_code::going_away);
  pump();
}

void Session::check_stall() {
  if (core_.clock.now() - writing_since_ < core_.options.ws_stall_timeout) return;
  if (socket_.next_layer().next_layer().is_open()) ++core_.counters.websockets_stalled;
  end();
}

}  // namespace tidemark::http
