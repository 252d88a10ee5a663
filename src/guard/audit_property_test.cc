// Random histories under a relay that lags, jumps, crashes and goes on while it is being audited, and random damage done to
// the destination behind its back. What the audit confirms must be the damage, all of it that stays, and nothing else: one
// false alarm here is a page at night for nobody's fault.
#include <cstdlib>

#include <gtest/gtest.h>

#include "env/random.h"
#include "guard/changes.h"
#include "guard/settle.h"
#include "guard/testing/audit_harness.h"

namespace tidemark::guard {
namespace {

using namespace audit_world;  // NOLINT: the harness of this folder

constexpr int kIds = 24;

struct Story {
  World world;
  SeededRandom random;
  std::map<std::string, DifferenceKind> inflicted;
  bool may_drop;
  bool lags;  // the stored position stands still during the audit

  explicit Story(uint64_t seed) : random(seed) {
    may_drop = random.below(4) == 0;
    lags = random.below(3) == 0;
  }

  void write() {
    const int n = static_cast<int>(random.below(kIds));
    const bool in_transaction =
        random.below(4) == 0 && !world.log.empty() && world.log.back().time == world.time;
    const uint64_t what = random.below(20);
    if (what == 0 && may_drop)
      world.drop();
    else if (what < 6)
      world.remove(int_id(n), in_transaction);
    else
      world.put(int_id(n), "\"v\":" + std::to_string(random.below(1000)), in_transaction);
  }
  void relay() {
    world.apply_next(random.below(2));
    if (random.below(3) == 0 && !lags)
      world.save(world.stored + random.below(world.durable() - world.stored + 1));
    if (random.below(40) == 0) world.crash();
  }
  void step() {
    for (uint64_t i = random.below(3); i > 0; --i) {
      const uint64_t what = random.below(10);
      if (what < 3)
        write();
      else if (what < 9)
        relay();
      else
        world.tick();
    }
  }

  // Before the audit; a row with an old token, as a restored backup or a careless hand leaves it.
  void inflict() {
    World::Rows& rows = world.rows[world.orders];
    for (uint64_t i = random.below(6); i > 0; --i) {
      const uint64_t what = random.below(3);
      if (what == 0) {
        const std::string id = int_id(static_cast<int>(1000 + random.below(20)));
        rows[id] = {"{}", "82", std::nullopt};
        inflicted[id] = DifferenceKind::kExtra;
      } else if (!rows.empty()) {
        const auto row = std::next(rows.begin(), static_cast<ptrdiff_t>(random.below(rows.size())));
        const std::string id = row->first;
        if (inflicted.contains(id)) continue;
        inflicted[id] = what == 1 ? DifferenceKind::kMissing : DifferenceKind::kDifferent;
        if (what == 1)
          rows.erase(row);
        else
          row->second.doc = twisted(id);
      }
    }
  }

  // Whether anything happened to it after what the relay had passed for good when the audit began.
  bool untouched_since(size_t begin, const std::string& id) const {
    return std::none_of(world.log.begin() + static_cast<ptrdiff_t>(begin), world.log.end(),
                        [&](const World::Logged& entry) { return entry.op == Op::kDrop || entry.id == id; });
  }
};

void audit_story(uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Story story(seed);
  World& world = story.world;
  for (int i = 0; i < 60; ++i) story.step();
  if (story.lags) world.save(world.durable() / 2 + world.stored / 2);
  story.inflict();

  AuditOptions options;
  options.rechecks = 4;
  options.page_documents_max = 3;
  Bench bench(world, options);
  bench.end->pushes_down = story.random.below(2) == 0;
  world.on_step = [&](std::string_view) { story.step(); };
  world.clock.on_sleep = [&] {
    for (int i = 0; i < 10; ++i) story.step();
  };
  // A damaged row whose document changed after the position may be mended by the pipeline: no claim either way.
  const size_t begin = world.stored;
  const AuditReport report = bench.run();

  std::set<std::string> confirmed;
  for (const AuditDifference& difference : report.differences) {
    EXPECT_TRUE(confirmed.insert(difference.id).second) << "twice: " << to_string(difference);
    EXPECT_TRUE(story.inflicted.contains(difference.id)) << "a false alarm: " << to_string(difference);
    if (story.untouched_since(begin, difference.id)) {
      EXPECT_EQ(difference.kind, story.inflicted[difference.id]) << difference.id;
    }
  }
  for (const auto& [id, kind] : story.inflicted) {
    if (!story.untouched_since(begin, id)) continue;
    const bool at_source = world.documents[world.orders].contains(id);
    if (kind != DifferenceKind::kExtra && !at_source)
      continue;  // it was deleted before: the row was to go anyhow
    EXPECT_TRUE(confirmed.contains(id)) << "not found: " << to_string(kind) << " " << id;
  }
  EXPECT_EQ(report.missing + report.extra + report.different, report.wrong());
  EXPECT_EQ(report.wrong(), confirmed.size());
}

// Settling takes two looks; that the second hides a flaw of the first must not hide it from us.
TEST(AuditProperty, NoSingleLookAccusesARowThatIsRight) {
  for (uint64_t seed = 1; seed <= 800 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Story story(seed);
    World& world = story.world;
    for (int i = 0; i < 40; ++i) story.step();
    story.inflict();
    std::set<std::string> unused;
    AuditParts parts = make_parts(world, unused, unused);
    AuditOptions options;
    options.page_documents_max = 1 + story.random.below(8);
    Expectation expectation(parts.transforms, *parts.end, options.buckets);
    AuditScanner scanner(parts, options, expectation);
    Changes changes(parts);
    Settling settling(parts, options, expectation, scanner, changes);
    std::vector<AuditId> ids(kIds);
    for (int n = 0; n < kIds; ++n) {
      bson::Builder document;
      ASSERT_TRUE(id_of(document.append("_id", n).view(), ids[static_cast<size_t>(n)]));
    }
    std::ranges::sort(ids);

    world.on_step = [&](std::string_view) { story.step(); };
    for (int i = 0; i < 3; ++i) {
      const auto look = settling.look(world.orders, ids, nullptr, {});
      ASSERT_TRUE(look) << look.error().describe();
      for (size_t k = 0; k < ids.size(); ++k) {
        const Sight& sight = look->sights[k];
        EXPECT_TRUE(sight.pending || !sight.difference() || story.inflicted.contains(ids[k].text))
            << "a false alarm in look " << i << ": " << to_string(*sight.difference()) << " " << ids[k].text;
      }
    }
  }
}

TEST(AuditProperty, ConfirmsTheDamageAndNothingElse) {
  // A failing seed is run alone with TIDEMARK_SEED=N.
  if (const char* seed = std::getenv("TIDEMARK_SEED")) return audit_story(std::strtoull(seed, nullptr, 10));
  for (uint64_t seed = 1; seed <= 800 && !HasFailure(); ++seed) audit_story(seed);
}

// The same worlds: a repair of what was confirmed, while everything goes on, leaves no damage once the relay has caught up.
TEST(AuditProperty, ARepairLeavesBothEndsEqual) {
  for (uint64_t seed = 1; seed <= 200 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Story story(seed);
    World& world = story.world;
    for (int i = 0; i < 60; ++i) story.step();
    world.drain();
    story.inflict();
    Bench bench(world);
    const AuditReport report = bench.run();
    world.on_step = [&](std::string_view) { story.step(); };
    world.clock.on_sleep = [&] { world.drain(); };
    auto repaired = bench.audit->repair(report, {});
    ASSERT_TRUE(repaired) << repaired.error().describe();
    world.on_step = [](std::string_view) {};
    world.clock.on_sleep = nullptr;
    world.drain();
    if (!repaired->complete()) continue;  // too busy a document: it says so
    for (const std::string& id : bench.touched)
      EXPECT_TRUE(story.inflicted.contains(id)) << "touched: " << id;
    const AuditReport after = bench.run();
    EXPECT_EQ(after.wrong(), 0U) << ::testing::PrintToString(texts(after.differences));
  }
}

}  // namespace
}  // namespace tidemark::guard
