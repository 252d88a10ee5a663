#include "broker/launch.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/file_system.h"
#include "support/temp_folder.h"

namespace tidemark::broker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(BrokerLaunch, KeepsToItsFolderAndItsPorts) {
  if (const Status there = installed(); !there) GTEST_SKIP() << there.error().describe();
  PosixFileSystem files;
  const testing::TempFolder temp;
  const std::string folder = temp.path() + "/broker";
  const auto launch = prepare(files, folder, {4001, 4002}, {{"disk_free_limit.absolute", "7MB"}});
  ASSERT_TRUE(launch) << launch.error().describe();
  EXPECT_EQ(launch->argv.back(), "4002");
  for (const auto& [name, value] : launch->env) {
    if (name.ends_with("_FILE") || name.ends_with("_BASE") || name.ends_with("_DIR") || name == "HOME") {
      EXPECT_TRUE(value.starts_with(folder + "/")) << name << " " << value;
    }
  }
  const std::string config = files.read_file(folder + "/rabbitmq.conf", 4096).value();
  EXPECT_THAT(config, HasSubstr("listeners.tcp.1 = 127.0.0.1:4001\n"));
  EXPECT_THAT(config, HasSubstr("disk_free_limit.absolute = 7MB\n"));
  EXPECT_THAT(config, Not(HasSubstr("1MB")));
  bool has_rabbit = false;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/applications")) {
    const std::string name = entry.path().filename().string();
    has_rabbit = has_rabbit || name.starts_with("rabbit-");
    EXPECT_FALSE(name.starts_with("rabbitmq_management")) << "a plugin that nobody enables";
  }
  EXPECT_TRUE(has_rabbit);
  EXPECT_TRUE(prepare(files, folder, {4001, 4002})) << "a second start of the same broker";
}

}  // namespace
}  // namespace tidemark::broker
