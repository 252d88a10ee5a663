#include "core/row_guard.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/digest.h"
#include "support/change_events.h"

namespace tidemark {
namespace {

using testing::add_event;
using testing::change_event;

std::string guard(std::string_view id) {
  std::string out;
  append_guard(GuardForm::kBytes, id, out);
  return out;
}

std::string hex(std::string_view bytes) {
  std::string text = to_hex(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string guard_hex(std::string_view id) { return hex(guard(id)); }

// As a mongod 4.2 and a mongod 7.0 wrote them.
constexpr const char* kInsert42 =
    "826B025798000000032B022C0100296E5A1004B9B6D4A44852410AB006A54145D4B5AC461E5F6964002B020004";
constexpr const char* kInsert70 =
    "8265E1C5A0000000012B042C0100296E5A1004B9B6D4A44852410AB006A54145D4B5AC463C6F7065726174696F6E54797065003C"
    "69"
    "6E736572740046646F63756D656E744B65790046645F696400642B02000004";

TEST(RowGuard, IsTheFrontOfAServersToken) {
  EXPECT_EQ(guard_hex(kInsert42), "826B025798000000032B022C0100296E");
  EXPECT_EQ(guard_hex(kInsert70), "8265E1C5A0000000012B042C0100296E");
  // A high-water mark; an event of a transaction, with an index of two bytes; an invalidate.
  EXPECT_EQ(guard_hex("826B025797000000252B0229296E04"), "826B025797000000252B0229296E");
  EXPECT_EQ(guard_hex("826B025797000000252B042C01002C01906E5A1004"), "826B025797000000252B042C01002C01906E");
  EXPECT_EQ(guard_hex("826B025797000000252B042C0100296F5A1004"), "826B025797000000252B042C0100296F");
}

TEST(RowGuard, LeavesWholeWhatItDoesNotKnow) {
  for (const char* id : {"826B025797000000252B062C0100296E5A1004", "826B025797000000255A1004B9B6",
                         "826B025797000000252B04", "826B025797000000252B043C00", "826B02579700000025"})
    EXPECT_EQ(guard_hex(id), id);
  for (const char* id :
       {"", "82", "016b0257", "826b02579700000025", "826B0257970000002", "a-client's own id", "Ring-7"})
    EXPECT_EQ(guard(id), id);
}

TEST(RowGuard, OfARowThatWasReadAgainLiesBetweenTheRenameAndEveryLaterEvent) {
  const std::string rename = kInsert42;
  const std::string end = guard(rename + "R");
  EXPECT_LT(guard(rename), end);
  // Of whichever document: what removes older rows keeps them all.
  EXPECT_EQ(guard(rename + "R0123456789abcdef"), end);
  // A table that was converted whole may hold the rename's token to its last byte.
  const auto whole = from_hex(rename);
  EXPECT_LT(std::string(whole->begin(), whole->end()), end);
  for (const char* later : {"826B025798000000032B022C01002B026E5A1004",
                            "826B025798000000042B022C0100296E5A1004", "826B02579800000004"})
    EXPECT_LT(end, guard(later)) << later;
}

// What the server writes, in the order in which it delivers it.
struct Place {
  uint32_t seconds, increment, index;
  bool invalidate;
  auto operator<=>(const Place&) const = default;
};

std::string token_of(const Place& place, int version, std::string_view rest) {
  const auto number = [](uint64_t value) -> std::string {
    if (value == 0) return "29";
    value <<= 1;
    std::string digits;
    for (; value > 0; value >>= 8) digits.insert(digits.begin(), static_cast<char>(value & 0xff));
    return hex(std::string(1, static_cast<char>(0x2b + digits.size() - 1)) + digits);
  };
  char time[32];
  std::snprintf(time, sizeof time, "82%08X%08X", place.seconds, place.increment);
  return time + number(static_cast<uint64_t>(version)) + number(128) + number(place.index) +
         (place.invalidate ? "6F" : "6E") + "5A1004" + hex(std::string(rest)) + "04";
}

RC_GTEST_PROP(RowGuard, SortsAsTheEventsDo, ()) {
  const auto version = *rc::gen::inRange(1, 3);
  const auto place = [] {
    return Place{*rc::gen::element(0u, 1u, 0x7d7d7d7du, 0xffffffffu), *rc::gen::inRange(0u, 300u),
                 *rc::gen::element(0u, 1u, 127u, 128u, 255u, 32767u, 32768u, 8388608u),
                 *rc::gen::arbitrary<bool>()};
  };
  const Place a = place(), b = place();
  const std::string first = token_of(a, version, *rc::gen::arbitrary<std::string>());
  const std::string second = token_of(b, version, *rc::gen::arbitrary<std::string>());
  RC_ASSERT((guard(first) < guard(second)) == (a < b));
  RC_ASSERT((guard(first) == guard(second)) == (a == b));
  // As before, where the two are not one place.
  if (a != b) RC_ASSERT((first < second) == (a < b));
  // A repair's id: after every event up to its time, before every later one.
  char repair[32];
  std::snprintf(repair, sizeof repair, "82%08X%08X", b.seconds, b.increment);
  RC_ASSERT((guard(repair) < guard(first)) ==
            (std::tie(b.seconds, b.increment) <= std::tie(a.seconds, a.increment)));
}

TEST(RowGuard, CarriesTheShardKeyThatItsDocumentDoesNotShow) {
  EventBatch batch;
  const Event& hidden = add_event(batch, change_event(1, "insert", R"({"_id":1,"region":{"$numberInt":"7"}})",
                                                      R"({"fullDocument":{"_id":1}})"));
  for (const GuardForm form : {GuardForm::kText, GuardForm::kBytes}) {
    std::string row, plain;
    append_row_guard(form, hidden, row);
    append_guard(form, hidden.id, plain);
    EXPECT_EQ(shard_key_of_guard(form, row), R"({"region":{"$numberInt":"7"}})");
    EXPECT_EQ(shard_key_of_guard(form, plain), "");
    EXPECT_LT(plain, row);
    std::string next;
    append_guard(form, testing::token_hex(2), next);
    EXPECT_LT(row, next);
  }
}

TEST(RowGuard, CarriesNoShardKeyWhereItsDocumentShowsIt) {
  EventBatch batch;
  const Event& shown = add_event(batch, change_event(1, "insert", R"({"_id":1,"region":7})",
                                                     R"({"fullDocument":{"_id":1,"region":7}})"));
  std::string row;
  append_row_guard(GuardForm::kBytes, shown, row);
  EXPECT_EQ(row, guard(shown.id));
  // A repair's, whose time looks like the end of one.
  EXPECT_EQ(shard_key_of_guard(GuardForm::kBytes, guard("826B02579700007B7D")), "");
}

}  // namespace
}  // namespace tidemark
