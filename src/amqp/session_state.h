// What is behind a Session, for the two files that implement it: session.cc, and session_declare.cc for what is declared.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include <amqp.h>

#include "amqp/inbox.h"
#include "amqp/link.h"
#include "amqp/queue_arguments.h"
#include "amqp/session.h"

namespace tidemark::amqp {

inline constexpr uint16_t kChannel = 1;
// Questions that may be answered with a closed channel are asked on one of their own.
inline constexpr uint16_t kAskChannel = 2;

inline amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string_view view(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

struct Session::State {
  explicit State(std::unique_ptr<Link> opened) : link(std::move(opened)) {}

  std::unique_ptr<Link> link;
  Inbox inbox;
  std::deque<Delivery> ready;  // deliveries that came while something else was waited for
  bool ask_channel_open = false;
  bool cancelled_by_broker = false;
  uint64_t published = 0;
  std::string out;  // messages not sent yet

  amqp_connection_state_t raw() { return link->state(); }

  // Takes one frame; false when none came in time.
  Result<bool> step(std::chrono::milliseconds timeout, std::stop_token stop, Inbox::News& news) {
    amqp_frame_t frame;
    TIDEMARK_ASSIGN(const bool came, link->next_frame(frame, timeout, std::move(stop)));
    news = Inbox::News::kNothing;
    if (!came) return false;
    news = inbox.take(frame);
    if (news == Inbox::News::kCancelled) cancelled_by_broker = true;
    if (news == Inbox::News::kClosed) return fail(link->lose(link->closed_by_broker(frame)));
    link->release(frame.channel);
    return true;
  }

  // Takes what is there, without waiting.
  Status drain() {
    Inbox::News news;
    while (true) {
      TIDEMARK_ASSIGN(const bool came, step(std::chrono::milliseconds(0), {}, news));
      if (!came) return {};
      if (news == Inbox::News::kDelivery) ready.push_back(std::move(inbox.delivery()));
    }
  }

  // The reason that the broker gave for a closed connection, where it did: `error` is what a send saw of it.
  Error reason_for(Error error) {
    if (Status drained = drain(); !drained) return drained.error();
    return link->lose(std::move(error));
  }

  Status ask(const char* what, std::stop_token stop, const std::function<void()>& call) {
    if (!ask_channel_open) {
      TIDEMARK_TRY(link->call("channel.open", kAskChannel, false, stop,
                              [&] { amqp_channel_open(raw(), kAskChannel); }));
      ask_channel_open = true;
    }
    Status done = link->call(what, kAskChannel, true, stop, call);
    if (!done) ask_channel_open = false;
    return done;
  }

  Result<QueueState> declare(const std::string& name, const QueueArguments& with, uint16_t channel,
                             std::stop_token stop);
  Status send_all(std::stop_token stop);
  Status publish_tls(const Message& message, std::stop_token stop);
};

}  // namespace tidemark::amqp
