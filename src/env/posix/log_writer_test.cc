#include "env/posix/log_writer.h"

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/temp_folder.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

void begin_log(const std::string& file) {
  auto writer = make_log_writer(file);
  ASSERT_TRUE(writer) << writer.error().describe();
  init_log(LogLevel::kInfo, *writer);
}

// Standard error is `fd` while this lives; the log begins anew behind it.
class StandardError {
 public:
  explicit StandardError(int fd) : before_(::dup(STDERR_FILENO)) {
    ::dup2(fd, STDERR_FILENO);
    begin_log("");
  }
  ~StandardError() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    begin_log("");
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

TEST(LogWriter, GoesOnWithoutAReaderAndCountsWhatItCouldNotWrite) {
  ::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
  Pipe pipe;
  pipe.end_reading();
  const StandardError redirected(pipe.ends[1]);
  const uint64_t before = log_lines_lost();
  log::info("one");
  log::info("two");
  EXPECT_EQ(log_lines_lost(), before + 2);
}

TEST(LogWriter, DoesNotWaitForAReaderThatTakesNothing) {
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

TEST(LogWriter, AFileThatCanNotBeOpenedIsNamedAndNoFolderIsMade) {
  char folder[] = "/tmp/tidemark-log-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string absent = std::string(folder) + "/none";
  const auto refused = make_log_writer(absent + "/x.log");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().react, React::kConfig);
  EXPECT_THAT(refused.error().what, HasSubstr(absent + "/x.log"));
  EXPECT_THAT(refused.error().what, HasSubstr("No such file or directory"));
  EXPECT_NE(::access(absent.c_str(), F_OK), 0);
  ::rmdir(folder);
}

TEST(LogWriter, GoesOnWhenTheDiskIsFull) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  begin_log("/dev/full");
  const uint64_t before = log_lines_lost();
  log::info("one");
  EXPECT_EQ(log_lines_lost(), before + 1);
  begin_log("");
}

TEST(LogWriter, OpensItsFileAgainUnderItsName) {
  char folder[] = "/tmp/tidemark-log-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/x.log";
  auto writer = *make_log_writer(path);
  ASSERT_TRUE(writer->write("one\n"));
  ASSERT_EQ(::rename(path.c_str(), (path + ".1").c_str()), 0);
  ASSERT_TRUE(writer->write("two\n"));
  EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the moved file takes it until it is opened again";
  ASSERT_TRUE(writer->reopen());
  ASSERT_TRUE(writer->write("three\n"));
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  for (const char* name : {"/x.log", "/x.log.1"}) ::unlink((std::string(folder) + name).c_str());
  ::rmdir(folder);
}

TEST(LogWriter, RefusesAPipeThatNobodyReadsInsteadOfWaitingForAReader) {
  testing::TempFolder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto writer = make_log_writer(pipe);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().react, React::kConfig);
}

TEST(StandardDescriptors, ThatAreClosedAreNotTakenByTheNextFile) {
  EXPECT_EXIT(
      {
        for (const int fd : {0, 1, 2}) ::close(fd);
        hold_standard_descriptors();
        const int next = ::open("/dev/zero", O_RDONLY);
        ::_exit(next > 2 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(LogWriter, AMessageIsOneLineWhateverNamesAreInIt) {
  Pipe pipe;
  const StandardError redirected(pipe.ends[1]);
  log::warn("dropped {}", "a\n2026-01-01T00:00:00.000Z error forged\x1b[31m");
  std::string text(4096, '\0');
  const ssize_t got = ::read(pipe.ends[0], text.data(), text.size());
  ASSERT_GT(got, 0);
  text.resize(static_cast<size_t>(got));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_THAT(text, HasSubstr("dropped a\\n2026-01-01T00:00:00.000Z error forged\\x1b[31m"));
}

}  // namespace
}  // namespace tidemark
