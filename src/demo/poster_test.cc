#include "demo/poster.h"

#include <deque>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "env/posix/clock.h"

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr const char* kAccepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
constexpr const char* kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy";
constexpr const char* kBad = "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad";
constexpr const char* kHangUp = "";

// Answers each request with the next of its answers, and with 202 once there are none left. The empty answer closes the
// connection instead.
class CannedServer {
 public:
  explicit CannedServer(std::deque<std::string> answers) : answers_(std::move(answers)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 8);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~CannedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  int port() const { return port_; }
  std::vector<std::string> bodies() const {
    MutexLock lock(mutex_);
    return bodies_;
  }

 private:
  void serve() {
    for (int fd = 0; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(fd))
      while (answer_one(fd)) {
      }
  }
  bool answer_one(int fd) {
    std::string request;
    size_t head = 0, length = 0;
    while (head == 0 || request.size() < head + length) {
      char bytes[4096];
      const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      request.append(bytes, static_cast<size_t>(got));
      if (head != 0 || request.find("\r\n\r\n") == std::string::npos) continue;
      head = request.find("\r\n\r\n") + 4;
      const size_t at = request.find("Content-Length: ");
      length = at < head ? std::stoul(request.substr(at + 16)) : 0;
    }
    MutexLock lock(mutex_);
    bodies_.push_back(request.substr(head));
    const std::string answer = answers_.empty() ? kAccepted : answers_.front();
    if (!answers_.empty()) answers_.pop_front();
    return !answer.empty() && ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
  }

  int listener_ = -1;
  int port_ = 0;
  mutable Mutex mutex_;
  std::deque<std::string> answers_ GUARDED_BY(mutex_);
  std::vector<std::string> bodies_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

class DemoPoster : public ::testing::Test {
 protected:
  DemoPoster() {
    for (const char* id : {"a", "b", "c"}) quakes_.push_back({id, "somewhere", 4.5, 0, properties()});
  }
  static bson::Document properties() {
    bson::Builder fields;
    return fields.append("mag", 4.5).append("place", "somewhere").finish();
  }
  Poster::Options options(const CannedServer& server) const {
    return {.port = server.port(), .path = "/events", .rate = 200, .events_max = 1'000, .seed = 1};
  }
  // Until `ready` holds.
  template <class Ready>
  ::testing::AssertionResult eventually(Ready ready) {
    const Mono deadline = clock_.now() + seconds(20);
    while (!ready()) {
      if (clock_.now() >= deadline) return ::testing::AssertionFailure() << "not within 20 s";
      clock_.sleep_until(clock_.now() + milliseconds(2), {});
    }
    return ::testing::AssertionSuccess();
  }
  // The ids of the events in all bodies.
  static std::vector<std::string> ids(const std::vector<std::string>& bodies) {
    std::vector<std::string> ids;
    for (const std::string& body : bodies)
      for (const auto& event : nlohmann::json::parse(body)) ids.push_back(event["id"]);
    return ids;
  }

  PosixClock clock_;
  std::vector<Quake> quakes_;
};

TEST_F(DemoPoster, PostsABatchAgainUntilItIsAccepted) {
  CannedServer server({kBusy, kHangUp, kAccepted});
  Poster poster(options(server), quakes_, clock_);
  ASSERT_TRUE(eventually([&] { return poster.figures().accepted > 0; }));
  const auto bodies = server.bodies();
  ASSERT_GE(bodies.size(), 3u);
  EXPECT_EQ(bodies[0], bodies[1]) << "after a 503";
  EXPECT_EQ(bodies[0], bodies[2]) << "without an answer nobody knows whether it was taken";
  EXPECT_EQ(poster.figures().refusals, 2);
}

TEST_F(DemoPoster, PromisesAreWhatWas202AndNothingElse) {
  CannedServer server({kAccepted, kBusy});
  Poster poster(options(server), quakes_, clock_);
  ASSERT_TRUE(eventually([&] { return poster.figures().accepted >= 30; }));
  poster.request_stop();
  ASSERT_TRUE(eventually([&] { return poster.finished(); }));
  const auto posted = ids(server.bodies());
  const std::set<std::string> distinct(posted.begin(), posted.end());
  std::set<std::string> promised;
  for (const guard::Row& row : poster.promises())
    EXPECT_TRUE(promised.insert(row.id.substr(row.id.find(' ') + 1)).second) << row.id << " twice";
  EXPECT_EQ(promised, distinct);
  EXPECT_EQ(poster.figures().posted, poster.figures().accepted) << "a stop leaves nothing half said";
}

TEST_F(DemoPoster, NoTwoEventsShareAnIdThroughAllRevisions) {
  CannedServer server({});
  Poster poster(options(server), quakes_, clock_);
  ASSERT_TRUE(eventually([&] { return poster.figures().accepted >= 20; }));
  poster.request_stop();
  ASSERT_TRUE(eventually([&] { return poster.finished(); }));
  const auto posted = ids(server.bodies());
  EXPECT_EQ(std::set<std::string>(posted.begin(), posted.end()).size(), posted.size());
}

TEST_F(DemoPoster, APoisonedEventGoesWithTheNextBatchAndIsNoPromise) {
  CannedServer server({});
  Poster poster(options(server), quakes_, clock_);
  EXPECT_EQ(poster.post_poisoned(), 1);
  ASSERT_TRUE(eventually([&] { return poster.figures().poisoned == 1; }));
  const auto posted = ids(server.bodies());
  EXPECT_EQ(std::ranges::count(posted, "poisoned.1"), 1);
  for (const guard::Row& row : poster.promises()) EXPECT_THAT(row.id, ::testing::Not(HasSubstr("poisoned")));
}

TEST_F(DemoPoster, StopsAtTheMostEventsItMayPost) {
  CannedServer server({});
  auto few = options(server);
  few.events_max = 7;
  Poster poster(few, quakes_, clock_);
  ASSERT_TRUE(eventually([&] { return poster.figures().accepted == 7; }));
  EXPECT_EQ(poster.post_poisoned(), 1);
  ASSERT_TRUE(eventually([&] { return poster.figures().poisoned == 1; }));
  EXPECT_EQ(poster.figures().posted, 7);
  poster.request_stop();
  ASSERT_TRUE(eventually([&] { return poster.finished(); }));
  EXPECT_EQ(poster.figures().accepted, 8) << "and one last event, which proves the last fault survived";
}

TEST_F(DemoPoster, AnEventThatIsRefusedForGoodEndsTheDemo) {
  CannedServer server({kBad});
  Poster poster(options(server), quakes_, clock_);
  ASSERT_TRUE(eventually([&] { return poster.finished(); }));
  ASSERT_TRUE(poster.failure().has_value());
  EXPECT_THAT(poster.failure()->what, HasSubstr("400"));
}

TEST(FreePorts, AreDifferentAndATakenOneIsNotGiven) {
  const auto ports = free_ports(3);
  ASSERT_TRUE(ports);
  EXPECT_EQ(std::set<int>(ports->begin(), ports->end()).size(), 3u);
  const CannedServer taken({});
  const auto other = free_port(taken.port());
  ASSERT_TRUE(other);
  EXPECT_NE(*other, taken.port());
  EXPECT_FALSE(broker_answers((*ports)[0])) << "nobody listens there";
}

}  // namespace
}  // namespace tidemark::demo
