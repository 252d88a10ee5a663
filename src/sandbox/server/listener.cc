#include "sandbox/server/listener.h"

#include <atomic>
#include <list>
#include <thread>

#include <boost/asio.hpp>
#include <sys/socket.h>

#include "base/mutex.h"

namespace tidemark::sandbox {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

tl::unexpected<Error> cannot(const char* what, const std::string& address, uint16_t port,
                             const boost::system::error_code& error) {
  return fail(React::kConfig,
              std::string("sandbox: can't ") + what + " " + address + ":" + std::to_string(port) + ": " +
                  error.message(),
              "choose another --port, or 0 for free ones");
}

Result<tcp::endpoint> endpoint_of(const std::string& address, uint16_t port) {
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return cannot("use the address", address, port, error);
  return tcp::endpoint(ip, port);
}

class AsioReservation final : public PortReservation {
 public:
  explicit AsioReservation(asio::io_context& context) : socket_(context) {}
  uint16_t port() const override { return port_; }

  Status bind(const std::string& address, uint16_t port) {
    TIDEMARK_ASSIGN(const tcp::endpoint endpoint, endpoint_of(address, port));
    boost::system::error_code error;
    if (socket_.open(endpoint.protocol(), error); error)
      return cannot("open a socket for", address, port, error);
    socket_.set_option(tcp::socket::reuse_address(true), error);
    if (socket_.bind(endpoint, error); error) return cannot("bind to", address, port, error);
    port_ = socket_.local_endpoint(error).port();
    return {};
  }

 private:
  tcp::socket socket_;
  uint16_t port_ = 0;
};

// Asio's context for sockets that are only used synchronously: it runs nothing.
asio::io_context& context() {
  static asio::io_context shared;
  return shared;
}

struct Connection final : Socket {
  explicit Connection(tcp::socket accepted) : socket(std::move(accepted)) {}

  bool read(std::span<uint8_t> into) override {
    boost::system::error_code error;
    asio::read(socket, asio::buffer(into.data(), into.size()), error);
    return !error;
  }
  bool write(std::span<const uint8_t> first, std::span<const uint8_t> second) override {
    boost::system::error_code error;
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(first.data(), first.size()),
                                                       asio::buffer(second.data(), second.size())};
    asio::write(socket, buffers, error);
    return !error;
  }
  std::string peer() const override { return name; }

  tcp::socket socket;
  std::string name;
  std::atomic<bool> done{false};
  std::jthread thread;
};

class AsioListener final : public Listener {
 public:
  AsioListener(size_t connections_max, Serve serve)
      : connections_max_(connections_max), serve_(std::move(serve)), acceptor_(context()) {}

  ~AsioListener() override {
    close();
    if (accepting_.joinable()) accepting_.join();
    // Nobody adds connections any more; their threads end because their sockets are cut.
    MutexLock lock(mutex_);
    connections_.clear();
  }

  Status start(const std::string& address, uint16_t port) {
    TIDEMARK_ASSIGN(const tcp::endpoint endpoint, endpoint_of(address, port));
    boost::system::error_code error;
    if (acceptor_.open(endpoint.protocol(), error); error)
      return cannot("open a socket for", address, port, error);
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (acceptor_.bind(endpoint, error); error) return cannot("bind to", address, port, error);
    if (acceptor_.listen(asio::socket_base::max_listen_connections, error); error)
      return cannot("listen on", address, port, error);
    accepting_ = std::jthread([this] { accept_loop(); });
    return {};
  }

  void close() override {
    MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    // shutdown(2), unlike close(2), wakes the thread that waits in accept or read, and leaves the descriptor its own.
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    for (auto& connection : connections_) cut(*connection);
  }

  bool finished() const override {
    MutexLock lock(mutex_);
    if (!closed_ || !accept_done_) return false;
    for (const auto& connection : connections_)
      if (!connection->done) return false;
    return true;
  }

 private:
  void cut(Connection& connection) {
    connection.thread.request_stop();
    if (!connection.done) ::shutdown(connection.socket.native_handle(), SHUT_RDWR);
  }

  void accept_loop() {
    while (true) {
      boost::system::error_code error;
      tcp::socket accepted(context());
      acceptor_.accept(accepted, error);
      if (error == asio::error::connection_aborted || error == asio::error::interrupted) continue;
      if (error || !take_in(std::move(accepted))) break;
    }
    MutexLock lock(mutex_);
    accept_done_ = true;
  }

  // False once closed.
  bool take_in(tcp::socket accepted) {
    boost::system::error_code ignored;
    accepted.set_option(tcp::no_delay(true), ignored);
    auto connection = std::make_unique<Connection>(std::move(accepted));
    const auto remote = connection->socket.remote_endpoint(ignored);
    connection->name = remote.address().to_string() + ":" + std::to_string(remote.port());
    MutexLock lock(mutex_);
    if (closed_) return false;
    connections_.remove_if([](const auto& old) { return old->done.load(); });
    // A connection too many is closed without a word, as a server out of descriptors does.
    if (connections_.size() >= connections_max_) return true;
    Connection* self = connection.get();
    connections_.push_back(std::move(connection));
    self->thread = std::jthread([this, self](std::stop_token stop) {
      serve_(*self, stop);
      ::shutdown(self->socket.native_handle(), SHUT_RDWR);
      self->done = true;
    });
    return true;
  }

  const size_t connections_max_;
  const Serve serve_;
  tcp::acceptor acceptor_;
  mutable Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
  bool accept_done_ GUARDED_BY(mutex_) = false;
  std::list<std::unique_ptr<Connection>> connections_ GUARDED_BY(mutex_);
  std::jthread accepting_;
};

}  // namespace

Result<std::unique_ptr<PortReservation>> PortReservation::reserve(const std::string& address, uint16_t port) {
  auto reservation = std::make_unique<AsioReservation>(context());
  TIDEMARK_TRY(reservation->bind(address, port));
  return std::unique_ptr<PortReservation>(std::move(reservation));
}

Result<std::unique_ptr<Listener>> Listener::open(const std::string& address, uint16_t port,
                                                 size_t connections_max, Serve serve) {
  auto listener = std::make_unique<AsioListener>(connections_max, std::move(serve));
  TIDEMARK_TRY(listener->start(address, port));
  return std::unique_ptr<Listener>(std::move(listener));
}

}  // namespace tidemark::sandbox
