// The world of the audits' tests: a source with a change log and a cluster time, a relay that lags, a destination with the guard
// of the real sinks. `on_step` runs before every answer that an audit gets (guard/testing/audit_harness.h has the ends).
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bson/json.h"
#include "core/audit.h"
#include "core/position.h"
#include "env/clock.h"

namespace tidemark::guard::audit_world {

// Sleeping moves it.
class SteppingClock final : public Clock {
 public:
  Mono now() const override { return now_; }
  WallMs wall_ms() const override {
    return 1'700'000'000'000 +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
  }
  bool sleep_until(Mono deadline, std::stop_token stop) override {
    if (stop.stop_requested()) return false;
    if (deadline > now_) {
      slept += deadline - now_;
      now_ = deadline;
    }
    if (on_sleep) on_sleep();
    return !stop.stop_requested();
  }
  void advance(std::chrono::nanoseconds by) { now_ += by; }

  std::chrono::nanoseconds slept{};
  std::function<void()> on_sleep;

 private:
  Mono now_{std::chrono::hours(1)};
};

struct World {
  struct Logged {
    bson::Timestamp time;
    std::string token;
    Op op;
    CollectionName collection;
    std::string id;
    bson::Document raw;
    bson::Document after;
  };
  struct Held {
    std::string doc;  // the text that the sink has written
    std::string token;
    std::optional<int64_t> time_ms;
    friend bool operator==(const Held&, const Held&) = default;
  };
  using Rows = std::map<std::string, Held>;

  CollectionName orders{"shop", "orders"};
  std::string bucket_field = "at";
  SteppingClock clock;
  std::function<void(std::string_view)> on_step = [](std::string_view) {};

  bson::Timestamp time{1'700'000'000, 0};
  std::map<CollectionName, std::map<std::string, bson::Document>> documents;
  std::vector<bson::Document> of_another_shard;  // of `orders`; handed out behind the others
  std::set<CollectionName> capped;
  // The sink's renderer, for tests that break it.
  std::function<std::string(bson::View)> render = [](bson::View document) { return bson::to_json(document); };
  std::vector<Logged> log;

  std::map<CollectionName, Rows> rows;
  std::vector<size_t> applied = {0, 0};  // by lane: events of the log that it has passed
  size_t stored = 0;                     // likewise: what the stored position says
  std::string deployment = "rs0";
  std::string fingerprint = "f";
  bool position_is_lost = false;

  // --- the source
  void tick() { ++time.increment; }
  std::string token_at(bson::Timestamp at, uint32_t part) const {
    return fmt::format("82{:08X}{:08X}2B{:04X}6E04", at.seconds, at.increment, part);
  }
  static std::string mark_at(bson::Timestamp at) {
    return fmt::format("82{:08X}{:08X}00", at.seconds, at.increment);
  }

  // One event. `with_last`: in the transaction of the one before, at its time.
  void append(Op op, const CollectionName& collection, const std::string& id, const bson::Document& after,
              bool with_last = false) {
    if (!with_last) tick();
    const uint32_t part =
        with_last && !log.empty() && log.back().time == time
            ? static_cast<uint32_t>(std::stoul(log.back().token.substr(20, 4), nullptr, 16)) + 1
            : 0;
    Logged entry{time, token_at(time, part), op, collection, id, {}, after};
    bson::Builder token, ns, raw;
    token.append("_data", entry.token);
    ns.append("db", collection.database).append("coll", collection.collection);
    raw.append("_id", token.view());
    raw.append("operationType", op == Op::kDelete   ? "delete"
                                : op == Op::kInsert ? "insert"
                                : op == Op::kDrop   ? "drop"
                                                    : "replace");
    raw.append_timestamp("clusterTime", time.seconds, time.increment);
    raw.append("ns", ns.view());
    if (op != Op::kDrop) raw.append("documentKey", *bson::Document::from_json("{\"_id\":" + id + "}"));
    if (after) raw.append("fullDocument", after);
    entry.raw = raw.finish();
    log.push_back(std::move(entry));
  }
  void put(const std::string& id_json, const std::string& rest, bool with_last = false) {
    const auto document =
        *bson::Document::from_json("{\"_id\":" + id_json + (rest.empty() ? "" : ",") + rest + "}");
    std::string id;
    bson::append_json_value(*document.view().find("_id"), bson::JsonMode::kCanonical, id);
    const bool there = documents[orders].contains(id);
    documents[orders][id] = document;
    append(there ? Op::kReplace : Op::kInsert, orders, id, document, with_last);
  }
  void remove(const std::string& id, bool with_last = false) {
    if (documents[orders].erase(id) > 0) append(Op::kDelete, orders, id, {}, with_last);
  }
  void drop() {
    documents[orders].clear();
    append(Op::kDrop, orders, "", {});
  }

  // --- the destination
  static void guarded_put(Rows& rows, const std::string& id, std::string doc, std::optional<int64_t> time_ms,
                          const std::string& token) {
    const auto found = rows.find(id);
    if (found == rows.end() || found->second.token < token) rows[id] = {std::move(doc), token, time_ms};
  }
  static void guarded_remove(Rows& rows, const std::string& id, const std::string& token) {
    const auto found = rows.find(id);
    if (found != rows.end() && found->second.token < token) rows.erase(found);
  }

  // --- the relay: two lanes by id, a barrier at a drop
  static size_t lane_of(const std::string& id) { return std::hash<std::string>()(id) % 2; }
  bool apply_next(size_t lane) {
    if (applied[lane] >= log.size()) return false;
    const Logged& event = log[applied[lane]];
    if (event.op == Op::kDrop) {
      if (applied[1 - lane] < applied[lane]) return false;  // waits for the other lane
      std::erase_if(rows[event.collection], [&](const auto& row) { return row.second.token < event.token; });
    } else if (lane_of(event.id) == lane && event.op == Op::kDelete) {
      guarded_remove(rows[event.collection], event.id, event.token);
    } else if (lane_of(event.id) == lane) {
      guarded_put(rows[event.collection], event.id, render(event.after), time_in(event.after, bucket_field),
                  event.token);
    }
    ++applied[lane];
    return true;
  }
  size_t durable() const { return std::min(applied[0], applied[1]); }
  void save(size_t at) { stored = std::min(at, durable()); }
  void crash() { applied = {stored, stored}; }
  void drain() {
    while (apply_next(0) || apply_next(1)) {
    }
    stored = durable();
  }
  Position position() const {
    bson::Builder token;
    if (stored == 0)
      return Position(token.append("_data", mark_at({1'700'000'000, 0})).view(), {1'700'000'000, 0});
    return Position(token.append("_data", log[stored - 1].token).view(), log[stored - 1].time);
  }
};

}  // namespace tidemark::guard::audit_world
