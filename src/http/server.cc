#include "http/server.h"

#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/digest.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/session.h"

namespace tidemark::http {
namespace {

constexpr int kIoThreads = 2;
constexpr std::chrono::milliseconds kTick{250};
constexpr std::chrono::milliseconds kAcceptPause{100};
// What WebSocket clients get to answer the farewell.
constexpr std::chrono::milliseconds kFarewell{500};

tl::unexpected<Error> cannot(const char* what, const ServerOptions& options, const ErrorCode& error) {
  return fail(React::kConfig,
              std::string("server: can't ") + what + " " + options.host + ":" + std::to_string(options.port) +
                  ": " + error.message(),
              "choose another address or port in [server] listen");
}

// Not a secret, and not guessed at by anybody who matters: it tells one start from another.
std::string make_instance(const ServerOptions& options, Clock& clock) {
  if (!options.instance.empty()) return options.instance;
  const Sha256 hash =
      sha256(std::to_string(clock.wall_ms()) + "/" + std::to_string(clock.now().time_since_epoch().count()));
  return to_hex({hash.data(), 8});
}

class AsioServer final : public Server {
 public:
  AsioServer(std::shared_ptr<Core> core)
      : core_(std::move(core)),
        work_(asio::make_work_guard(core_->io)),
        accept_strand_(asio::make_strand(core_->io)),
        acceptor_(accept_strand_),
        pause_(accept_strand_),
        tick_(accept_strand_) {}

  ~AsioServer() override { close(); }

  Status open() {
    TIDEMARK_TRY(core_->certificate.load(core_->clock.wall_ms()));
    const ServerOptions& options = core_->options;
    ErrorCode error;
    const auto address = options.host == "localhost" ? asio::ip::address(asio::ip::address_v4::loopback())
                                                     : asio::ip::make_address(options.host, error);
    if (error) return cannot("use the address", options, error);
    const asio::ip::tcp::endpoint endpoint(address, options.port);
    if (acceptor_.open(endpoint.protocol(), error); error) return cannot("open a socket for", options, error);
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (acceptor_.bind(endpoint, error); error) return cannot("bind to", options, error);
    if (acceptor_.listen(asio::socket_base::max_listen_connections, error); error)
      return cannot("listen on", options, error);
    port_ = acceptor_.local_endpoint(error).port();
    return {};
  }

  void start() {
    for (const auto& feed : core_->feeds) feed->on_growth([this] { on_growth(); });
    asio::post(accept_strand_, [this] {
      accept();
      tick();
    });
    for (int i = 0; i < kIoThreads; ++i) threads_.emplace_back([this] { core_->io.run(); });
  }

  uint16_t port() const override { return port_; }

  std::string url() const override {
    const ServerOptions& options = core_->options;
    const Url address{.tls = options.tls(), .host = options.host, .port = port_, .text = {}};
    return (address.tls ? "https://" : "http://") + address.authority();
  }

  void stop_accepting() override {
    if (core_->stopping.exchange(true)) return;
    asio::post(accept_strand_, [this] {
      ErrorCode ignored;
      acceptor_.close(ignored);
      pause_.cancel();
    });
    for (const auto& inlet : core_->inlets) inlet->refuse();
  }

  bool drained() const override { return core_->in_flight.count() == 0; }
  bool wait_drained(std::chrono::milliseconds timeout) override {
    return core_->in_flight.wait_none(timeout);
  }

  void close() override {
    if (closed_ || threads_.empty()) return;
    closed_ = true;
    stop_accepting();
    for (const auto& feed : core_->feeds) feed->on_growth({});
    for (const auto& session : core_->sessions.all()) session->go_away();
    core_->sessions.wait_empty(kFarewell);
    core_->pool.close();
    core_->io.stop();
    threads_.clear();
  }

  ServerGauges gauges() const override {
    const Counters& counters = core_->counters;
    return {.connections = counters.connections,
            .websockets = counters.websockets,
            .websocket_bytes_queued = counters.websocket_bytes_queued,
            .body_bytes = counters.body_bytes,
            .feed_missed = counters.feed_missed,
            .requests_in_flight = core_->in_flight.count()};
  }

 private:
  void accept() {
    if (core_->stopping) return;
    acceptor_.async_accept(asio::make_strand(core_->io), [this](ErrorCode error, Socket socket) {
      if (core_->stopping || error == asio::error::operation_aborted) return;
      if (error) return pause(error);
      take(std::move(socket));
      accept();
    });
  }

  // Out of file descriptors, most likely: they come back as connections end.
  void pause(const ErrorCode& error) {
    log::warn("server: can't accept a connection: {}", error.message());
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](ErrorCode cancelled) {
      if (!cancelled) accept();
    });
  }

  void take(Socket socket) {
    Counters& counters = core_->counters;
    if (counters.connections >= static_cast<int64_t>(core_->options.connections_max)) {
      ++counters.refused_connections;
      return turn_away(std::move(socket));
    }
    start_connection(core_, std::move(socket));
  }

  // As far as the socket's buffer takes it: nobody waits for a client that is one too many.
  void turn_away(Socket socket) {
    if (core_->certificate.context() != nullptr) return;
    Response response = problem(503, "there are too many connections");
    response.headers.emplace_back("Retry-After", "1");
    const std::string text = render_head(response, false, core_->clock.wall_ms()) + response.body;
    ErrorCode ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
    socket.shutdown(Socket::shutdown_send, ignored);
  }

  void tick() {
    core_->certificate.look(core_->clock.wall_ms());
    if (!core_->sessions.empty()) {
      core_->hub.look();
      wake_all();
    }
    tick_.expires_after(kTick);
    tick_.async_wait([this](ErrorCode cancelled) {
      if (!cancelled) tick();
    });
  }

  void wake_all() {
    for (const auto& session : core_->sessions.all()) session->wake();
  }

  // On a sink's thread: many calls make one round of waking.
  void on_growth() {
    if (growing_.exchange(true)) return;
    asio::post(core_->io, [this] {
      growing_ = false;
      wake_all();
    });
  }

  const std::shared_ptr<Core> core_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  Strand accept_strand_;
  asio::basic_socket_acceptor<asio::ip::tcp, Strand> acceptor_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Strand>
      pause_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Strand>
      tick_;
  uint16_t port_ = 0;
  std::atomic<bool> growing_{false};
  bool closed_ = false;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options, Backend& backend,
                                               std::vector<std::shared_ptr<Inlet>> inlets,
                                               std::vector<std::shared_ptr<Feed>> feeds, Clock& clock) {
  std::string instance = make_instance(options, clock);
  auto core = std::make_shared<Core>(std::move(options), backend, std::move(inlets), std::move(feeds), clock,
                                     std::move(instance));
  core->counters.started_ms = clock.wall_ms();
  auto server = std::make_unique<AsioServer>(std::move(core));
  TIDEMARK_TRY(server->open());
  server->start();
  return server;
}

}  // namespace tidemark::http
