#include "env/posix/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/faulty_file_system.h"
#include "support/temp_folder.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class PosixFileSystemTest : public ::testing::Test {
 protected:
  std::string read(const std::string& path) {
    auto content = files_.read_file(path, 1 << 20);
    EXPECT_TRUE(content.has_value()) << content.error().describe();
    return content.value_or("");
  }

  testing::TempFolder folder_;
  PosixFileSystem files_;
  const std::string path_ = folder_.file("data");
};

TEST_F(PosixFileSystemTest, ReplacesAFileWhole) {
  ASSERT_TRUE(files_.replace_file(path_, "first, longer").has_value());
  ASSERT_TRUE(files_.replace_file(path_, "second").has_value());
  EXPECT_EQ(read(path_), "second");
  EXPECT_THAT(*files_.list(folder_.path()), UnorderedElementsAre("data"));
}

TEST_F(PosixFileSystemTest, TellsAbsentFromUnreadable) {
  EXPECT_EQ(files_.exists(path_), false);
  ASSERT_TRUE(files_.replace_file(path_, "x").has_value());
  EXPECT_EQ(files_.exists(path_), true);
  auto below_a_file = files_.exists(path_ + "/child");
  ASSERT_FALSE(below_a_file.has_value());
  EXPECT_EQ(below_a_file.error().react, React::kDenied);
}

TEST_F(PosixFileSystemTest, AppendsAndKnowsItsSize) {
  {
    auto file = files_.open_append(path_);
    ASSERT_TRUE(file.has_value()) << file.error().describe();
    ASSERT_TRUE((*file)->append("one\n").has_value());
    ASSERT_TRUE((*file)->append("two\n").has_value());
    ASSERT_TRUE((*file)->sync().has_value());
    EXPECT_EQ((*file)->size(), 8u);
  }
  auto file = files_.open_append(path_);
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ((*file)->size(), 8u);
  ASSERT_TRUE((*file)->truncate(4).has_value());
  ASSERT_TRUE((*file)->append("three\n").has_value());
  EXPECT_EQ(read(path_), "one\nthree\n");
}

TEST_F(PosixFileSystemTest, RefusesToReadMoreThanAllowed) {
  ASSERT_TRUE(files_.replace_file(path_, std::string(100, 'x')).has_value());
  EXPECT_TRUE(files_.read_file(path_, 100).has_value());
  auto too_large = files_.read_file(path_, 99);
  ASSERT_FALSE(too_large.has_value());
  EXPECT_THAT(too_large.error().what, HasSubstr(path_));
}

TEST_F(PosixFileSystemTest, ReadsARangeWithoutTheRest) {
  ASSERT_TRUE(files_.replace_file(path_, "0123456789").has_value());
  EXPECT_EQ(files_.read_range(path_, 3, 4), "3456");
  EXPECT_EQ(files_.read_range(path_, 8, 4), "89");
  EXPECT_EQ(files_.read_range(path_, 20, 4), "");
  EXPECT_EQ(files_.file_size(path_), 10u);
  EXPECT_FALSE(files_.read_range(path_ + ".absent", 0, 1).has_value());
}

TEST_F(PosixFileSystemTest, RenamesAndRemoves) {
  ASSERT_TRUE(files_.replace_file(path_, "x").has_value());
  ASSERT_TRUE(files_.rename(path_, path_ + ".000001").has_value());
  EXPECT_EQ(files_.exists(path_), false);
  ASSERT_TRUE(files_.remove(path_ + ".000001").has_value());
  EXPECT_THAT(*files_.list(folder_.path()), UnorderedElementsAre());
}

TEST_F(PosixFileSystemTest, AMissingFolderIsTheOperatorsToMend) {
  for (Status status : {files_.replace_file(folder_.file("no/such"), "x"),
                        Status(files_.open_append(folder_.file("no/such")).map([](auto&&) {})),
                        Status(files_.lock(folder_.file("no/such")).map([](auto&&) {}))}) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().react, React::kDenied);
    EXPECT_THAT(status.error().what, HasSubstr("no/such"));
    EXPECT_THAT(status.error().hint, HasSubstr("folder"));
  }
}

TEST_F(PosixFileSystemTest, AFolderWithoutPermissionIsTheOperatorsToMend) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  auto status = files_.replace_file(path_, "x");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().react, React::kDenied);
}

TEST_F(PosixFileSystemTest, AFullDiskMayPass) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  // /dev/full itself is refused as it is no regular file, so the write of a temporary file is led there.
  ASSERT_EQ(::symlink("/dev/full", (path_ + ".tmp").c_str()), 0);
  auto status = files_.replace_file(path_, "x");
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().react, React::kRetry);
  EXPECT_THAT(status.error().hint, HasSubstr("room"));
}

TEST_F(PosixFileSystemTest, AppendsToRegularFilesAlone) {
  auto device = files_.open_append("/dev/null");
  ASSERT_FALSE(device.has_value());
  EXPECT_EQ(device.error().react, React::kConfig);
  auto directory = files_.open_append(folder_.path());
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error().react, React::kDenied);
}

TEST_F(PosixFileSystemTest, LooksWhetherTheNameStillLeadsToTheFile) {
  const std::string path = folder_.file("lines");
  auto file = *files_.open_append(path);
  ASSERT_TRUE(file->append("one\n"));
  const AppendFile::Look there = *file->look();
  EXPECT_TRUE(there.named);
  EXPECT_EQ(there.size, 4u);

  ASSERT_TRUE(files_.rename(path, path + ".1"));
  EXPECT_FALSE(file->look()->named) << "moved";
  auto other = *files_.open_append(path);
  EXPECT_FALSE(file->look()->named) << "another file has the name";
  EXPECT_FALSE(other->look()->same_file(there));
  ASSERT_TRUE(files_.rename(path + ".1", path));
  EXPECT_TRUE(file->look()->named) << "moved back";
  EXPECT_TRUE(file->look()->same_file(there));
  ASSERT_TRUE(files_.remove(path));
  ASSERT_TRUE(file->append("two\n")) << "a file without a name takes it all the same";
  ASSERT_TRUE(file->sync());
  EXPECT_FALSE(file->look()->named) << "removed";
}

TEST_F(PosixFileSystemTest, LooksAtTheSizeThatSomebodyElseLeft) {
  const std::string path = folder_.file("lines");
  auto file = *files_.open_append(path);
  ASSERT_TRUE(file->append("one\n"));
  ASSERT_TRUE((*files_.open_append(path))->truncate(1));
  EXPECT_EQ(file->look()->size, 1u);
}

TEST_F(PosixFileSystemTest, ALockIsExclusiveAndNamesItsHolder) {
  auto first = files_.lock(path_);
  ASSERT_TRUE(first.has_value()) << first.error().describe();
  auto second = files_.lock(path_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().react, React::kFenced);
  EXPECT_THAT(second.error().what, HasSubstr(std::to_string(::getpid())));
  first->reset();
  EXPECT_TRUE(files_.lock(path_).has_value());
}

TEST_F(PosixFileSystemTest, TheFaultyOneForgetsWhatWasNotSynced) {
  uint64_t shortest = 100;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    testing::TempFolder folder;
    testing::FaultyFileSystem faulty(files_, seed);
    auto file = faulty.open_append(folder.file("log"));
    ASSERT_TRUE(file.has_value());
    ASSERT_TRUE((*file)->append("durable").has_value());
    ASSERT_TRUE((*file)->sync().has_value());
    ASSERT_TRUE((*file)->append(" and not").has_value());
    faulty.crash();
    EXPECT_FALSE((*file)->append("dead").has_value());
    const std::string left = read(folder.file("log"));
    EXPECT_EQ(left.substr(0, 7), "durable");
    shortest = std::min<uint64_t>(shortest, left.size());
  }
  EXPECT_LT(shortest, 15u) << "no seed forgets anything";
}

TEST_F(PosixFileSystemTest, TheFaultyOneFailsTheOperationItWasToldTo) {
  testing::FaultyFileSystem faulty(files_, 1);
  faulty.fail_operation(1);
  EXPECT_TRUE(faulty.exists(path_).has_value());
  EXPECT_FALSE(faulty.fault_was_hit());
  EXPECT_FALSE(faulty.exists(path_).has_value());
  EXPECT_TRUE(faulty.fault_was_hit());
  EXPECT_TRUE(faulty.exists(path_).has_value());
}

TEST_F(PosixFileSystemTest, APipeThatNobodyReadsIsRefusedAndNotWaitedFor) {
  testing::TempFolder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto file = files_.open_append(pipe);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().react, React::kConfig);
}

}  // namespace
}  // namespace tidemark
