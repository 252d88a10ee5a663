// What the reply codes of AMQP and the results of librabbitmq mean: the one table. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::amqp {

// A channel.close, connection.close or basic.return with `code` and the broker's `text`. `where` begins the message.
// With 403 a name that AMQP keeps for itself is kConfig, everything else kDenied. With 406 the text says more than the code: it stands for a queue declared with other arguments (kConfig), for a message
// that is too large (kReject), and for an acknowledgement that came too late (kRetry).
Error close_error(int code, std::string_view text, std::string_view where);

// A result of librabbitmq (amqp_status_enum) while doing `what` ("connecting", "waiting for confirms").
Error library_error(int status, std::string_view what, std::string_view where);

}  // namespace tidemark::amqp
