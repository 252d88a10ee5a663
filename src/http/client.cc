#include "http/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "http/stream.h"

namespace tidemark::http {
namespace {

constexpr int kHttp11 = 11;

// One exchange, from the name to the answer. Runs its own io_context on the caller's thread.
class Exchange {
 public:
  Exchange(const Url& server, const ClientRequest& request)
      : server_(server),
        request_(request),
        strand_(asio::make_strand(io_)),
        resolver_(strand_),
        tls_(asio::ssl::context::tls_client) {
    message_.version(kHttp11);
    message_.method_string(request.method);
    message_.target(request.target);
    message_.set(beast::http::field::host, server.authority());
    message_.set(beast::http::field::user_agent, "tidemark");
    message_.set(beast::http::field::connection, "close");
    if (!request.token.empty()) message_.set(beast::http::field::authorization, "Bearer " + request.token);
    if (!request.body.empty()) {
      message_.set(beast::http::field::content_type, "application/json");
      message_.set("X-Tidemark-Request", "1");
      message_.body() = request.body;
    }
    for (const auto& [name, value] : request.headers) message_.set(name, value);
    message_.prepare_payload();
    parser_.body_limit(request.body_bytes_max);
  }

  Result<ClientAnswer> run(const std::stop_token& stop) {
    if (Status ready = prepare(); !ready) return fail(std::move(ready).error());
    resolve();
    const std::stop_callback cancel(stop, [this] { io_.stop(); });
    io_.run_for(request_.timeout);
    if (stop.stop_requested()) return fail(React::kCancelled, server_.text + ": stopped");
    if (!done_)
      return fail(React::kRetry, server_.text + " doesn't answer within " +
                                     std::to_string(request_.timeout.count()) + " ms");
    if (error_) return fail(React::kRetry, server_.text + " can't be asked: " + error_.message());
    return ClientAnswer{static_cast<int>(parser_.get().result_int()), std::move(parser_.get().body())};
  }

 private:
  Status prepare() {
    if (!server_.tls) return {};
    ErrorCode error;
    tls_.set_default_verify_paths(error);
    if (error)
      return fail(React::kFatal,
                  server_.text + ": the machine's certificates can't be read: " + error.message());
    tls_.set_verify_mode(asio::ssl::verify_peer, error);
    return {};
  }

  void resolve() {
    resolver_.async_resolve(server_.host, std::to_string(server_.port),
                            [this](ErrorCode error, const asio::ip::tcp::resolver::results_type& found) {
                              if (error) return finish(error);
                              connect(found);
                            });
  }

  void connect(const asio::ip::tcp::resolver::results_type& found) {
    stream_.emplace(Socket(strand_), server_.tls ? &tls_ : nullptr);
    asio::async_connect(stream_->next_layer(), found,
                        [this](ErrorCode error, const asio::ip::tcp::endpoint&) {
                          if (error) return finish(error);
                          if (stream_->tls() == nullptr) return write();
                          handshake();
                        });
  }

  void handshake() {
    auto& tls = *stream_->tls();
    if (SSL_set_tlsext_host_name(tls.native_handle(), server_.host.c_str()) != 1)
      return finish(asio::error::invalid_argument);
    tls.set_verify_callback(asio::ssl::host_name_verification(server_.host));
    tls.async_handshake(asio::ssl::stream_base::client, [this](ErrorCode error) {
      if (error) return finish(error);
      write();
    });
  }

  void write() {
    beast::http::async_write(*stream_, message_, [this](ErrorCode error, size_t) {
      if (error) return finish(error);
      read();
    });
  }

  void read() {
    beast::http::async_read(*stream_, buffer_, parser_, [this](ErrorCode error, size_t) { finish(error); });
  }

  void finish(ErrorCode error) {
    error_ = error;
    done_ = true;
  }

  const Url& server_;
  const ClientRequest& request_;
  asio::io_context io_;
  Strand strand_;
  asio::ip::basic_resolver<asio::ip::tcp, Strand> resolver_;
  asio::ssl::context tls_;
  std::optional<Stream> stream_;
  beast::http::request<beast::http::string_body> message_;
  beast::http::response_parser<beast::http::string_body> parser_;
  beast::flat_buffer buffer_;
  ErrorCode error_;
  bool done_ = false;
};

}  // namespace

Result<ClientAnswer> ask(const Url& server, const ClientRequest& request, std::stop_token stop) {
  return Exchange(server, request).run(stop);
}

}  // namespace tidemark::http
