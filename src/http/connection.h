// One HTTP connection: request after request, until it ends or becomes a WebSocket. Keeps itself alive by its pending
// operations; everything runs on its strand.
#pragma once

#include <memory>

#include "http/core.h"
#include "http/stream.h"

namespace tidemark::http {

// `core` owns the io_context that the socket belongs to; a reply that comes when the server is gone finds it by this.
void start_connection(const std::shared_ptr<Core>& core, Socket socket);

}  // namespace tidemark::http
