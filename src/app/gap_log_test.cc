#include "app/gap_log.h"

#include <gtest/gtest.h>

#include "env/posix/file_system.h"
#include "support/temp_folder.h"

namespace tidemark::app {
namespace {

class GapLogTest : public ::testing::Test {
 protected:
  static Gap gap(const std::string& pipeline) { return {pipeline, "set", "82AA", "82BB", 100, 200, 300'000}; }

  testing::TempFolder folder;
  PosixFileSystem files;
  std::string config = folder.path() + "/orders.toml";
};

TEST_F(GapLogTest, CountsTheGapsOfOnePipeline) {
  ASSERT_TRUE(record_gap(files, config, gap("orders")));
  ASSERT_TRUE(record_gap(files, config, gap("audit")));
  ASSERT_TRUE(record_gap(files, config, gap("orders")));
  EXPECT_EQ(count_gaps(files, config, "orders"), 2u);
  EXPECT_EQ(count_gaps(files, config, "audit"), 1u);
}

TEST_F(GapLogTest, CountsNoneWithoutARecord) { EXPECT_EQ(count_gaps(files, config, "orders"), 0u); }

TEST_F(GapLogTest, PassesOverATornLine) {
  ASSERT_TRUE(record_gap(files, config, gap("orders")));
  auto file = files.open_append(gap_log_path(config));
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->append("{\"pipeline\": \"ord"));
  EXPECT_EQ(count_gaps(files, config, "orders"), 1u);
}

TEST_F(GapLogTest, FailsWhenTheRecordCannotBeWritten) {
  EXPECT_FALSE(record_gap(files, folder.path() + "/missing/orders.toml", gap("orders")));
}

}  // namespace
}  // namespace tidemark::app
