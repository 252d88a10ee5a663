// What the benchmark's programs on librabbitmq share: a connection with one channel, and errors that end the program.
#pragma once

#include <string>

#include <amqp.h>
#include <amqp_tcp_socket.h>

#include "peers/peer.h"

namespace tidemark::bench {

inline constexpr amqp_channel_t kChannel = 1;

inline amqp_bytes_t amqp_bytes(const std::string& text) {
  return {text.size(), const_cast<char*>(text.data())};  // never written to
}

inline void must(amqp_rpc_reply_t reply, const char* what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
    die(std::string(what) + ": " + amqp_error_string2(reply.library_error));
  die(std::string(what) + ": the broker refused it");
}

inline amqp_connection_state_t amqp_open(std::string uri) {
  amqp_connection_info info;
  amqp_default_connection_info(&info);
  if (amqp_parse_url(uri.data(), &info) != AMQP_STATUS_OK) die("no AMQP URI: " + uri);
  amqp_connection_state_t state = amqp_new_connection();
  if (amqp_socket_open(amqp_tcp_socket_new(state), info.host, info.port) != AMQP_STATUS_OK)
    die("the broker doesn't answer");
  must(amqp_login(state, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password),
       "login");
  amqp_channel_open(state, kChannel);
  must(amqp_get_rpc_reply(state), "channel.open");
  return state;
}

inline void amqp_end(amqp_connection_state_t state) {
  amqp_connection_close(state, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(state);
}

// A frame within a minute.
inline amqp_frame_t amqp_next_frame(amqp_connection_state_t state) {
  amqp_frame_t frame = {};
  const timeval patience = {60, 0};
  const int got = amqp_simple_wait_frame_noblock(state, &frame, &patience);
  if (got != AMQP_STATUS_OK) die(std::string("waiting for the broker: ") + amqp_error_string2(got));
  return frame;
}

}  // namespace tidemark::bench
