// Change events as a server would send them, numbered: event n has a token that sorts as n does. For tests of
// sinks, transforms and stores. Header-only; one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/digest.h"
#include "bson/document.h"
#include "core/event.h"
#include "core/position.h"

namespace tidemark::testing {

inline bson::Document doc(std::string_view json) {
  auto parsed = bson::Document::from_json(json);
  if (!parsed) ADD_FAILURE() << "not a document: " << json << ": " << parsed.error().what;
  return parsed ? *parsed : bson::Document();
}

// The token's hex string of event `n`: cluster time (1700000000 + n / 10, 1 + n % 10), then a fixed tail.
inline std::string token_hex(uint32_t n) {
  char text[64];
  std::snprintf(text, sizeof text, "82%08X%08X2B0229296E04", 1700000000u + n / 10, 1u + n % 10);
  return text;
}

inline bson::Document token_doc(uint32_t n) {
  bson::Builder token;
  token.append("_data", token_hex(n));
  return token.finish();
}

inline Position position_at(uint32_t n) {
  return Position(token_doc(n), bson::Timestamp{1700000000u + n / 10, 1u + n % 10});
}

// The document of these bytes, which may hold what no text says and no builder builds.
inline bson::Document framed(std::string_view hex) {
  const auto bytes = from_hex(hex);
  auto view = bson::View::parse(bytes ? std::span<const uint8_t>(*bytes) : std::span<const uint8_t>());
  if (!view) ADD_FAILURE() << hex << ": " << view.error().what;
  return view ? bson::Document(*view) : bson::Document();
}

// {"_id": 1, "a": a binary of subtype 2 without its inner length, "b": 2, "c": "end"}
inline bson::Document odd_binary() {
  return framed("2d000000105f69640001000000056100050000000201020304051062000200000002630004000000656e640000");
}

// An event of collection shop.orders. `extra` holds further fields of the change event.
inline bson::Document change_event(uint32_t n, std::string_view op, const bson::Document& key,
                                   const bson::Document& extra) {
  bson::Builder event;
  event.append("_id", token_doc(n).view());
  event.append("operationType", op);
  event.append_timestamp("clusterTime", 1700000000u + n / 10, 1u + n % 10);
  event.append_date("wallTime", (1700000000ll + n / 10) * 1000);
  bson::Builder ns;
  ns.append("db", "shop").append("coll", "orders");
  event.append("ns", ns.view());
  event.append("documentKey", key.view());
  event.concat(extra);
  return event.finish();
}

// The same, both as Extended JSON.
inline bson::Document change_event(uint32_t n, std::string_view op, std::string_view key_json,
                                   std::string_view extra_json = "{}") {
  return change_event(n, op, doc(key_json), doc(extra_json));
}

// An event that carries `document` whole, under its own _id.
inline bson::Document change_event_of(uint32_t n, std::string_view op, const bson::Document& document) {
  bson::Builder key, extra;
  if (const auto id = document.view().find("_id")) key.append("_id", *id);
  extra.append("fullDocument", document.view());
  return change_event(n, op, key.finish(), extra.finish());
}

// An insert {_id: 1, v: value} or another event of one collection.
inline bson::Document change_of(uint32_t n, std::string_view op, std::string_view db, std::string_view coll,
                                std::string_view value = "") {
  bson::Builder event, ns, key, document;
  event.append("_id", token_doc(n).view()).append("operationType", op);
  event.append_timestamp("clusterTime", 1700000000, n);
  ns.append("db", db).append("coll", coll);
  event.append("ns", ns.view());
  if (!value.empty()) {
    key.append("_id", int32_t{1});
    document.append("_id", int32_t{1}).append("v", value);
    event.append("documentKey", key.view()).append("fullDocument", document.view());
  }
  return event.finish();
}

// Adds `raw` to the batch, parsed; the batch owns the bytes.
inline Event& add_event(EventBatch& batch, const bson::Document& raw) {
  auto event = parse_change_event(batch.store(raw.view()));
  if (!event) {
    ADD_FAILURE() << event.error().what;
    event = Event{};
  }
  batch.events().push_back(*event);
  return batch.events().back();
}

inline Event& add_insert(EventBatch& batch, uint32_t n) {
  const std::string key = R"({"_id": )" + std::to_string(n) + "}";
  const std::string after = R"({"fullDocument": {"_id": )" + std::to_string(n) + R"(, "item": "item )" +
                            std::to_string(n) + R"(", "total": {"$numberDecimal": "19.90"}}})";
  return add_event(batch, change_event(n, "insert", key, after));
}

// Inserts of the documents {_id: first} up to {_id: first + count - 1}, as the events of those numbers.
inline std::shared_ptr<EventBatch> inserts(uint32_t first, uint32_t count) {
  auto batch = std::make_shared<EventBatch>();
  for (uint32_t n = first; n < first + count; ++n) add_insert(*batch, n);
  return batch;
}

}  // namespace tidemark::testing
