// What every sink in mode `current` must do about the identity of documents: one row for one document, in whatever form its
// `_id` comes, and on sharded collections, where a document that moves is inserted on one shard and deleted on the other and
// the two events come in either order. A sink's own test instantiates the suite with the harness of SinkContract
// (sink_contract.h); of it make() and ids() are used, ids() being the guards of the rows.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/sink.h"
#include "support/change_events.h"

namespace tidemark::testing {

template <class Harness>
class CurrentRowsContract : public ::testing::Test {
 protected:
  struct Change {
    std::string op;
    std::string key;
    std::string document = {};
    std::string extra = {};
  };

  void SetUp() override {
    if (auto reason = Harness().unavailable()) GTEST_SKIP() << *reason;
  }

  // Writes changes [from, to), numbered from 1, and a batch ends behind change n where bit n - 1 of `cuts` is set.
  static void write(Sink& sink, const std::vector<Change>& changes, size_t from, size_t to, uint32_t cuts) {
    EventBatch batch;
    const auto flush = [&] {
      auto written = sink.write(batch.events(), {});
      EXPECT_TRUE(written.has_value()) << written.error().error.describe();
      batch.clear();
    };
    for (size_t i = from; i < to; ++i) {
      const Change& change = changes[i];
      std::string extra = change.extra;
      if (!change.document.empty())
        extra += (extra.empty() ? "" : ",") + std::string(R"("fullDocument":)") + change.document;
      add_event(batch, change_event(static_cast<uint32_t>(i + 1), change.op, change.key, "{" + extra + "}"));
      if ((cuts >> (i % 32) & 1) != 0 || i + 1 == to) flush();
    }
  }

  static std::vector<std::string> rows(Harness& harness) {
    std::vector<std::string> tokens = harness.ids();
    // A guard may carry a shard key behind the token.
    for (std::string& token : tokens) token = token.substr(0, token.find(' '));
    std::ranges::sort(tokens);
    return tokens;
  }

  static std::vector<std::string> expected(const std::vector<uint32_t>& numbers) {
    std::vector<std::string> tokens;
    for (const uint32_t n : numbers) tokens.push_back(token_hex(n));
    return tokens;
  }

  // Whatever the batches, `changes` leave the rows of the events `numbers`, and a replay from any of them does too. `briefly`:
  // in one batch and in as many as there are events.
  static void expect_rows(const std::vector<Change>& changes, const std::vector<uint32_t>& numbers,
                          bool briefly = false) {
    const uint32_t all = (1u << (changes.size() - 1)) - 1;
    for (uint32_t cuts = 0; cuts <= all; cuts += briefly ? all : 1) {
      SCOPED_TRACE("batches end at the bits of " + std::to_string(cuts));
      Harness harness;
      auto sink = harness.make();
      ASSERT_TRUE(sink->open({}).has_value());
      write(*sink, changes, 0, changes.size(), cuts);
      EXPECT_EQ(rows(harness), expected(numbers));
      const size_t again = cuts % changes.size();
      sink = harness.make();
      ASSERT_TRUE(sink->open({}).has_value());
      write(*sink, changes, again, changes.size(), ~cuts);
      EXPECT_EQ(rows(harness), expected(numbers)) << "after a replay from event " << again + 1;
      if (::testing::Test::HasFailure()) return;
    }
  }
};

TYPED_TEST_SUITE_P(CurrentRowsContract);

TYPED_TEST_P(CurrentRowsContract, ADocumentWhoseIdChangesItsTypeStaysOneRow) {
  struct Forms {
    const char *before, *after;
  };
  constexpr Forms kForms[] = {
      {R"({"$numberInt":"1"})", R"({"$numberLong":"1"})"},
      {R"({"$numberLong":"1"})", R"({"$numberDouble":"1.0"})"},
      {R"({"$numberDecimal":"1.00"})", R"({"$numberInt":"1"})"},
      {R"({"$numberDouble":"1.5"})", R"({"$numberDecimal":"1.5"})"},
      {R"({"$numberDouble":"-0.0"})", R"({"$numberInt":"0"})"},
      {R"({"a":{"$numberInt":"1"},"b":"x"})", R"({"a":{"$numberLong":"1"},"b":"x"})"},
  };
  for (const Forms& forms : kForms) {
    SCOPED_TRACE(std::string(forms.before) + " becomes " + forms.after);
    const auto id = [](const char* form) { return std::string(R"({"_id":)") + form + "}"; };
    // A server says the new form in the documentKey of the replacement, and a look-up may find a new one under an old.
    for (const char* said : {forms.after, forms.before}) {
      const std::vector<typename TestFixture::Change> changes = {
          {"insert", id(forms.before), id(forms.before)},
          {"replace", id(said), id(forms.after)},
          {"update", id(forms.after), id(forms.after)},
          {"delete", id(forms.after)}};
      const bool briefly = &forms != &kForms[0];
      this->expect_rows({changes.begin(), changes.begin() + 2}, {2}, briefly);
      this->expect_rows({changes.begin(), changes.begin() + 3}, {3}, briefly);
      this->expect_rows(changes, {}, briefly);
      this->expect_rows({changes[0], changes[1], changes[3]}, {}, briefly);
    }
    if (this->HasFailure()) return;
  }
}

// What a look-up or a re-read shows is ahead of the stream: the row has the form of the end already while the stream goes
// through the forms before it.
TYPED_TEST_P(CurrentRowsContract, ADocumentThatIsShownAheadOfItsTypeStaysOneRow) {
  const std::string old = R"({"_id":{"$numberInt":"1"}})", now = R"({"_id":{"$numberDecimal":"1"}})";
  this->expect_rows({{"insert", old, old},
                     {"update", old, now},
                     {"delete", old},
                     {"insert", old, old},
                     {"replace", now, now}},
                    {5});
  this->expect_rows({{"insert", now, now}, {"insert", old, old}, {"replace", now, now}}, {3});
}

TYPED_TEST_P(CurrentRowsContract, AnInsertBeforeTheDeleteOfADocumentThatMovedToAnotherShardStays) {
  using Changes = std::vector<typename TestFixture::Change>;
  const Changes moved = {{"insert", R"({"_id":1,"k":1})", R"({"_id":1,"k":1})"},
                         {"insert", R"({"_id":1,"k":2})", R"({"_id":1,"k":2})"},
                         {"delete", R"({"_id":1,"k":1})"},
                         {"update", R"({"_id":1,"k":2})", R"({"_id":1,"k":2,"v":1})"},
                         {"delete", R"({"_id":1,"k":2})"}};
  this->expect_rows({moved.begin(), moved.begin() + 3}, {2});
  this->expect_rows({moved.begin(), moved.begin() + 4}, {4});
  this->expect_rows(moved, {});
  this->expect_rows({moved[0], moved[2], moved[1]}, {3});
  this->expect_rows({moved[0], moved[1], moved[4], moved[2]}, {});
}

TYPED_TEST_P(CurrentRowsContract, ShardKeysMayBePathsAndAbsentOrOfAnotherType) {
  using Changes = std::vector<typename TestFixture::Change>;
  struct Keys {
    const char *before, *after;  // documents without their _id
  };
  constexpr Keys kKeys[] = {{R"("a":{"b":1,"x":0})", R"("a":{"b":2,"x":0})"},
                            {R"("a":{"b":null})", R"("a":{"b":2})"},
                            {R"("c":1)", R"("a":{"b":"1"})"},
                            {R"("a":{"b":"x'\"y"})", R"("a":{"b":"x'\"z"})"}};
  constexpr const char* kNames[] = {"1", "null", "null", R"("x'\"y")"};
  for (size_t i = 0; i < std::size(kKeys); ++i) {
    const std::string before = std::string(R"({"_id":1,)") + kKeys[i].before + "}";
    const std::string after = std::string(R"({"_id":1,)") + kKeys[i].after + "}";
    SCOPED_TRACE(before + " moves to " + after);
    const std::string gone = std::string(R"({"_id":1,"a.b":)") + kNames[i] + "}";
    const Changes changes = {
        {"insert", R"({"_id":1})", before}, {"insert", R"({"_id":1})", after}, {"delete", gone}};
    this->expect_rows(changes, {2});
    this->expect_rows({changes[0], changes[2]}, {});
    if (this->HasFailure()) return;
  }
}

TYPED_TEST_P(CurrentRowsContract, ATransformThatTakesTheShardKeyAwayCostsNoRow) {
  using Changes = std::vector<typename TestFixture::Change>;
  const Changes changes = {{"insert", R"({"_id":1,"k":1})", R"({"_id":1})"},
                           {"insert", R"({"_id":1,"k":2})", R"({"_id":1})"},
                           {"delete", R"({"_id":1,"k":1})"},
                           {"update", R"({"_id":1,"k":2})", R"({"_id":1,"v":1})"},
                           {"delete", R"({"_id":1,"k":2})"}};
  this->expect_rows({changes.begin(), changes.begin() + 3}, {2});
  this->expect_rows({changes.begin(), changes.begin() + 4}, {4});
  this->expect_rows(changes, {});
}

TYPED_TEST_P(CurrentRowsContract, ADocumentThatWasGoneWhenItWasLookedUpGoesWhateverItsShardKeyWas) {
  using Changes = std::vector<typename TestFixture::Change>;
  const Changes changes = {{"insert", R"({"_id":1,"k":1})", R"({"_id":1,"k":1})"},
                           {"update", R"({"_id":1,"k":2})", "null"},
                           {"delete", R"({"_id":1,"k":2})"}};
  this->expect_rows({changes.begin(), changes.begin() + 2}, {});
  this->expect_rows(changes, {});
}

// Documents that move to and fro between two shards; the events of each shard stay in order, and a move's delete may come
// behind its insert. Whatever the batches, what lives stands there.
TYPED_TEST_P(CurrentRowsContract, WhatLivesStandsThereHoweverTheShardsInterleave) {
  using Change = typename TestFixture::Change;
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](uint32_t n) { return random() % n; };
    std::vector<Change> stream;
    std::vector<uint32_t> living;
    for (int id = 0; id < 5; ++id) {
      std::vector<Change> own;
      const auto key = [&](uint32_t k) {
        return R"({"_id":)" + std::to_string(id) + R"(,"k":)" + std::to_string(k) + "}";
      };
      uint32_t k = below(2);
      own.push_back({"insert", key(k), key(k)});
      for (uint32_t moves = below(4); moves > 0; --moves) {
        const Change gone = {"delete", key(k)};
        k = 1 - k;
        const Change here = {"insert", key(k), key(k)};
        const bool late = below(2) == 1;
        own.push_back(late ? here : gone);
        own.push_back(late ? gone : here);
        if (below(3) == 0) own.push_back({"update", key(k), key(k)});
      }
      if (below(3) == 0) own.push_back({"delete", key(k)});
      // Into the stream at random places, in order.
      size_t at = 0;
      for (Change& change : own) {
        at += below(static_cast<uint32_t>(stream.size() - at + 1));
        stream.insert(stream.begin() + static_cast<ptrdiff_t>(at++), std::move(change));
      }
    }
    for (int id = 0; id < 5; ++id) {
      // The last event that isn't a late delete says what lives.
      const std::string prefix = R"({"_id":)" + std::to_string(id) + ",";
      std::vector<std::pair<uint32_t, const Change*>> versions;
      for (uint32_t n = 0; n < stream.size(); ++n) {
        const Change& change = stream[n];
        if (!change.key.starts_with(prefix)) continue;
        if (change.op == "delete")
          std::erase_if(versions, [&](const auto& each) { return each.second->key == change.key; });
        else
          versions.emplace_back(n + 1, &change);
      }
      if (!versions.empty()) living.push_back(versions.back().first);
    }
    std::ranges::sort(living);
    TypeParam harness;
    auto sink = harness.make();
    ASSERT_TRUE(sink->open({}).has_value());
    this->write(*sink, stream, 0, stream.size(), random());
    EXPECT_EQ(this->rows(harness), this->expected(living));
    if (this->HasFailure()) return;
  }
}

REGISTER_TYPED_TEST_SUITE_P(CurrentRowsContract, ADocumentWhoseIdChangesItsTypeStaysOneRow,
                            ADocumentThatIsShownAheadOfItsTypeStaysOneRow,
                            AnInsertBeforeTheDeleteOfADocumentThatMovedToAnotherShardStays,
                            ShardKeysMayBePathsAndAbsentOrOfAnotherType,
                            ATransformThatTakesTheShardKeyAwayCostsNoRow,
                            ADocumentThatWasGoneWhenItWasLookedUpGoesWhateverItsShardKeyWas,
                            WhatLivesStandsThereHoweverTheShardsInterleave);

}  // namespace tidemark::testing
