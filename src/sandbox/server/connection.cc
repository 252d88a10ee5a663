#include "sandbox/server/connection.h"

#include "sandbox/server/command.h"

namespace tidemark::sandbox {
namespace {

constexpr uint32_t kReplyBytesMax = wire::kMessageBytesMax - 1024;
constexpr size_t kBufferBytesKept = size_t{16} << 20;

// Bytes of one message; grows without being zeroed.
class Buffer {
 public:
  std::span<uint8_t> resize(size_t size) {
    if (size > capacity_) {
      auto larger = std::make_unique_for_overwrite<uint8_t[]>(size);
      std::copy_n(bytes_.get(), size_, larger.get());
      bytes_ = std::move(larger);
      capacity_ = size;
    }
    size_ = size;
    return {bytes_.get(), size_};
  }
  void trim() {
    if (capacity_ <= kBufferBytesKept) return;
    bytes_.reset();
    capacity_ = size_ = 0;
  }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

std::atomic<int32_t> next_connection_id{1};
std::atomic<int32_t> next_request_id{1};

class Session {
 public:
  Session(Cluster& cluster, Node& node, Socket& socket, std::stop_token stop)
      : cluster_(cluster), node_(node), socket_(socket), stop_(std::move(stop)) {
    state_.id = next_connection_id++;
    state_.peer = socket.peer();
  }

  void run() {
    while (!stop_.stop_requested() && serve_one()) buffer_.trim();
  }

 private:
  bool serve_one() {
    auto bytes = buffer_.resize(wire::kHeaderBytes);
    if (!socket_.read(bytes)) return false;
    const auto header = wire::parse_header(bytes);
    if (!header) return false;
    bytes = buffer_.resize(static_cast<size_t>(header->length));
    if (!socket_.read(bytes.subspan(wire::kHeaderBytes))) return false;
    if (!node_.gate.pass(stop_)) return false;
    const auto message = wire::parse(bytes);
    if (message) return answer(*message);
    // A document that isn't one is an error of the command; who sends what is no message is cut off, as the server does.
    if (message.error().code != kInvalidBson) return false;
    return refuse_message(*header, message.error());
  }

  bool refuse_message(const wire::Header& header, const Error& error) {
    reply_.clear();
    reply_.append("ok", 0.0).append("errmsg", error.what);
    reply_.append("code", int32_t{error.code}).append("codeName", code_name(error.code));
    wire::Message message;
    message.header = header;
    return send(message, next_request_id++, header.request_id, false);
  }

  bool answer(const wire::Message& message) {
    Invocation inv = invocation(message.body, message);
    if (dispatch(inv) == AfterReply::kCloseConnection) return false;
    if (message.more_to_come()) return true;
    int32_t id = next_request_id++;
    const bool streams = message.exhaust_allowed() && inv.exhaust_more && succeeded();
    if (!send(message, id, message.header.request_id, streams)) return false;
    return !streams || stream(message, id);
  }

  // Streaming hello: replies follow by themselves, each once the topology changed or the time was over.
  bool stream(const wire::Message& message, int32_t last_id) {
    while (!stop_.stop_requested()) {
      const bson::Document body = next_question(message.body);
      Invocation inv = invocation(body, message);
      if (dispatch(inv) == AfterReply::kCloseConnection) return false;
      const bool more = inv.exhaust_more && succeeded();
      const int32_t id = next_request_id++;
      if (!send(message, id, last_id, more)) return false;
      if (!more) return true;
      last_id = id;
    }
    return false;
  }

  // The same hello, from the topologyVersion of the reply that was just sent.
  bson::Document next_question(bson::View asked) const {
    bson::Builder body;
    const auto version = reply_.view().find("topologyVersion");
    for (const auto& field : asked)
      body.append(field.key(), field.key() == "topologyVersion" && version ? *version : field);
    return body.finish();
  }

  Invocation invocation(bson::View body, const wire::Message& message) {
    reply_.clear();
    Invocation inv{cluster_, node_, state_, body, message.sequences, reply_, stop_};
    inv.is_query = message.is_query();
    if (inv.is_query) inv.db = message.collection.substr(0, message.collection.find('.'));
    return inv;
  }

  void refuse_reply() {
    const uint32_t size = reply_.view().size();
    reply_.clear();
    reply_.append("ok", 0.0).append("errmsg",
                                    "BSONObj size: " + std::to_string(size) + " is invalid for a reply");
    reply_.append("code", int32_t{kBsonObjectTooLarge}).append("codeName", code_name(kBsonObjectTooLarge));
  }

  bool succeeded() const {
    const auto ok = reply_.view().find("ok");
    return ok && ok->truthy();
  }

  bool send(const wire::Message& message, int32_t id, int32_t response_to, bool more) {
    if (!node_.gate.pass_reply(stop_)) return false;
    if (reply_.view().size() > kReplyBytesMax) refuse_reply();
    const auto body = reply_.view();
    const auto prelude = message.is_query()
                             ? wire::reply_prelude(id, response_to, body.size())
                             : wire::msg_prelude(id, response_to, more ? wire::kMoreToCome : 0, body.size());
    return socket_.write(prelude.view(), body.bytes());
  }

  Cluster& cluster_;
  Node& node_;
  Socket& socket_;
  const std::stop_token stop_;
  ConnectionState state_;
  Buffer buffer_;
  bson::Builder reply_;
};

}  // namespace

void serve_connection(Cluster& cluster, Node& node, Socket& socket, std::stop_token stop) {
  node.counters.connections_now++;
  node.counters.connections_total++;
  Session(cluster, node, socket, std::move(stop)).run();
  node.counters.connections_now--;
}

}  // namespace tidemark::sandbox
