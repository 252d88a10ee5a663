#include "sandbox/change_stream/token.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "bson/compare.h"
#include "sandbox/change_stream/testing/log.h"

namespace tidemark::sandbox {
namespace {

constexpr ServerVersion kClassic{4, 2};
constexpr ServerVersion kModern{7, 0};

Uuid uuid_from(std::string_view hex) {
  std::string bytes;
  EXPECT_TRUE(parse_hex(hex, bytes));
  Uuid uuid;
  std::copy(bytes.begin(), bytes.end(), uuid.begin());
  return uuid;
}

TEST(Token, IsByteForByteThatOfARecordedInsert) {
  const Uuid uuid = uuid_from("B9B6D4A44852410AB006A54145D4B5AC");
  TokenWriter writer;
  writer.event(1, {0x6B025798, 1}, 0, false, &uuid, "insert", json(R"({"_id": 1})"), {});
  EXPECT_EQ(writer.hex(),
            "826B025798000000012B022C0100296E5A1004B9B6D4A44852410AB006A54145D4B5AC461E5F6964002B020004");
  writer.event(1, {0x6B025798, 9}, 0, false, &uuid, "insert", json(R"({"_id": "up"})"), {});
  EXPECT_EQ(writer.hex(),
            "826B025798000000092B022C0100296E5A1004B9B6D4A44852410AB006A54145D4B5AC463C5F6964003C7570000004");
}

TEST(Token, IsByteForByteThatOfRecordedTransactionsDropsAndHighWaterMarks) {
  TokenWriter writer;
  const Uuid t = uuid_from("E2B0F37682BE47898DD7835E913CFC96");
  writer.event(1, {0x6B0257A1, 8}, 1, false, &t, "update", json(R"({"_id": 0})"), {});
  EXPECT_EQ(writer.hex(),
            "826B0257A1000000082B022C01002B026E5A1004E2B0F37682BE47898DD7835E913CFC96461E5F696400290004");
  writer.event(1, {0x6B0257A1, 3}, 0, true, nullptr, "dropDatabase", {}, {});
  EXPECT_EQ(writer.hex(), "826B0257A1000000032B022C0100296F04");
  const Uuid dropped = uuid_from("5B31365E961C4C7F9C2C35CA19F019F1");
  writer.event(1, {0x6B02579F, 5}, 0, true, &dropped, "drop", {}, {});
  EXPECT_EQ(writer.hex(), "826B02579F000000052B022C0100296F5A10045B31365E961C4C7F9C2C35CA19F019F104");
  writer.high_water_mark(1, {0x6B025797, 0x25});
  EXPECT_EQ(writer.hex(), "826B025797000000252B0229296E04");
}

TEST(Token, OfVersionTwoNamesTheOperation) {
  const Uuid uuid = uuid_from("69E03217B2954C6580FCAD5A7D225571");
  TokenWriter writer;
  writer.event(2, {0x65B8F36B, 2}, 0, false, &uuid, "insert",
               json(R"({"_id": {"$oid": "65b8f36bbdd90e425ec09b31"}})"), {});
  EXPECT_EQ(writer.hex(),
            "8265B8F36B000000022B042C0100296E5A100469E03217B2954C6580FCAD5A7D225571463C6F7065726174696F6E5479"
            "7065003C696E"
            "736572740046646F63756D656E744B65790046645F6964006465B8F36BBDD90E425EC09B31000004");
  writer.high_water_mark(2, {0x65B8F36B, 2});
  EXPECT_EQ(writer.hex(), "8265B8F36B000000022B0429296E1404");
}

TEST(Token, DecodesToWhatItWasMadeOf) {
  const Uuid uuid = uuid_from("69E03217B2954C6580FCAD5A7D225571");
  TokenWriter writer;
  writer.event(2, {77, 8}, 300, true, &uuid, "drop", {}, {}, 2);
  const auto token = decode_token(writer.hex(), kModern);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->time, (bson::Timestamp{77, 8}));
  EXPECT_EQ(token->version, 2);
  EXPECT_FALSE(token->high_water_mark);
  EXPECT_EQ(token->txn_op_index, 300);
  EXPECT_TRUE(token->from_invalidate);
  EXPECT_EQ(token->uuid, uuid);
  EXPECT_EQ(token->fragment, 2);
  TokenWriter again;
  again.encode(*token);
  EXPECT_EQ(again.hex(), writer.hex());
}

TEST(Token, TypesThatCompareEqualAreToldApartByTypeBits) {
  const Uuid uuid{};
  TokenWriter whole;
  whole.event(1, {1, 1}, 0, false, &uuid, "insert", json(R"({"_id": 1})"), {});
  TokenWriter real;
  real.event(1, {1, 1}, 0, false, &uuid, "insert", json(R"({"_id": {"$numberDouble": "1.0"}})"), {});
  EXPECT_EQ(whole.hex(), real.hex());
  EXPECT_FALSE(whole.document().view().find("_typeBits"));
  EXPECT_TRUE(real.document().view().find("_typeBits"));
}

struct Bad {
  std::string_view hex;
  int code;
};

TEST(Token, GarbageIsRefusedWithTheServersCodes) {
  const Bad cases[] = {{"zz", 9},
                       {"8", 9},
                       {"", 40649},
                       {"04", 40649},
                       {"826B025798000000022B", 15},
                       {"826B02", 15},
                       {"826B0257980000000204", 50796},
                       {"826B025798000000026E04", 50854},
                       {"826B025798000000022B1204", 50795},
                       {"826B025798000000022B0204", 51055},
                       {"826B025798000000022B022B1204", 51057},
                       {"826B025798000000022B022C010004", 50793},
                       {"826B025798000000022B022C01002904", 50872},
                       {"826B025798000000022B022C0100292904", 50870},
                       {"826B025798000000022B022C0100296E0504", 50811},
                       {"826B025798000000022B042C0100296E04", 6189500},
                       {"826B025798000000022B042C0100296E1404", 6189501},
                       {"826B025798000000022B0429296E1446000004", 6189504},
                       {"FF", 50811}};
  for (const Bad& bad : cases) {
    const auto token = decode_token(bad.hex, kModern);
    ASSERT_FALSE(token) << bad.hex;
    EXPECT_EQ(token.error().code, bad.code) << bad.hex << ": " << token.error().message;
  }
}

TEST(Token, OfVersionTwoIsUnknownTo42) {
  TokenWriter writer;
  writer.high_water_mark(2, {5, 5});
  EXPECT_EQ(decode_token(writer.hex(), kClassic).error().code, 50795);
  writer.high_water_mark(1, {5, 5});
  EXPECT_TRUE(decode_token(writer.hex(), kModern));
}

TEST(Token, NestedTooDeeplyIsRefusedWithoutCrashing) {
  std::string hex = "826B025798000000022B022C0100296E5A1004B9B6D4A44852410AB006A54145D4B5AC";
  for (int i = 0; i < 100000; ++i) hex += "50";
  EXPECT_FALSE(decode_token(hex, kClassic));
}

RC_GTEST_PROP(Token, TextsSortInStreamOrder, ()) {
  const auto make = [] {
    const auto time = bson::Timestamp{*rc::gen::inRange<uint32_t>(0, 3), *rc::gen::inRange<uint32_t>(0, 400)};
    return std::make_tuple(time, *rc::gen::inRange<int64_t>(0, 70000), *rc::gen::arbitrary<bool>());
  };
  const auto a = make();
  const auto b = make();
  const Uuid uuid{};
  TokenWriter first;
  TokenWriter second;
  first.event(2, std::get<0>(a), std::get<1>(a), std::get<2>(a), &uuid, "drop", {}, {});
  second.event(2, std::get<0>(b), std::get<1>(b), std::get<2>(b), &uuid, "drop", {}, {});
  RC_ASSERT((first.hex() < second.hex()) == (a < b));
  RC_ASSERT((first.hex() == second.hex()) == (a == b));
  TokenWriter mark;
  mark.high_water_mark(2, std::get<0>(a));
  RC_ASSERT(mark.hex() < first.hex());
}

RC_GTEST_PROP(KeyString, SortsAsTheServerComparesNumbers, ()) {
  const auto number = [](bson::Builder& out) {
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        out.append("", *rc::gen::arbitrary<int32_t>());
        break;
      case 1:
        out.append("", *rc::gen::arbitrary<int64_t>());
        break;
      case 2:
        out.append("", *rc::gen::arbitrary<double>());
        break;
      default:
        out.append("", *rc::gen::inRange(-1000, 1000) / 8.0);
        break;
    }
  };
  bson::Builder a;
  bson::Builder b;
  number(a);
  number(b);
  KeyStringWriter x;
  KeyStringWriter y;
  x.value(*a.view().find(""));
  y.value(*b.view().find(""));
  const int order = bson::compare(*a.view().find(""), *b.view().find(""));
  const int bytes = x.bytes().compare(y.bytes());
  RC_ASSERT((order < 0) == (bytes < 0));
  RC_ASSERT((order == 0) == (bytes == 0));
}

RC_GTEST_PROP(Token, ArbitraryTextNeverCrashes, ()) {
  const auto bytes = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  std::string hex = "820000000100000001";
  append_hex(bytes, hex);
  if (auto token = decode_token(hex, kModern)) {
    TokenWriter writer;
    writer.encode(*token);
    RC_ASSERT(decode_token(writer.hex(), kModern).has_value());
  }
  (void)decode_token(bytes, kModern);
}

}  // namespace
}  // namespace tidemark::sandbox
