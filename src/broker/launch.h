// How a private RabbitMQ is started: its data, log and home in a folder of its own, its ports on the loopback interface,
// nothing of the machine's own broker touched. It runs as whoever starts it, root or not, and needs no epmd. The demo has one,
// and so do tests; who spawns the process owns it. Stateless; any thread.
//
// What is started is Erlang itself instead of the script rabbitmq-server, which changes the user, reads /etc and puts a
// shell in between: so kill -9 is a crash, and SIGTERM a clean stop. It answers some seconds after its start.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "env/file_system.h"

namespace tidemark::broker {

// The broker's name, which its folders of data bear too.
inline constexpr const char* kNode = "tidemark@127.0.0.1";

struct Ports {
  int amqp = 0;
  int distribution = 0;  // of Erlang's nodes
};

struct Launch {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;  // in place of the parent's
};

// kConfig, saying how to get it, when no RabbitMQ is installed.
Status installed();

// Writes what the broker reads into `folder`, which is created, and says how to start it. Done again for the same folder and
// ports, the broker comes back with its data. `settings` are further lines of rabbitmq.conf. REQUIRES installed().
Result<Launch> prepare(FileSystem& files, const std::string& folder, const Ports& ports,
                       const std::map<std::string, std::string>& settings = {});

}  // namespace tidemark::broker
