// The server's certificate: until when it is good, and the files it comes from, which are read again while the server runs,
// so that a renewed one is served without a restart. Used by the thread that accepts connections; owned by the Server.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <boost/asio/ssl/context.hpp>

#include "base/result.h"
#include "http/options.h"

namespace tidemark::http {

// From when and until when the first certificate of a PEM text is good (X.509 validity, RFC 5280 section 4.1.2.5), in
// milliseconds since 1970.
struct Validity {
  int64_t from_ms = 0;
  int64_t until_ms = 0;
};
Result<Validity> validity_of(const TlsPair& pair);

// kConfig for a certificate that no client would take now: expired, or not good yet.
Status check_validity(const TlsPair& pair, int64_t now_ms);

class ServerCertificate {
 public:
  // `until_ms` is kept at the end of the certificate in use; it outlives this.
  ServerCertificate(const ServerOptions& options, std::atomic<int64_t>& until_ms)
      : options_(options), until_ms_(until_ms) {}

  // kConfig when the certificate can't be used.
  Status load(int64_t now_ms);
  // Reads the files again, at most once a minute, and says what it found: a renewed pair is used for the connections that
  // come from now on; a pair that can't be used is not; a certificate that is about to expire, or has, is named once a day.
  void look(int64_t now_ms);

  // What connections are made with; null = plain HTTP. A connection keeps what it needs of it.
  boost::asio::ssl::context* context() const { return context_.get(); }

 private:
  Status use(const TlsPair& pair, int64_t now_ms);

  const ServerOptions& options_;
  std::atomic<int64_t>& until_ms_;
  TlsPair pair_;
  TlsPair refused_;  // named already
  std::unique_ptr<boost::asio::ssl::context> context_;
  int64_t looked_ms_ = 0;
  int64_t said_ms_ = 0;
};

}  // namespace tidemark::http
