// Posts batches of CloudEvents over connections that are kept open, from one thread, with as little work as that takes.
//   --port P --count N [--batch 100] [--connections 8] [--first N] [--path /events]
//   --rate R    at R events a second, on a schedule that a late answer doesn't shift: latency is counted from when a
//               request was due, not from when a connection became free for it
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "peers/event.h"
#include "peers/peer.h"

using tidemark::bench::Arguments;
using tidemark::bench::die;
using tidemark::bench::seconds_now;

namespace {

constexpr double kPatienceSeconds = 60;

// One connection: a request under way, or none.
class Client {
 public:
  Client(int port, const std::string& path, int64_t batch) : batch_(batch) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      die("no server at the port");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    request_ = "[";
    for (int64_t i = 0; i < batch; ++i) request_ += (i > 0 ? "," : "") + event_.text();
    request_ += "]";
    const std::string head = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                             "\r\nContent-Type: application/cloudevents-batch+json\r\nContent-Length: " +
                             std::to_string(request_.size()) + "\r\n\r\n";
    events_at_ = head.size() + 1;
    request_ = head + request_;
  }
  ~Client() { close(fd_); }

  int fd() const { return fd_; }
  bool busy() const { return busy_; }
  bool sending() const { return busy_ && sent_ < request_.size(); }
  double due() const { return due_; }

  void begin(int64_t first, double due) {
    for (int64_t i = 0; i < batch_; ++i)
      event_.stamp(request_.data() + events_at_ + static_cast<size_t>(i) * (event_.text().size() + 1),
                   static_cast<uint64_t>(first + i));
    sent_ = 0;
    busy_ = true;
    due_ = due;
    answer_.clear();
    write();
  }
  void write() {
    while (sending()) {
      const ssize_t count =
          send(fd_, request_.data() + sent_, request_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno == EAGAIN) return;
      if (count <= 0) die("the server closed a connection");
      sent_ += static_cast<size_t>(count);
    }
  }
  // True once the answer is whole. Any other than 202 ends the program: what is measured is the work, not refusals.
  bool read() {
    char bytes[4096];
    const ssize_t count = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) die("the server closed a connection");
    answer_.append(bytes, static_cast<size_t>(count));
    const size_t end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    if (answer_.compare(9, 3, "202") != 0) die("not accepted: " + answer_);
    if (answer_.size() < end + 4 + body_length(end)) return false;
    busy_ = false;
    return true;
  }

 private:
  size_t body_length(size_t end) const {
    for (const char* name : {"Content-Length: ", "content-length: "}) {
      const size_t at = answer_.find(name);
      if (at < end) return static_cast<size_t>(std::atoll(answer_.c_str() + at + std::strlen(name)));
    }
    return 0;
  }

  const tidemark::bench::EventTemplate event_;
  const int64_t batch_;
  int fd_ = -1;
  std::string request_, answer_;
  size_t events_at_ = 0, sent_ = 0;
  bool busy_ = false;
  double due_ = 0;
};

class Load {
 public:
  explicit Load(const Arguments& arguments)
      : count_(arguments.number("count")),
        batch_(arguments.number("batch", 100)),
        first_(arguments.number("first", 0)),
        rate_(static_cast<double>(arguments.number("rate", 0))) {
    const std::string path = arguments.has("path") ? arguments.text("path") : "/events";
    for (int64_t i = 0; i < arguments.number("connections", 8); ++i)
      clients_.push_back(std::make_unique<Client>(static_cast<int>(arguments.number("port")), path, batch_));
  }

  void run() {
    started_ = seconds_now();
    while (done_ < count_) {
      begin_what_is_due();
      wait();
    }
    seconds_ = seconds_now() - started_;
  }

  void print() {
    std::sort(ms_.begin(), ms_.end());
    const auto at = [&](double share) {
      return ms_[std::min(ms_.size() - 1, static_cast<size_t>(share * static_cast<double>(ms_.size())))];
    };
    std::printf(
        "{\"events\": %lld, \"seconds\": %.6f, \"events_per_second\": %.1f, \"cpu_us_per_event\": %.3f, "
        "\"peak_rss_mb\": %.1f, \"requests\": %zu, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f}\n",
        static_cast<long long>(done_), seconds_, static_cast<double>(done_) / seconds_,
        1e6 * tidemark::bench::cpu_seconds() / static_cast<double>(done_), tidemark::bench::peak_rss_mb(),
        ms_.size(), at(0.5), at(0.99), ms_.back());
  }

 private:
  double due(int64_t event) const {
    return rate_ > 0 ? started_ + static_cast<double>(event) / rate_ : seconds_now();
  }
  void begin_what_is_due() {
    for (auto& client : clients_) {
      if (client->busy() || begun_ >= count_) continue;
      const double when = due(begun_);
      if (when > seconds_now()) return;
      client->begin(first_ + begun_, when);
      begun_ += batch_;
    }
  }
  void wait() {
    fds_.clear();
    bool free = false;
    for (const auto& client : clients_) {
      const short events = client->sending() ? POLLIN | POLLOUT : POLLIN;
      fds_.push_back({client->fd(), events, 0});
      free = free || !client->busy();
    }
    double seconds = kPatienceSeconds;
    if (free && begun_ < count_) seconds = std::clamp(due(begun_) - seconds_now(), 0.0, kPatienceSeconds);
    if (poll(fds_.data(), fds_.size(), static_cast<int>(std::ceil(1e3 * seconds))) == 0 &&
        seconds == kPatienceSeconds)
      die("no answer in a minute");
    for (size_t i = 0; i < clients_.size(); ++i) {
      if ((fds_[i].revents & POLLOUT) != 0) clients_[i]->write();
      if ((fds_[i].revents & ~POLLOUT) != 0 && clients_[i]->read()) {
        ms_.push_back(1e3 * (seconds_now() - clients_[i]->due()));
        done_ += batch_;
      }
    }
  }

  const int64_t count_, batch_, first_;
  const double rate_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<pollfd> fds_;
  std::vector<double> ms_;
  int64_t begun_ = 0, done_ = 0;
  double started_ = 0, seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Load load{Arguments(argc, argv)};
  load.run();
  load.print();
  return 0;
}
