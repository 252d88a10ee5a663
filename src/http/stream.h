// A TCP connection with or without TLS as one type, so that everything above is compiled once. Only the .cc files that
// speak HTTP or WebSocket include this. One thread at a time: the strand it was made with.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
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
    return asio::async_initiate<Handler, void(ErrorCode, size_t)>(
        [this](auto&& completion, const BufferList<asio::mutable_buffer>& list) {
          read_some(list, Completion(std::forward<decltype(completion)>(completion)));
        },
        handler, BufferList<asio::mutable_buffer>(buffers));
  }
  template <class Buffers, class Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(ErrorCode, size_t)>(
        [this](auto&& completion, const BufferList<asio::const_buffer>& list) {
          write_some(list, Completion(std::forward<decltype(completion)>(completion)));
        },
        handler, BufferList<asio::const_buffer>(buffers));
  }

 private:
  // The handlers' and buffers' own types end here: behind this line TCP and TLS are compiled once (stream.cc), not once for
  // each of Beast's operations, which took a minute of compiling. It costs an allocation an operation of the network.
  using Completion = asio::any_completion_handler<void(ErrorCode, size_t)>;

  // The first few of a sequence of buffers; "some" may always be less than what was given.
  template <class Buffer>
  class BufferList {
   public:
    using value_type = Buffer;
    using const_iterator = const Buffer*;

    template <class Buffers>
    explicit BufferList(const Buffers& buffers) {
      const auto end = asio::buffer_sequence_end(buffers);
      for (auto at = asio::buffer_sequence_begin(buffers); at != end && count_ < items_.size(); ++at)
        items_[count_++] = Buffer(*at);
    }
    const_iterator begin() const { return items_.data(); }
    const_iterator end() const { return items_.data() + count_; }

   private:
    std::array<Buffer, 16> items_;
    size_t count_ = 0;
  };

  void read_some(const BufferList<asio::mutable_buffer>& buffers, Completion completion);
  void write_some(const BufferList<asio::const_buffer>& buffers, Completion completion);

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
