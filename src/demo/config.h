// The two configurations of the demo, one for each of its processes. Pure.
#pragma once

#include <string>

namespace tidemark::demo {

// Where the demo's servers are.
struct Addresses {
  std::string mongodb;    // connection URI
  std::string amqp_file;  // a file with the broker's URI, since that holds a password
  int page_port = 0;
  int worker_port = 0;
  std::string database_path;  // of the archive, a SQLite file
};

inline constexpr const char* kInletPath = "/events";
inline constexpr const char* kArchive = "archive";  // the pipeline into SQLite
inline constexpr const char* kProcess = "process";
inline constexpr const char* kObserve = "observe";
inline constexpr const char* kDatabase = "planes";
inline constexpr const char* kCollection = "events";
inline constexpr const char* kTable = "events";
// What the page's feed calls itself to the deployment, so that a fault can be meant for it alone.
inline constexpr const char* kFeedAppName = "tidemark-feed";

// The process with the page: HTTP -> RabbitMQ, and MongoDB -> the live page.
std::string front_config(const Addresses& addresses);
// The process that is killed with -9: RabbitMQ -> classified -> MongoDB, and MongoDB -> SQLite.
std::string worker_config(const Addresses& addresses);

}  // namespace tidemark::demo
