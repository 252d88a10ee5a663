#include "sinks/postgres/copy_reader.h"

#include <gmock/gmock.h>

namespace tidemark::postgres {
namespace {

using ::testing::ElementsAre;

using Columns = std::vector<std::string>;

// A header with four bytes that nobody knows, rows ("a", NULL) and ("", "bcd"), the end.
const std::string kHeader("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\4????", 23);
const std::string kRows("\0\2\0\0\0\1a\xff\xff\xff\xff\0\2\0\0\0\0\0\0\0\3bcd", 24);
const std::string kEnd("\xff\xff");

struct Read {
  CopyReader reader;
  std::vector<Columns> rows;
  Status take(std::string_view piece) {
    return reader.take(piece, [this](std::span<const std::string_view> columns) -> Status {
      rows.emplace_back(columns.begin(), columns.end());
      return {};
    });
  }
};

TEST(CopyReader, HandsOutEveryRowWhereverThePiecesEnd) {
  const std::string whole = kHeader + kRows + kEnd;
  for (size_t size = 1; size <= whole.size(); ++size) {
    Read read;
    for (size_t at = 0; at < whole.size(); at += size) {
      EXPECT_FALSE(read.reader.done());
      ASSERT_TRUE(read.take(std::string_view(whole).substr(at, size))) << size;
    }
    EXPECT_TRUE(read.reader.done()) << size;
    EXPECT_THAT(read.rows, ElementsAre(Columns{"a", ""}, Columns{"", "bcd"})) << size;
  }
}

TEST(CopyReader, RefusesWhatIsNoCopy) {
  EXPECT_FALSE(Read().take(std::string(23, 'x')));
  EXPECT_FALSE(Read().take(kHeader + kEnd + "more"));
  EXPECT_FALSE(Read().take(kHeader + std::string("\0\1\x80\0\0\0", 6)));
}

TEST(CopyReader, EndsWithTheVisitorsError) {
  CopyReader reader;
  const auto taken = reader.take(kHeader + kRows, [](std::span<const std::string_view>) -> Status {
    return fail(React::kCancelled, "enough");
  });
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().what, "enough");
}

}  // namespace
}  // namespace tidemark::postgres
