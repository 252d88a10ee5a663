// The three kinds of frames that a published message is, written into a buffer. Many messages go out in one write that way,
// where librabbitmq makes three for each. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "amqp/types.h"
#include "base/result.h"

namespace tidemark::amqp {

// Appends basic.publish (mandatory), the content header (delivery mode 2) and the body in frames of at most `frame_max`
// bytes. kReject when the names or the headers are too large for AMQP; `out` is as it was then.
Status append_publish(std::string& out, uint16_t channel, const Message& message, size_t frame_max);

}  // namespace tidemark::amqp
