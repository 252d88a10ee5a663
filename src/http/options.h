// The [server] table: what it takes, checked, as plain values. No thread of its own; a value that is copied.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "env/file_system.h"
#include "http/url.h"

namespace tidemark::http {

// Both empty = plain HTTP.
struct TlsPair {
  std::string certificate_pem;
  std::string key_pem;
  friend bool operator==(const TlsPair&, const TlsPair&) = default;
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address, or "localhost"
  uint16_t port = 0;               // 0 = a free one; Server::port() tells it
  std::string token;               // empty = nobody is asked for one
  bool insecure = false;
  TlsPair tls_pair;
  // Reads the pair again from where it came from; empty where it came from no file. Used while the server runs.
  std::function<Result<TlsPair>()> reread_tls;
  std::vector<std::string> allowed_origins;
  bool metrics_open = false;
  std::vector<Url> peers;
  std::string peer_token;

  uint64_t body_bytes_max = 4 << 20;
  uint64_t bodies_bytes_max = 256 << 20;  // of all requests being read together
  uint64_t header_bytes_max = 16 << 10;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds request_timeout{15'000};
  std::chrono::milliseconds ws_stall_timeout{60'000};
  uint64_t connections_max = 1024;
  uint64_t websockets_max = 256;

  // Not of the file; the program sets them.
  std::string version;  // "0.1.0"
  std::string
      instance;  // differs from start to start, so that a page knows a new process; empty = made from the clock

  bool tls() const { return !tls_pair.certificate_pem.empty(); }
};

const config::ComponentSpec& server_spec();

// Reads the certificate and the key, from `files`, which outlives the options. Every error is kConfig and names its field;
// none shows a secret.
Result<ServerOptions> server_options(const config::Settings& settings, FileSystem& files);

// Whether `host` names this machine alone: 127.0.0.0/8, ::1, localhost.
bool is_loopback(const std::string& host);

}  // namespace tidemark::http
