#include "base/log.h"

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace tidemark {
namespace {

using ::testing::HasSubstr;

// Standard error is `fd` while this lives; the log begins anew behind it.
class StandardError {
 public:
  explicit StandardError(int fd) : before_(::dup(STDERR_FILENO)) {
    ::dup2(fd, STDERR_FILENO);
    EXPECT_TRUE(init_log(LogLevel::kInfo));
  }
  ~StandardError() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    EXPECT_TRUE(init_log(LogLevel::kInfo));
  }

 private:
  const int before_;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    for (const int end : ends)
      if (end >= 0) ::close(end);
  }
  void end_reading() {
    ::close(ends[0]);
    ends[0] = -1;
  }
  int ends[2] = {-1, -1};
};

TEST(Log, GoesOnWithoutAReaderAndCountsWhatItCouldNotWrite) {
  ::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
  Pipe pipe;
  pipe.end_reading();
  const StandardError redirected(pipe.ends[1]);
  const uint64_t before = log_lines_lost();
  log::info("one");
  log::info("two");
  EXPECT_EQ(log_lines_lost(), before + 2);
}

TEST(Log, DoesNotWaitForAReaderThatTakesNothing) {
  Pipe pipe;
  const StandardError redirected(pipe.ends[1]);
  const uint64_t before = log_lines_lost();
  const std::string line(1000, 'x');
  for (int i = 0; i < 1000; ++i) log::info("{}", line);
  EXPECT_GT(log_lines_lost(), before);
  // The reader wakes up: the next line says what is missing.
  const uint64_t lost = log_lines_lost() - before;
  std::string text(1 << 20, '\0');
  ASSERT_GT(::read(pipe.ends[0], text.data(), text.size()), 0);
  log::info("awake");
  const ssize_t got = ::read(pipe.ends[0], text.data(), text.size());
  ASSERT_GT(got, 0);
  text.resize(static_cast<size_t>(got));
  EXPECT_THAT(text, HasSubstr(std::to_string(lost) + " lines before this one could not be written"));
  EXPECT_THAT(text, HasSubstr("awake"));
}

TEST(Log, AFileThatCanNotBeOpenedIsNamedAndNoFolderIsMade) {
  char folder[] = "/tmp/tidemark-log-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string absent = std::string(folder) + "/none";
  const Status refused = init_log(LogLevel::kInfo, absent + "/x.log");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kConfig);
  EXPECT_THAT(refused.error().what, HasSubstr(absent + "/x.log"));
  EXPECT_THAT(refused.error().what, HasSubstr("No such file or directory"));
  EXPECT_NE(::access(absent.c_str(), F_OK), 0);
  ::rmdir(folder);
}

TEST(Log, GoesOnWhenTheDiskIsFull) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  ASSERT_TRUE(init_log(LogLevel::kInfo, "/dev/full"));
  const uint64_t before = log_lines_lost();
  log::info("one");
  EXPECT_EQ(log_lines_lost(), before + 1);
  ASSERT_TRUE(init_log(LogLevel::kInfo));
}

TEST(RedactUri, HidesThePasswordAndKeepsTheRest) {
  EXPECT_EQ(redact_uri("mongodb://app:s3cret@db1:27017,db2/?replicaSet=rs0"),
            "mongodb://app:***@db1:27017,db2/?replicaSet=rs0");
  EXPECT_EQ(redact_uri("postgres://app:s3cret@db/shop"), "postgres://app:***@db/shop");
}

TEST(RedactUri, HidesAPasswordThatHoldsAnAtSign) {
  EXPECT_EQ(redact_uri("mongodb://app:a@b@db1/"), "mongodb://app:***@db1/");
}

TEST(RedactUri, HidesPasswordsInParameters) {
  EXPECT_EQ(redact_uri("postgres://db/shop?user=app&password=s3cret&sslmode=require"),
            "postgres://db/shop?user=app&password=***&sslmode=require");
  EXPECT_EQ(redact_uri("host=db password=s3cret user=app"), "host=db password=*** user=app");
}

TEST(RedactUri, LeavesAUriWithoutSecretsAlone) {
  EXPECT_EQ(redact_uri("mongodb://db1:27017,db2:27017/shop?replicaSet=rs0"),
            "mongodb://db1:27017,db2:27017/shop?replicaSet=rs0");
}

}  // namespace
}  // namespace tidemark
