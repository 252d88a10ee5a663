// The life of one connection: read a message, run its command, write the reply; again, until either side is gone.
// Runs on the connection's thread.
#pragma once

#include "sandbox/server/listener.h"
#include "sandbox/server/node.h"

namespace tidemark::sandbox {

void serve_connection(Cluster& cluster, Node& node, Socket& socket, std::stop_token stop);

}  // namespace tidemark::sandbox
