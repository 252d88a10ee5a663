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

// An event of collection shop.orders. `extra` holds further fields of the change event, as Extended JSON.
inline bson::Document change_event(uint32_t n, std::string_view op, std::string_view key_json,
                                   std::string_view extra_json = "{}") {
  bson::Builder event;
  event.append("_id", token_doc(n).view());
  event.append("operationType", op);
  event.append_timestamp("clusterTime", 1700000000u + n / 10, 1u + n % 10);
  event.append_date("wallTime", (1700000000ll + n / 10) * 1000);
  bson::Builder ns;
  ns.append("db", "shop").append("coll", "orders");
  event.append("ns", ns.view());
  event.append("documentKey", doc(key_json).view());
  event.concat(doc(extra_json));
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
