// CloudEvents 1.0 as they come in from clients and brokers: structured JSON, batches and binary mode become Events.
//
// Owned and used by one thread at a time: a Parser keeps the memory of its JSON parser and BSON builders from one call
// to the next, so that the hot path allocates next to nothing. The events it appends own nothing of it: all their bytes
// live in the batch.
//
// An Event made here: id "SOURCE ID" (one space; a source has none), op insert, namespace cloudevents.events, key
// {_id: id}, after = the CloudEvent as BSON, payload = the CloudEvent in structured JSON, byte for byte as received
// (binary mode: composed), raw = the change event {_id: {_data: id}, operationType, wallTime, fullDocument, ns,
// documentKey} of them. JSON becomes BSON plainly: strings, numbers (int64, double or Decimal128, whichever
// holds the number exactly: number.h), booleans, null, arrays, objects; a data_base64 stays a string. A context attribute that is null counts as absent, as the JSON format says.
//
// Specifications: https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents (spec.md, formats/json-format.md,
// bindings/http-protocol-binding.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/inlet.h"

namespace tidemark::cloudevents {

inline constexpr std::string_view kStructuredType = "application/cloudevents+json";
inline constexpr std::string_view kBatchType = "application/cloudevents-batch+json";
// The namespace of the events made here.
inline constexpr std::string_view kDatabase = "cloudevents";
inline constexpr std::string_view kCollection = "events";

// Bounds beside those of the format; one event beyond them is refused, never cut.
struct Limits {
  size_t body_bytes_max = 16 << 20;  // of one call's input
  size_t event_bytes_max = 1 << 20;  // of one event in JSON
  size_t bson_bytes_max = 15 << 20;  // of one event in BSON: a server takes 16 MiB, transforms add to it
  size_t events_max = 10'000;        // of one batch
};
inline constexpr size_t kDepthMax = 100;  // objects and arrays in each other, the event itself included
inline constexpr size_t kIdentityBytesMax =
    1024;  // of `id` and of `source`: together they are a key in stores
inline constexpr size_t kAttributeBytesMax = 8192;  // of any other attribute's value
inline constexpr size_t kAttributeNameBytesMax = 128;

// How the message reached the door, for the events made of it.
struct Receipt {
  int64_t received_ms = 0;  // civil time
  uint16_t attempts = 0;    // Event::attempts
};

enum class Form { kStructured, kBatch, kBinary };

// What the content type (with or without parameters, any case) says; `ce_headers`: whether there are any ce-* headers.
// Empty for what nothing here reads: another event format, a charset other than UTF-8, or neither a CloudEvents type
// nor such headers.
std::optional<Form> form_of(std::string_view content_type, bool ce_headers);

// Empty = all is well; at most Answer::kProblemsMax. `where` names the field: "id", "data.items[2]", in a batch
// "events[3].id", in binary mode the header "ce-id"; "body" is the whole.
using Problems = std::vector<Answer::Problem>;
using Headers = std::span<const std::pair<std::string, std::string>>;  // names in lower case, "ce-" included

class Parser {
 public:
  explicit Parser(Limits limits = {});
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // Each appends its events to `batch`, all of them or, with problems, none. An empty batch `[]` is well-formed and
  // appends nothing.
  Problems parse(Form form, std::string_view content_type, Headers headers, std::string_view body,
                 Receipt receipt, EventBatch& batch);
  Problems structured(std::string_view json, Receipt receipt, EventBatch& batch);
  Problems batch(std::string_view json, Receipt receipt, EventBatch& batch);
  // HTTP binding: attributes from the ce-* headers (other headers are passed over), datacontenttype from
  // `content_type`. A JSON body becomes `data`, text in UTF-8 a string in `data`, anything else `data_base64`; an empty
  // body is no data.
  Problems binary(std::string_view content_type, Headers headers, std::string_view body, Receipt receipt,
                  EventBatch& batch);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// An event for a message that can't be read as one: `malformed`, with `reason` as its reject_reason and the bytes as
// its payload, so that it reaches the dead letters whole. fullDocument is {body, contentType}, body as text, or in
// base64 where it isn't UTF-8. `id` must not be empty.
Event& append_malformed(std::string_view id, std::string_view body, std::string_view content_type,
                        std::string_view reason, Receipt receipt, EventBatch& batch);

// Problems as one line for people: "id is missing; time is not a time in RFC 3339".
std::string describe(const Problems& problems);

}  // namespace tidemark::cloudevents
