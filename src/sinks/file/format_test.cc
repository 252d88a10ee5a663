#include "sinks/file/format.h"

#include <gtest/gtest.h>

#include "env/posix/clock.h"
#include "support/change_events.h"

namespace tidemark {
namespace {

TEST(Rfc3339, CoversTheYearsItCanWrite) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(1'709'210'096'005), "2024-02-29T12:34:56.005Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(-62'167'219'200'000), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(253'402'300'800'000), "");
  EXPECT_EQ(rfc3339(INT64_MIN), "");
  EXPECT_EQ(rfc3339(INT64_MAX), "");
}

std::string line_of(FileFormat format, const bson::Document& raw) {
  EventBatch batch;
  const Event event = parse_change_event(batch.store(raw.view())).value();
  const PosixClock clock;
  std::string line;
  LineFormatter(format, "orders", clock).append(event, line);
  return line;
}

TEST(LineFormatter, NamesThatAreNotUtf8ReadBackFromEachFormat) {
  const bson::Document raw = testing::change_of(1, "insert", "d\xe9", "caf\xe9");
  for (const FileFormat format : {FileFormat::kExtJson, FileFormat::kDebezium, FileFormat::kCloudEvents}) {
    const std::string line = line_of(format, raw);
    EXPECT_EQ(line.find("\ufffd"), std::string::npos) << line;
    EXPECT_TRUE(bson::Document::from_json(line)) << line;
  }
  const std::string debezium = line_of(FileFormat::kDebezium, raw);
  EXPECT_NE(debezium.find(R"("db":{"$bson":{"type":"02","base64":"AwAAAGTpAA=="}})"), std::string::npos)
      << debezium;
  EXPECT_NE(debezium.find(R"("collection":{"$bson":{"type":"02","base64":"BQAAAGNhZukA"}})"),
            std::string::npos)
      << debezium;
  EXPECT_NE(line_of(FileFormat::kCloudEvents, raw).find("/d%E9/caf%E9"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
