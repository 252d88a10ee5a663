#include "amqp/link.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "amqp/errors.h"
#include "base/tls_files.h"

namespace tidemark::amqp {
namespace {

using std::chrono::milliseconds;

constexpr int kChannelMax = 8;
// How long a goodbye is waited for.
constexpr milliseconds kGoodbyePatience{2'000};
// A wait looks up now and then for heartbeats that are due.
constexpr milliseconds kSlice{1'000};

timeval to_timeval(milliseconds time) {
  return {static_cast<time_t>(time.count() / 1000), static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

amqp_bytes_t bytes(const char* text) { return {std::strlen(text), const_cast<char*>(text)}; }
std::string_view view(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

amqp_table_entry_t text_entry(const char* key, const char* value) {
  amqp_table_entry_t entry = {};
  entry.key = bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = bytes(value);
  return entry;
}

amqp_table_entry_t true_entry(const char* key) {
  amqp_table_entry_t entry = {};
  entry.key = bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

// While it lives, a requested stop makes the descriptor readable.
struct WriteTo {
  int fd;
  void operator()() const {
    const uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(fd, &one, sizeof one);
  }
};
using WakeOnStop = std::stop_callback<WriteTo>;

// While it lives, a requested stop ends whatever waits on the socket.
struct ShutDown {
  int fd;
  void operator()() const { ::shutdown(fd, SHUT_RDWR); }
};
using ShutDownOnStop = std::stop_callback<ShutDown>;

void set_up_socket(int fd) {
  const int on = 1, idle = 10, interval = 5, count = 3;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

}  // namespace

// --- connecting

Link::Link(ConnectionOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      name_(options_.name + " (" + options_.endpoint.describe() + ")"),
      state_(amqp_new_connection()),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Link::~Link() {
  if (state_ != nullptr) amqp_destroy_connection(state_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

Result<std::unique_ptr<Link>> Link::open(const ConnectionOptions& options, Clock& clock,
                                         std::stop_token stop) {
  std::unique_ptr<Link> link(new Link(options, clock));
  if (link->state_ == nullptr || link->wake_fd_ < 0)
    return fail(React::kRetry, link->name_ + ": out of memory or file descriptors");
  if (stop.stop_requested()) return fail(link->stopped());
  TIDEMARK_TRY(link->connect(stop));
  TIDEMARK_TRY(link->log_in(stop));
  return link;
}

Status Link::connect(std::stop_token stop) {
  const Status connected = options_.endpoint.tls ? connect_tls(stop) : connect_tcp(stop);
  if (!connected && stop.stop_requested()) return fail(stopped());
  return connected;
}

Status Link::connect_tcp(std::stop_token stop) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const Endpoint& endpoint = options_.endpoint;
  if (::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found) != 0)
    return fail(library_error(AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED, "connecting", name_));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const Mono deadline = clock_.now() + options_.connect_timeout;
  std::string why = "no address";
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, each->ai_protocol);
    if (fd < 0) return fail(React::kRetry, name_ + ": " + std::strerror(errno));
    int error = ::connect(fd, each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    while (error == EINPROGRESS) {
      const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock_.now());
      if (left <= left.zero() || stop.stop_requested()) {
        error = ETIMEDOUT;
      } else if (poll_socket(fd, POLLOUT, left, stop)) {
        socklen_t size = sizeof error;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
    if (error == 0) {
      set_up_socket(fd);
      amqp_tcp_socket_set_sockfd(amqp_tcp_socket_new(state_), fd);
      return {};
    }
    ::close(fd);
    why = std::strerror(error);
  }
  return fail(React::kRetry, name_ + ": connecting: " + why,
              "is the broker up, and can it be reached from here?");
}

// They were looked at before the start (amqp/spec.h): somebody has replaced them since.
Error Link::unusable(const char* fields, const Status& checked) const {
  const std::string why = checked ? "OpenSSL doesn't take it" : checked.error().what;
  return {React::kDenied, name_ + ": " + fields + ": " + why, checked ? "" : checked.error().hint};
}

Status Link::connect_tls(std::stop_token stop) {
  if (stop.stop_requested()) return fail(stopped());
  forget_tls_trouble();
  amqp_socket_t* socket = amqp_ssl_socket_new(state_);
  if (socket == nullptr) return fail(React::kRetry, name_ + ": out of memory");
  amqp_ssl_socket_set_verify_peer(socket, options_.verify ? 1 : 0);
  amqp_ssl_socket_set_verify_hostname(socket, options_.verify ? 1 : 0);
  amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
  if (!options_.ca.empty() && amqp_ssl_socket_set_cacert(socket, options_.ca.c_str()) != AMQP_STATUS_OK)
    return fail(unusable("tls_ca", check_ca_file(options_.ca)));
  if (!options_.certificate.empty() &&
      amqp_ssl_socket_set_key(socket, options_.certificate.c_str(), options_.key.c_str()) != AMQP_STATUS_OK)
    return fail(
        unusable("tls_certificate, tls_key", check_certificate_files(options_.certificate, options_.key)));
  const timeval timeout = to_timeval(options_.connect_timeout);
  const int status =
      amqp_socket_open_noblock(socket, options_.endpoint.host.c_str(), options_.endpoint.port, &timeout);
  if (status != AMQP_STATUS_OK) return fail(library_error(status, "connecting", name_));
  set_up_socket(amqp_get_sockfd(state_));
  return {};
}

Status Link::log_in(std::stop_token stop) {
  const timeval connect_timeout = to_timeval(options_.connect_timeout);
  amqp_set_handshake_timeout(state_, &connect_timeout);
  const timeval answer_timeout = to_timeval(options_.answer_timeout);
  amqp_set_rpc_timeout(state_, &answer_timeout);
  amqp_table_entry_t capabilities[] = {true_entry("connection.blocked"), true_entry("consumer_cancel_notify"),
                                       true_entry("basic.nack"), true_entry("publisher_confirms")};
  amqp_table_entry_t entries[] = {text_entry("product", "tidemark"),
                                  text_entry("information", options_.name.c_str()),
                                  text_entry("connection_name", options_.name.c_str()),
                                  {}};
  entries[3].key = bytes("capabilities");
  entries[3].value.kind = AMQP_FIELD_KIND_TABLE;
  entries[3].value.value.table = {4, capabilities};
  const amqp_table_t properties = {4, entries};
  const Endpoint& endpoint = options_.endpoint;
  amqp_rpc_reply_t reply;
  {
    const ShutDownOnStop guard(stop, ShutDown{amqp_get_sockfd(state_)});
    reply =
        amqp_login_with_properties(state_, endpoint.vhost.c_str(), kChannelMax, AMQP_DEFAULT_FRAME_SIZE,
                                   static_cast<int>(options_.heartbeat.count()), &properties,
                                   AMQP_SASL_METHOD_PLAIN, endpoint.user.c_str(), endpoint.password.c_str());
  }
  if (reply.reply_type != AMQP_RESPONSE_NORMAL)
    return fail(stop.stop_requested() ? lose(stopped()) : lose(reply_error(reply, "logging in")));
  frame_max_ = static_cast<size_t>(std::max(amqp_get_frame_max(state_), 4096));
  return {};
}

// --- errors

Error Link::lose(Error error) {
  if (!fault_) fault_ = error;
  return error;
}

Error Link::reply_error(const amqp_rpc_reply_t& reply, const char* what) {
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
    amqp_frame_t frame = {};
    frame.channel = 0;
    frame.payload.method = reply.reply;
    return closed_by_broker(frame);
  }
  const int status = reply.reply_type == AMQP_RESPONSE_NONE ? AMQP_STATUS_SOCKET_CLOSED : reply.library_error;
  return library_error(status, what, name_);
}

Error Link::closed_by_broker(const amqp_frame_t& frame) {
  const amqp_method_t& method = frame.payload.method;
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_channel_close_t*>(method.decoded);
    Error error = close_error(close->reply_code, view(close->reply_text), name_);
    amqp_channel_close_ok_t ok = {};
    amqp_send_method(state_, frame.channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    return error;
  }
  if (method.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(method.decoded);
    Error error = close_error(close->reply_code, view(close->reply_text), name_);
    amqp_connection_close_ok_t ok = {};
    amqp_send_method(state_, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
    return error;
  }
  return {React::kRetry, name_ + ": an answer that wasn't asked for"};
}

// --- waiting

bool Link::poll_socket(int fd, short events, milliseconds timeout, std::stop_token stop) {
  const WakeOnStop guard(stop, WriteTo{wake_fd_});
  pollfd fds[] = {{fd, events, 0}, {wake_fd_, POLLIN, 0}};
  const int count = ::poll(fds, 2, static_cast<int>(std::min(timeout, kSlice).count()));
  if (count > 0 && fds[1].revents != 0) {
    uint64_t ignored = 0;
    [[maybe_unused]] const auto read = ::read(wake_fd_, &ignored, sizeof ignored);
  }
  return count > 0 && fds[0].revents != 0;
}

Result<bool> Link::next_frame(amqp_frame_t& frame, milliseconds timeout, std::stop_token stop) {
  const Mono deadline = clock_.now() + timeout;
  while (true) {
    if (fault_) return fail(*fault_);
    const timeval now = {0, 0};
    const int status = amqp_simple_wait_frame_noblock(state_, &frame, &now);
    if (status == AMQP_STATUS_OK) return true;
    if (status != AMQP_STATUS_TIMEOUT)
      return fail(lose(library_error(status, "waiting for the broker", name_)));
    if (stop.stop_requested()) return fail(stopped());
    if (woken_.exchange(false)) return false;
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock_.now());
    if (left <= left.zero()) return false;
    poll_socket(amqp_get_sockfd(state_), POLLIN, left, stop);
  }
}

void Link::release(uint16_t channel) { amqp_maybe_release_buffers_on_channel(state_, channel); }

void Link::wake() {
  woken_ = true;
  WriteTo{wake_fd_}();
}

// --- calls

Status Link::call(const char* what, uint16_t channel, bool channel_only, std::stop_token stop,
                  const std::function<void()>& call) {
  if (fault_) return fail(*fault_);
  if (stop.stop_requested()) return fail(stopped());
  {
    const ShutDownOnStop guard(stop, ShutDown{amqp_get_sockfd(state_)});
    call();
  }
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(state_);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_frame_t frame = {};
    frame.channel = channel;
    frame.payload.method = reply.reply;
    Error error = closed_by_broker(frame);
    return fail(channel_only ? error : lose(error));
  }
  return fail(lose(stop.stop_requested() ? stopped() : reply_error(reply, what)));
}

Status Link::send(const char* what, std::stop_token stop, const std::function<int()>& call) {
  if (fault_) return fail(*fault_);
  int status = AMQP_STATUS_OK;
  {
    // No check before: what is sent here (an acknowledgement) is worth sending at a stop too.
    const ShutDownOnStop guard(stop.stop_requested() ? std::stop_token() : stop,
                               ShutDown{amqp_get_sockfd(state_)});
    status = call();
  }
  if (status == AMQP_STATUS_OK) return {};
  if (status == AMQP_STATUS_TABLE_TOO_BIG) return fail(library_error(status, what, name_));
  return fail(lose(stop.stop_requested() ? stopped() : library_error(status, what, name_)));
}

Result<size_t> Link::send_some(std::string_view bytes) {
  if (fault_) return fail(*fault_);
  while (true) {
    const ssize_t sent =
        ::send(amqp_get_sockfd(state_), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<size_t>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno == EINTR) continue;
    return fail(React::kRetry, name_ + ": sending: " + std::strerror(errno),
                "is the broker up, and can it be reached from here?");
  }
}

Status Link::wait_writable(milliseconds timeout, std::stop_token stop) {
  if (stop.stop_requested()) return fail(stopped());
  poll_socket(amqp_get_sockfd(state_), POLLIN | POLLOUT, timeout, stop);
  if (stop.stop_requested()) return fail(stopped());
  return {};
}

void Link::say_goodbye() {
  if (fault_) return;
  const timeval patience = to_timeval(kGoodbyePatience);
  amqp_set_rpc_timeout(state_, &patience);
  amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
  fault_ = Error{React::kRetry, name_ + ": closed"};
}

}  // namespace tidemark::amqp
