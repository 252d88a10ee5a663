// The connection itself under a Session: the socket, the login, one frame at a time, calls that wait for the broker's
// answer, and bytes sent past librabbitmq. One thread, but for wake(). Owned by a Session.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "amqp/types.h"
#include "base/result.h"
#include "env/clock.h"

struct amqp_connection_state_t_;
struct amqp_frame_t_;
struct amqp_rpc_reply_t_;
struct amqp_socket_t_;
struct amqp_table_t_;

namespace tidemark::amqp {

class Link {
 public:
  static Result<std::unique_ptr<Link>> open(const ConnectionOptions& options, Clock& clock,
                                            std::stop_token stop);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  amqp_connection_state_t_* state() { return state_; }
  const ConnectionOptions& options() const { return options_; }
  const std::string& describe() const { return name_; }
  Clock& clock() { return clock_; }
  size_t frame_max() const { return frame_max_; }
  bool raw() const { return !options_.endpoint.tls; }  // whether send_some() may be used

  // Set by the first error that ends the connection or its channel, and returned again by whatever comes after.
  bool lost() const { return fault_.has_value(); }
  Error lose(Error error);
  Error fault() const { return *fault_; }
  Error stopped() const { return {React::kCancelled, name_ + ": stopped"}; }

  // The next frame, which is good until release(). False when none came within `timeout`, or at a wake().
  Result<bool> next_frame(amqp_frame_t_& frame, std::chrono::milliseconds timeout, std::stop_token stop);
  void release(uint16_t channel);

  // Runs a call of librabbitmq's that waits for an answer. A stop meanwhile ends the connection, as nothing else would end
  // the wait. An error that closes `channel` alone loses the link unless `channel_only`.
  Status call(const char* what, uint16_t channel, bool channel_only, std::stop_token stop,
              const std::function<void()>& call);
  // Runs a call that only sends; its result is an amqp_status_enum.
  Status send(const char* what, std::stop_token stop, const std::function<int()>& call);
  // Writes what the socket takes now, without waiting; the number of bytes.
  Result<size_t> send_some(std::string_view bytes);
  // Waits until the socket takes bytes or has some, or `timeout`.
  Status wait_writable(std::chrono::milliseconds timeout, std::stop_token stop);

  // What the broker said when it closed something; answers it as the protocol asks.
  Error closed_by_broker(const amqp_frame_t_& frame);

  void wake();
  void say_goodbye();

 private:
  Link(ConnectionOptions options, Clock& clock);
  Status connect(std::stop_token stop);
  Status connect_tcp(std::stop_token stop);
  Error unusable(const char* fields, const Status& checked) const;
  Status connect_tls(std::stop_token stop);
  Status log_in(std::stop_token stop);
  Error reply_error(const amqp_rpc_reply_t_& reply, const char* what);
  // Waits for `events` on the socket; false at the timeout, a stop or a wake().
  bool poll_socket(int fd, short events, std::chrono::milliseconds timeout, std::stop_token stop);

  const ConnectionOptions options_;
  Clock& clock_;
  const std::string name_;
  amqp_connection_state_t_* state_ = nullptr;
  int wake_fd_ = -1;
  std::atomic<bool> woken_{false};
  size_t frame_max_ = 0;
  std::optional<Error> fault_;
};

}  // namespace tidemark::amqp
