#include "core/position.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemark {
namespace {

bson::Document token(std::string_view data) {
  bson::Builder builder;
  builder.append("_data", data);
  return builder.finish();
}

StoredPosition sample() {
  StoredPosition stored;
  stored.position = Position(token("8265010203000000072B0229296E04"), {0x65010203, 7});
  stored.saved_at_ms = 1'700'000'000'123;
  stored.fingerprint = "abc";
  stored.deployment = "rs0/5f";
  stored.epoch = 42;
  return stored;
}

TEST(StoredPosition, ComesBackAsItWasSaved) {
  const StoredPosition stored = sample();
  const auto again = StoredPosition::decode(stored.encode());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->position, stored.position);
  EXPECT_EQ(again->position.cluster_time(), stored.position.cluster_time());
  EXPECT_EQ(again->saved_at_ms, stored.saved_at_ms);
  EXPECT_EQ(again->fingerprint, stored.fingerprint);
  EXPECT_EQ(again->deployment, stored.deployment);
  EXPECT_EQ(again->epoch, stored.epoch);
}

TEST(StoredPosition, KeepsAnEmptyPositionEmpty) {
  const auto again = StoredPosition::decode(StoredPosition{}.encode());
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->position.empty());
}

RC_GTEST_PROP(StoredPosition, RoundTripsAnything, ()) {
  StoredPosition stored;
  stored.position = Position(token(*rc::gen::container<std::string>(rc::gen::inRange('0', 'F'))),
                             {*rc::gen::arbitrary<uint32_t>(), *rc::gen::arbitrary<uint32_t>()});
  stored.saved_at_ms = *rc::gen::arbitrary<int64_t>();
  stored.fingerprint = *rc::gen::arbitrary<std::string>();
  stored.deployment = *rc::gen::arbitrary<std::string>();
  stored.epoch = *rc::gen::arbitrary<uint64_t>();
  const auto again = StoredPosition::decode(stored.encode());
  RC_ASSERT(again.has_value());
  RC_ASSERT(again->position == stored.position);
  RC_ASSERT(again->position.cluster_time() == stored.position.cluster_time());
  RC_ASSERT(again->saved_at_ms == stored.saved_at_ms);
  RC_ASSERT(again->fingerprint == stored.fingerprint);
  RC_ASSERT(again->deployment == stored.deployment);
  RC_ASSERT(again->epoch == stored.epoch);
}

TEST(StoredPosition, CallsEveryFlippedByteCorrupt) {
  const std::string whole = sample().encode();
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x20);
    const auto result = StoredPosition::decode(bytes);
    ASSERT_FALSE(result) << "byte " << i;
    EXPECT_EQ(result.error().react, React::kCorrupt);
  }
}

TEST(StoredPosition, CallsEveryOtherLengthCorrupt) {
  const std::string whole = sample().encode();
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto result = StoredPosition::decode(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().react, React::kCorrupt);
  }
  EXPECT_FALSE(StoredPosition::decode(whole + "x"));
  EXPECT_FALSE(StoredPosition::decode(whole + whole));
}

TEST(Position, IsEqualByItsTokenAlone) {
  EXPECT_EQ(Position(token("82AA"), {1, 1}), Position(token("82AA"), {2, 2}));
  EXPECT_FALSE(Position(token("82AA")) == Position(token("82AB")));
  EXPECT_TRUE(Position().empty());
  EXPECT_TRUE(operator_position(Position(token("82AA"))).get() == Position(token("82AA")));
}

TEST(TokenTime, IsReadFromTheFirstBytesOfTheToken) {
  EXPECT_EQ(token_time(token("8265010203000000072B0229296E04")), (bson::Timestamp{0x65010203, 7}));
  EXPECT_EQ(token_time(token("82650102030000000")), bson::Timestamp{});
  EXPECT_EQ(token_time(token("8365010203000000072B")), bson::Timestamp{});
  EXPECT_EQ(token_time(token("82650102zz000000072B")), bson::Timestamp{});
  EXPECT_EQ(token_time(bson::View()), bson::Timestamp{});
}

TEST(TokenData, IsTheHexStringOrNothing) {
  const auto good = token("82AA");
  EXPECT_EQ(token_data(good), "82AA");
  const auto number = *bson::Document::from_json(R"({"_data": 1})");
  EXPECT_EQ(token_data(number), "");
  EXPECT_EQ(token_data(bson::View()), "");
}

}  // namespace
}  // namespace tidemark
