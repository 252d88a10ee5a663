#include "app/audit_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/file_system.h"
#include "support/temp_folder.h"

namespace tidemark::app {
namespace {

guard::AuditView result() {
  guard::AuditView view;
  view.pipeline = "orders";
  view.kind = "checksum";
  view.duration_s = 2.5;
  view.finished_at_ms = 1'700'000'000'000;
  view.source_documents = 10;
  view.destination_documents = 9;
  view.filtered_documents = 3;
  view.missing = 1;
  view.buckets = 4;
  view.buckets_differing = 1;
  view.first_ids = {"missing shop.orders \"\xff\""};
  return view;
}

TEST(AuditHistory, KnowsTheLastResultAfterARestart) {
  testing::TempFolder folder;
  PosixFileSystem files;
  const std::string state = folder.file("state/guard");
  ASSERT_TRUE(make_state_folder(state));
  EXPECT_FALSE(last_audit(files, state, "orders", "checksum").has_value());
  ASSERT_TRUE(keep_audit(files, state, result()));
  const auto found = last_audit(files, state, "orders", "checksum");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->missing, 1u);
  EXPECT_EQ(found->source_documents, 10u);
  EXPECT_EQ(found->finished_at_ms, 1'700'000'000'000);
  EXPECT_THAT(found->first_ids, ::testing::SizeIs(1));
  EXPECT_FALSE(last_audit(files, state, "orders", "count").has_value());
}

TEST(AuditHistory, TakesWhatItCannotReadForAbsent) {
  testing::TempFolder folder;
  PosixFileSystem files;
  for (const char* text : {"", "{", "[]", "{\"pipeline\": 1}", "null"}) {
    folder.write("orders.checksum.last.json", text);
    EXPECT_FALSE(last_audit(files, folder.path(), "orders", "checksum").has_value()) << text;
  }
  // Another audit's result under this name.
  guard::AuditView other = result();
  ASSERT_TRUE(keep_audit(files, folder.path(), other));
  folder.write("bills.checksum.last.json", folder.read("orders.checksum.last.json"));
  EXPECT_FALSE(last_audit(files, folder.path(), "bills", "checksum").has_value());
}

TEST(AuditHistory, WithoutAFolderKeepsNothing) {
  PosixFileSystem files;
  EXPECT_TRUE(make_state_folder(""));
  EXPECT_TRUE(keep_audit(files, "", result()));
  EXPECT_FALSE(last_audit(files, "", "orders", "checksum").has_value());
  const Status impossible = make_state_folder("/proc/none/state");
  ASSERT_FALSE(impossible);
  EXPECT_EQ(impossible.error().react, React::kConfig);
}

}  // namespace
}  // namespace tidemark::app
