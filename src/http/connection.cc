#include "http/connection.h"

#include <array>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>

#include "http/message.h"
#include "http/session.h"

namespace tidemark::http {
namespace {

constexpr size_t kReadBytes = 16 << 10;
// What is still taken from a client that was answered before it had sent everything, so that the answer reaches it: a
// socket closed with bytes unread takes back what was written.
constexpr size_t kLingerBytesMax = 4 << 20;
constexpr std::chrono::milliseconds kLingerTime{1000};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(const std::shared_ptr<Core>& core, Socket socket)
      : core_(*core),
        weak_core_(core),
        stream_(std::in_place, std::move(socket), core->certificate.context()),
        deadline_(stream_->get_executor()),
        buffer_(core->options.header_bytes_max + (64 << 10)),
        connected_(core->counters.connections, 1) {}
  ~Connection() { finish_request(); }

  Strand executor() { return stream_->get_executor(); }

  void start();

 private:
  enum class Waiting { kNothing, kIdle, kHead, kBody, kReply, kWrite, kLinger };

  void wait_request(std::chrono::milliseconds patience);
  void read_head();
  void on_head(const ErrorCode& error);
  void on_unreadable(const ErrorCode& error);
  void follow_plan();
  bool reserve_body();
  void read_body();
  void on_body(const ErrorCode& error);
  void dispatch();
  void call_blocking();
  void submit();
  void on_answer(uint64_t request, const Answer& answer);
  void upgrade();
  void respond(Response response);
  void on_responded(const ErrorCode& error);
  void linger();
  void drain();
  void finish_request();
  void close();

  void arm(Waiting waiting, std::chrono::milliseconds patience);
  void disarm() { arm(Waiting::kNothing, {}); }
  void on_deadline();
  // Runs on the strand with this connection alive.
  template <class Method, class... Arguments>
  auto then(Method method, Arguments... arguments) {
    return [self = shared_from_this(), method, arguments...](ErrorCode error, size_t = 0) {
      ((*self).*method)(arguments..., error);
    };
  }

  Core& core_;
  std::weak_ptr<Core> weak_core_;
  std::optional<Stream> stream_;  // empty once it became a WebSocket
  asio::steady_timer deadline_;
  uint64_t armed_ = 0;
  Waiting waiting_ = Waiting::kNothing;
  bool timed_out_ = false;

  beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  Held connected_;
  Held body_reserved_;
  Request request_;
  Plan plan_;
  uint64_t request_number_ = 0;
  bool in_flight_ = false;
  bool replied_ = false;  // to the request at hand; what comes later for it is dropped
  bool body_unread_ = false;
  bool keep_alive_ = false;
  Response response_;
  std::string head_;
  size_t lingered_ = 0;
  std::array<char, kReadBytes> sink_;
};

// --- time

void Connection::arm(Waiting waiting, std::chrono::milliseconds patience) {
  waiting_ = waiting;
  timed_out_ = false;
  const uint64_t armed = ++armed_;
  if (waiting == Waiting::kNothing) {
    deadline_.cancel();
    return;
  }
  deadline_.expires_after(patience);
  deadline_.async_wait([self = shared_from_this(), armed](ErrorCode cancelled) {
    if (!cancelled && armed == self->armed_) self->on_deadline();
  });
}

void Connection::on_deadline() {
  timed_out_ = true;
  switch (waiting_) {
    case Waiting::kHead:
    case Waiting::kBody: {
      // Ends the read alone; the answer still goes out.
      ErrorCode ignored;
      stream_->next_layer().cancel(ignored);
      return;
    }
    case Waiting::kReply: {
      Answer late{.kind = Answer::Kind::kUnavailable, .detail = "the events were not stored in time"};
      return on_answer(request_number_, late);
    }
    default:
      close();
  }
}

// --- from the socket to a plan

void Connection::start() {
  ErrorCode ignored;
  stream_->next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
  if (stream_->tls() == nullptr) return wait_request(core_.options.header_timeout);
  arm(Waiting::kIdle, core_.options.header_timeout);
  stream_->tls()->async_handshake(asio::ssl::stream_base::server,
                                  [self = shared_from_this()](ErrorCode error) {
                                    if (error) return self->close();
                                    self->wait_request(self->core_.options.header_timeout);
                                  });
}

void Connection::wait_request(std::chrono::milliseconds patience) {
  if (buffer_.size() > 0) return read_head();
  arm(Waiting::kIdle, patience);
  stream_->async_read_some(buffer_.prepare(kReadBytes),
                           [self = shared_from_this()](ErrorCode error, size_t bytes) {
                             if (error) return self->close();
                             self->buffer_.commit(bytes);
                             self->read_head();
                           });
}

void Connection::read_head() {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(core_.options.header_bytes_max));
  // Decided once the route is known.
  parser_->body_limit(boost::none);
  arm(Waiting::kHead, core_.options.header_timeout);
  beast::http::async_read_header(*stream_, buffer_, *parser_, then(&Connection::on_head));
}

void Connection::on_unreadable(const ErrorCode& error) {
  const bool timed_out = timed_out_;
  disarm();
  // A client that went away hears nothing any more.
  const bool readable =
      timed_out || error == beast::http::error::buffer_overflow ||
      (error.category() == beast::http::make_error_code(beast::http::error::end_of_stream).category() &&
       error != beast::http::error::end_of_stream && error != beast::http::error::partial_message);
  if (!readable) return close();
  body_unread_ = true;
  if (plan_.route.empty()) plan_.route = "unreadable";
  respond(timed_out ? problem(408, "the request didn't come in time") : problem_of(error));
}

void Connection::on_head(const ErrorCode& error) {
  plan_ = {};
  ++request_number_;
  replied_ = false;
  body_unread_ = false;
  request_ = {};
  if (error) {
    request_.keep_alive = false;
    return on_unreadable(error);
  }
  disarm();
  request_ = head_of(*parser_);
  body_unread_ = !parser_->is_done();
  in_flight_ = true;
  core_.in_flight.begin();
  if (core_.stopping) {
    plan_.route = "stopping";
    Response response = problem(503, "the server is stopping");
    response.headers.emplace_back("Retry-After", "5");
    response.close = true;
    return respond(std::move(response));
  }
  plan_ = core_.router.plan(request_);
  follow_plan();
}

void Connection::follow_plan() {
  if (plan_.refusal) return respond(std::move(*plan_.refusal));
  if (plan_.step == Plan::Step::kWebSocket) return upgrade();
  if (!body_unread_) return dispatch();
  if (!reserve_body()) {
    Response response = problem(503, "too much is being received at the moment");
    response.headers.emplace_back("Retry-After", "1");
    return respond(std::move(response));
  }
  const std::string* expect = request_.header("expect");
  if (expect == nullptr || request_.http_1_0) return read_body();
  arm(Waiting::kWrite, core_.options.body_timeout);
  asio::async_write(*stream_, asio::buffer(kContinue), [self = shared_from_this()](ErrorCode error, size_t) {
    if (error) return self->close();
    self->read_body();
  });
}

bool Connection::reserve_body() {
  const uint64_t bytes = request_.content_length.value_or(plan_.body_bytes_max);
  body_reserved_ = Held(core_.counters.body_bytes, static_cast<int64_t>(bytes));
  if (core_.counters.body_bytes <= static_cast<int64_t>(core_.options.bodies_bytes_max)) return true;
  body_reserved_.release();
  return false;
}

void Connection::read_body() {
  parser_->body_limit(plan_.body_bytes_max);
  arm(Waiting::kBody, core_.options.body_timeout);
  beast::http::async_read(*stream_, buffer_, *parser_, then(&Connection::on_body));
}

void Connection::on_body(const ErrorCode& error) {
  if (error) return on_unreadable(error);
  disarm();
  body_unread_ = false;
  request_.body = std::move(parser_->get().body());
  dispatch();
}

// --- from a plan to the answer

void Connection::dispatch() {
  switch (plan_.step) {
    case Plan::Step::kInlet:
      return submit();
    case Plan::Step::kBlocking:
      return call_blocking();
    default:
      return respond(plan_.handler(request_));
  }
}

void Connection::call_blocking() {
  auto call = [self = shared_from_this()] {
    auto response = std::make_shared<Response>(self->plan_.handler(self->request_));
    asio::post(self->stream_->get_executor(), [self, response] { self->respond(std::move(*response)); });
  };
  if (core_.pool.post(std::move(call))) return;
  Response response = problem(503, "too many such requests wait already");
  response.headers.emplace_back("Retry-After", "1");
  respond(std::move(response));
}

void Connection::submit() {
  arm(Waiting::kReply, core_.options.request_timeout);
  // The reply may come from any thread, and when the server is gone; it holds the core first, so that the connection,
  // should this be its last owner, goes before its io_context does.
  auto send = [weak_core = weak_core_, weak = weak_from_this(), number = request_number_](Answer answer) {
    const auto core = weak_core.lock();
    if (!core) return;
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->deadline_.get_executor(), [weak, number, answer = std::move(answer)] {
      if (const auto alive = weak.lock()) alive->on_answer(number, answer);
    });
  };
  plan_.inlet->submit(submission_of(std::move(request_)), Reply(std::move(send)));
}

void Connection::on_answer(uint64_t request, const Answer& answer) {
  if (request != request_number_ || replied_) return;
  respond(response_of(answer));
}

void Connection::respond(Response response) {
  replied_ = true;
  body_reserved_.release();
  response_ = std::move(response);
  keep_alive_ = request_.keep_alive && !body_unread_ && !response_.close && !core_.stopping;
  core_.counters.count_request(plan_.route, response_.status);
  head_ = render_head(response_, keep_alive_, core_.clock.wall_ms());
  const bool bare = request_.method == "HEAD" || response_.status == 304;
  const std::string_view body = bare ? std::string_view() : response_.bytes();
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_), asio::buffer(body)};
  arm(Waiting::kWrite, core_.options.body_timeout);
  asio::async_write(*stream_, buffers, then(&Connection::on_responded));
}

void Connection::on_responded(const ErrorCode& error) {
  finish_request();
  response_ = {};
  if (error) return close();
  if (keep_alive_) return wait_request(core_.options.idle_timeout);
  if (body_unread_) return linger();
  close();
}

void Connection::linger() {
  ErrorCode ignored;
  if (stream_->tls() == nullptr) stream_->next_layer().shutdown(Socket::shutdown_send, ignored);
  lingered_ = 0;
  arm(Waiting::kLinger, kLingerTime);
  drain();
}

void Connection::drain() {
  stream_->next_layer().async_read_some(asio::buffer(sink_),
                                        [self = shared_from_this()](ErrorCode error, size_t bytes) {
                                          self->lingered_ += bytes;
                                          if (error || self->lingered_ > kLingerBytesMax)
                                            return self->close();
                                          self->drain();
                                        });
}

void Connection::upgrade() {
  Held counted(core_.counters.websockets, 1);
  if (core_.counters.websockets > static_cast<int64_t>(core_.options.websockets_max)) {
    Response response = problem(503, "there are too many WebSocket clients");
    response.headers.emplace_back("Retry-After", "5");
    return respond(std::move(response));
  }
  // What comes before the handshake is answered can't be a frame of a client that waits for the answer.
  if (buffer_.size() > 0 || body_unread_)
    return respond(problem(400, "a WebSocket's first frame comes after the server's answer"));
  disarm();
  core_.counters.count_request(plan_.route, 101);
  auto session =
      std::make_shared<Session>(core_, std::move(*stream_), std::move(counted), std::move(connected_));
  finish_request();
  session->start(parser_->release());
}

void Connection::finish_request() {
  if (std::exchange(in_flight_, false)) core_.in_flight.end();
}

void Connection::close() {
  disarm();
  ErrorCode ignored;
  stream_->next_layer().shutdown(Socket::shutdown_both, ignored);
  stream_->next_layer().close(ignored);
}

}  // namespace

void start_connection(const std::shared_ptr<Core>& core, Socket socket) {
  auto connection = std::make_shared<Connection>(core, std::move(socket));
  const auto executor = connection->executor();
  asio::post(executor, [connection] { connection->start(); });
}

}  // namespace tidemark::http
