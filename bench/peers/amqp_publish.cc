// The bare publisher: librabbitmq, persistent and mandatory messages to a quorum queue (or a classic durable one), confirms on, and never more
// than a window of them without one. What a C program gets into the broker at most.
//   --amqp URI --queue Q --count N [--batch 100] [--window 800] [--first N] [--quorum 1]
//   --amqp URI --queue Q --count 0         prints how many messages the queue has
//   --amqp URI --queue Q --delete 1        takes the queue away, with what is in it
#include <algorithm>
#include <set>

#include "peers/amqp.h"
#include "peers/event.h"

using namespace tidemark::bench;

namespace {

// Which messages the broker has confirmed: all up to a mark, and single ones above it.
class Confirms {
 public:
  void take(uint64_t tag, bool multiple) {
    if (multiple) {
      mark_ = std::max(mark_, tag);
    } else {
      single_.insert(tag);
    }
    single_.erase(single_.begin(), single_.upper_bound(mark_));
    while (!single_.empty() && *single_.begin() == mark_ + 1) {
      single_.erase(single_.begin());
      ++mark_;
    }
  }
  int64_t count() const { return static_cast<int64_t>(mark_ + single_.size()); }

 private:
  uint64_t mark_ = 0;
  std::set<uint64_t> single_;
};

// Reads frames until no more than `window` of the `sent` messages lack their confirm.
void await_confirms(amqp_connection_state_t state, int64_t sent, int64_t window, Confirms& confirms) {
  while (sent - confirms.count() > window) {
    const amqp_frame_t frame = amqp_next_frame(state);
    if (frame.frame_type != AMQP_FRAME_METHOD) continue;
    if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) die("a message was returned or refused");
    const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    confirms.take(ack->delivery_tag, ack->multiple != 0);
    amqp_maybe_release_buffers(state);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  const std::string queue = arguments.text("queue");
  const int64_t batch = arguments.number("batch", 100);
  const int64_t window = arguments.number("window", 800);
  const int64_t first = arguments.number("first", 0);
  amqp_connection_state_t state = amqp_open(arguments.text("amqp"));
  if (arguments.has("delete")) {
    amqp_queue_delete(state, kChannel, amqp_bytes(queue), 0, 0);
    must(amqp_get_rpc_reply(state), "queue.delete");
    amqp_end(state);
    std::printf("{}\n");
    return 0;
  }
  const int64_t count = arguments.number("count");
  amqp_table_entry_t type = {amqp_cstring_bytes("x-queue-type"), {}};
  type.value.kind = AMQP_FIELD_KIND_UTF8;
  type.value.value.bytes = amqp_cstring_bytes(arguments.number("quorum", 1) != 0 ? "quorum" : "classic");
  const amqp_boolean_t passive = count == 0 ? 1 : 0;
  const amqp_queue_declare_ok_t* declared =
      amqp_queue_declare(state, kChannel, amqp_bytes(queue), passive, 1, 0, 0, {1, &type});
  must(amqp_get_rpc_reply(state), "queue.declare");
  if (count == 0) {
    std::printf("{\"depth\": %u}\n", declared->message_count);
    amqp_end(state);
    return 0;
  }
  amqp_confirm_select(state, kChannel);
  must(amqp_get_rpc_reply(state), "confirm.select");

  const EventTemplate event;
  std::string body = event.text();
  amqp_basic_properties_t properties = {};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.content_type = amqp_cstring_bytes("application/cloudevents+json");
  properties.delivery_mode = 2;
  Confirms confirms;
  const double started = seconds_now();
  for (int64_t sent = 0; sent < count;) {
    for (int64_t i = 0; i < batch && sent < count; ++i, ++sent) {
      event.stamp(body.data(), static_cast<uint64_t>(first + sent));
      const int done = amqp_basic_publish(state, kChannel, amqp_empty_bytes, amqp_bytes(queue), 1, 0,
                                          &properties, amqp_bytes(body));
      if (done != AMQP_STATUS_OK) die(std::string("basic.publish: ") + amqp_error_string2(done));
    }
    // The next batch goes out once the window has room for it.
    await_confirms(state, sent, std::max<int64_t>(window - batch, 0), confirms);
  }
  await_confirms(state, count, 0, confirms);
  print_result(count, seconds_now() - started);
  amqp_end(state);
  return 0;
}
