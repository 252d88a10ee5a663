// The part of RabbitServer that speaks AMQP.
#include <algorithm>
#include <stdexcept>

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <sys/time.h>

#include "support/rabbitmq.h"

namespace tidemark::testing {
namespace {

constexpr amqp_channel_t kChannel = 1;

amqp_bytes_t bytes(const std::string& text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string text_of(amqp_bytes_t bytes) { return {static_cast<const char*>(bytes.bytes), bytes.len}; }

std::string words(const amqp_rpc_reply_t& reply) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return amqp_error_string2(reply.library_error);
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD)
    return text_of(static_cast<amqp_channel_close_t*>(reply.reply.decoded)->reply_text);
  if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
    return text_of(static_cast<amqp_connection_close_t*>(reply.reply.decoded)->reply_text);
  return "unexpected answer";
}

// One connection with one channel, for a few calls.
class Client {
 public:
  explicit Client(int port) : state_(amqp_new_connection()) {
    amqp_socket_t* socket = amqp_tcp_socket_new(state());
    timeval patience = {20, 0};
    if (amqp_socket_open_noblock(socket, "127.0.0.1", port, &patience) != AMQP_STATUS_OK) give_up("connect");
    amqp_set_rpc_timeout(state(), &patience);
    check(amqp_login(state(), "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
          "login");
    amqp_channel_open(state(), kChannel);
    check("channel.open");
  }
  ~Client() {
    if (sound_) amqp_connection_close(state(), AMQP_REPLY_SUCCESS);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  amqp_connection_state_t state() { return state_.get(); }
  void check(const char* what) { check(amqp_get_rpc_reply(state()), what); }
  void check(const amqp_rpc_reply_t& reply, const std::string& what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) give_up(what + ": " + words(reply));
  }
  [[noreturn]] void give_up(const std::string& what) {
    sound_ = false;
    throw std::runtime_error("RabbitMQ for tests: " + what);
  }

 private:
  struct Destroy {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };
  std::unique_ptr<amqp_connection_state_t_, Destroy> state_;
  bool sound_ = true;
};

// A table from strings: values of digits only become numbers. Points into `map`.
class Table {
 public:
  explicit Table(const std::map<std::string, std::string>& map) {
    for (const auto& [name, value] : map) {
      amqp_table_entry_t entry = {};
      entry.key = bytes(name);
      const bool number = !value.empty() && std::all_of(value.begin(), value.end(),
                                                        [](char c) { return c >= '0' && c <= '9'; });
      entry.value.kind = number ? AMQP_FIELD_KIND_I64 : AMQP_FIELD_KIND_UTF8;
      if (number)
        entry.value.value.i64 = std::stoll(value);
      else
        entry.value.value.bytes = bytes(value);
      entries_.push_back(entry);
    }
  }
  amqp_table_t table() { return {static_cast<int>(entries_.size()), entries_.data()}; }

 private:
  std::vector<amqp_table_entry_t> entries_;
};

std::string value_of(const amqp_field_value_t& value) {
  switch (value.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return text_of(value.value.bytes);
    case AMQP_FIELD_KIND_BOOLEAN:
      return value.value.boolean != 0 ? "true" : "false";
    case AMQP_FIELD_KIND_I8:
      return std::to_string(value.value.i8);
    case AMQP_FIELD_KIND_U8:
      return std::to_string(value.value.u8);
    case AMQP_FIELD_KIND_I16:
      return std::to_string(value.value.i16);
    case AMQP_FIELD_KIND_U16:
      return std::to_string(value.value.u16);
    case AMQP_FIELD_KIND_I32:
      return std::to_string(value.value.i32);
    case AMQP_FIELD_KIND_U32:
      return std::to_string(value.value.u32);
    case AMQP_FIELD_KIND_I64:
      return std::to_string(value.value.i64);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return std::to_string(value.value.u64);
    default:
      return std::string("kind ") + static_cast<char>(value.kind);
  }
}

RabbitMessage read_message(Client& client, const amqp_basic_get_ok_t& got) {
  RabbitMessage message;
  message.exchange = text_of(got.exchange);
  message.routing_key = text_of(got.routing_key);
  message.redelivered = got.redelivered != 0;
  amqp_message_t read;
  client.check(amqp_read_message(client.state(), kChannel, &read, 0), "read");
  const amqp_basic_properties_t& properties = read.properties;
  const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
  message.body = text_of(read.body);
  if (has(AMQP_BASIC_CONTENT_TYPE_FLAG)) message.content_type = text_of(properties.content_type);
  if (has(AMQP_BASIC_MESSAGE_ID_FLAG)) message.message_id = text_of(properties.message_id);
  if (has(AMQP_BASIC_DELIVERY_MODE_FLAG)) message.delivery_mode = properties.delivery_mode;
  if (has(AMQP_BASIC_HEADERS_FLAG)) {
    for (int i = 0; i < properties.headers.num_entries; ++i) {
      const amqp_table_entry_t& entry = properties.headers.entries[i];
      message.headers[text_of(entry.key)] = value_of(entry.value);
    }
  }
  amqp_destroy_message(&read);
  return message;
}

}  // namespace

void RabbitServer::declare_queue(const std::string& queue,
                                 const std::map<std::string, std::string>& arguments) {
  Client client(port_);
  Table table(arguments);
  amqp_queue_declare(client.state(), kChannel, bytes(queue), 0, 1, 0, 0, table.table());
  client.check("queue.declare");
  declared_.insert(queue);
}

void RabbitServer::declare_exchange(const std::string& exchange, const std::string& type) {
  Client client(port_);
  amqp_exchange_declare(client.state(), kChannel, bytes(exchange), bytes(type), 0, 1, 0, 0, amqp_empty_table);
  client.check("exchange.declare");
}

void RabbitServer::bind(const std::string& queue, const std::string& exchange,
                        const std::string& routing_key) {
  Client client(port_);
  amqp_queue_bind(client.state(), kChannel, bytes(queue), bytes(exchange), bytes(routing_key),
                  amqp_empty_table);
  client.check("queue.bind");
}

void RabbitServer::delete_queue(const std::string& queue) {
  Client client(port_);
  amqp_queue_delete(client.state(), kChannel, bytes(queue), 0, 0);
  client.check("queue.delete");
  declared_.erase(queue);
}

void RabbitServer::delete_exchange(const std::string& exchange) {
  Client client(port_);
  amqp_exchange_delete(client.state(), kChannel, bytes(exchange), 0);
  client.check("exchange.delete");
}

void RabbitServer::publish(const std::string& exchange, const std::string& routing_key,
                           const std::vector<std::string>& bodies,
                           const std::map<std::string, std::string>& headers,
                           const std::string& content_type) {
  Client client(port_);
  amqp_confirm_select(client.state(), kChannel);
  client.check("confirm.select");
  Table table(headers);
  amqp_basic_properties_t properties = {};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG;
  properties.content_type = bytes(content_type);
  properties.delivery_mode = 2;
  properties.headers = table.table();
  for (const std::string& body : bodies) {
    if (amqp_basic_publish(client.state(), kChannel, bytes(exchange), bytes(routing_key), 1, 0, &properties,
                           bytes(body)) != AMQP_STATUS_OK)
      client.give_up("publish");
  }
  uint64_t confirmed = 0;
  while (confirmed < bodies.size()) {
    amqp_frame_t frame;
    const timeval patience = {20, 0};
    amqp_maybe_release_buffers(client.state());
    const int status = amqp_simple_wait_frame_noblock(client.state(), &frame, &patience);
    if (status != AMQP_STATUS_OK) client.give_up(std::string("confirms: ") + amqp_error_string2(status));
    if (frame.frame_type != AMQP_FRAME_METHOD) continue;
    if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) client.give_up("a message was returned or refused");
    const auto* ack = static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
    confirmed = ack->multiple != 0 ? std::max<uint64_t>(confirmed, ack->delivery_tag) : confirmed + 1;
  }
}

uint32_t RabbitServer::depth(const std::string& queue) {
  Client client(port_);
  const amqp_queue_declare_ok_t* declared =
      amqp_queue_declare(client.state(), kChannel, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
  client.check("queue.declare");
  return declared->message_count;
}

std::vector<RabbitMessage> RabbitServer::drain(const std::string& queue, size_t limit) {
  Client client(port_);
  std::vector<RabbitMessage> all;
  while (all.size() < limit) {
    const amqp_rpc_reply_t reply = amqp_basic_get(client.state(), kChannel, bytes(queue), 0);
    client.check(reply, "basic.get");
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD) break;
    const auto* got = static_cast<amqp_basic_get_ok_t*>(reply.reply.decoded);
    const uint64_t tag = got->delivery_tag;
    all.push_back(read_message(client, *got));
    amqp_basic_ack(client.state(), kChannel, tag, 0);
    amqp_maybe_release_buffers(client.state());
  }
  return all;
}

}  // namespace tidemark::testing
