// A TCP connection with or without TLS as one type, so that everything above is compiled once. Only the .cc files that
// speak HTTP or WebSocket include this. One thread at a time: the strand it was made with.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>

namespace tidemark::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;
using Strand = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Strand>;

class Stream {
 public:
  using executor_type = Socket::executor_type;
  using next_layer_type = Socket;
  using lowest_layer_type = Socket;
  using Tls = asio::ssl::stream<Socket&>;

  // `tls` is null for plain TCP; else it outlives the stream.
  Stream(Socket socket, asio::ssl::context* tls) : socket_(std::make_unique<Socket>(std::move(socket))) {
    if (tls != nullptr) tls_ = std::make_unique<Tls>(*socket_, *tls);
  }

  executor_type get_executor() { return socket_->get_executor(); }
  Socket& next_layer() { return *socket_; }
  const Socket& next_layer() const { return *socket_; }
  // Null for plain TCP.
  Tls* tls() { return tls_.get(); }

  template <class Buffers, class Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    return socket_->async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    return socket_->async_write_some(buffers, std::forward<Handler>(handler));
  }

 private:
  // Behind pointers, so that the TLS layer's reference stays good when the stream is moved.
  std::unique_ptr<Socket> socket_;
  std::unique_ptr<Tls> tls_;
};

// Beast calls these when a WebSocket has ended. TLS' own farewell is left out: the closing frames were the farewell, and
// a client that takes nothing must not hold the connection.
template <class Handler>
void async_teardown(beast::role_type role, Stream& stream, Handler&& handler) {
  beast::websocket::async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
}
inline void teardown(beast::role_type role, Stream& stream, ErrorCode& error) {
  beast::websocket::teardown(role, stream.next_layer(), error);
}

}  // namespace tidemark::http
