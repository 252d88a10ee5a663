// An oplog filled by hand, for the tests of change streams. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bson/document.h"
#include "bson/json.h"
#include "sandbox/change_stream/change_stream.h"
#include "sandbox/replication/oplog.h"

namespace tidemark::sandbox {

inline bson::Document json(std::string_view text) { return bson::Document::from_json(text).value(); }

// The wire form of an array in JSON.
inline bson::Document json_array(const std::string& text) {
  const bson::Document outer = json("{\"a\": " + text + "}");
  return bson::Document(outer.view().find("a")->document());
}

class TestLog {
 public:
  explicit TestLog(size_t bytes_max = 64 << 20) : oplog_(bytes_max) {
    OplogEntry initiating = make(OpKind::kNoop, "");
    initiating.time = {{999, 1}, 1};
    oplog_.append(std::make_shared<const OplogEntry>(std::move(initiating)));
    oplog_.set_commit_point({{999, 1}, 1});
  }

  Oplog& oplog() { return oplog_; }
  Uuid uuid() const { return uuid_; }
  void set_uuid(uint8_t fill) { uuid_.fill(fill); }
  bson::Timestamp now() const { return {1000, increment_}; }

  OplogEntry make(OpKind kind, const std::string& ns) const {
    OplogEntry entry;
    entry.kind = kind;
    const size_t dot = ns.find('.');
    entry.db = ns.substr(0, dot);
    if (dot != std::string::npos) entry.coll = ns.substr(dot + 1);
    entry.uuid = uuid_;
    entry.wall_ms = 1700000000000;
    return entry;
  }
  void add(OplogEntry entry) {
    entry.time = {{1000, ++increment_}, 1};
    oplog_.append(std::make_shared<const OplogEntry>(std::move(entry)));
    oplog_.set_commit_point({{1000, increment_}, 1});
  }
  static OplogEntry with_document(OplogEntry entry, const bson::Document& document) {
    entry.after = document;
    bson::Builder key;
    key.append("_id", *document.view().find("_id"));
    entry.key = key.finish();
    return entry;
  }
  void insert(const std::string& ns, const std::string& document) {
    add(with_document(make(OpKind::kInsert, ns), json(document)));
  }
  void update(const std::string& ns, const std::string& before, const std::string& after,
              const std::string& description, bool recorded = false) {
    OplogEntry entry = with_document(make(OpKind::kUpdate, ns), json(after));
    entry.before = json(before);
    entry.update_description = json(description);
    entry.pre_image_recorded = recorded;
    add(std::move(entry));
  }
  void remove(const std::string& ns, const std::string& document, bool recorded = false) {
    OplogEntry entry = with_document(make(OpKind::kDelete, ns), json(document));
    entry.before = std::move(entry.after);
    entry.after = {};
    entry.pre_image_recorded = recorded;
    add(std::move(entry));
  }
  void command(OpKind kind, const std::string& ns, const std::string& command = "{}") {
    OplogEntry entry = make(kind, ns);
    entry.command = json(command);
    add(std::move(entry));
  }
  void rename(const std::string& from, const std::string& to) {
    OplogEntry entry = make(OpKind::kRename, from);
    const size_t dot = to.find('.');
    entry.to_db = to.substr(0, dot);
    entry.to_coll = to.substr(dot + 1);
    add(std::move(entry));
  }
  void noop() { add(make(OpKind::kNoop, "")); }

 private:
  Oplog oplog_;
  Uuid uuid_{0xAA};
  uint32_t increment_ = 0;
};

struct Pulled {
  std::vector<bson::Document> events;
  bool closed = false;
  bson::Document token;
  // "insert drop invalidate"
  std::string kinds() const {
    std::string out;
    for (const auto& event : events) {
      const auto kind = event.view().find("operationType");
      out += (out.empty() ? "" : " ") + std::string(kind ? kind->string() : "?");
    }
    return out;
  }
  bson::Document token_of(size_t i) const { return bson::Document(events[i].view().find("_id")->document()); }
};

inline Reply<ChangeStream> open_stream(TestLog& log, const std::string& ns, const std::string& pipeline,
                                       ServerVersion version = {}, PostImageLookup lookup = {}) {
  OpenRequest request;
  request.context.version = version;
  const size_t dot = ns.find('.');
  request.context.db = ns.substr(0, dot);
  if (dot != std::string::npos) request.context.collection = ns.substr(dot + 1);
  const bson::Document stages = json_array(pipeline);
  request.pipeline = stages;
  request.oplog = &log.oplog();
  request.lookup = std::move(lookup);
  return ChangeStream::open(std::move(request));
}

inline Reply<Pulled> pull(ChangeStream& stream, BatchLimits limits = {}) {
  bson_t batch;
  bson_init(&batch);
  auto info = stream.next(limits, &batch);
  Pulled out;
  if (info) {
    for (const bson::Element element : bson::View(&batch)) out.events.emplace_back(element.document());
    out.closed = info->closed;
    out.token = bson::Document(stream.post_batch_token());
  }
  bson_destroy(&batch);
  if (!info) return tl::unexpected(info.error());
  return out;
}

inline std::string data_of(bson::View token) { return std::string(token.find("_data")->string()); }

inline std::vector<std::string> fields_of(bson::View document) {
  std::vector<std::string> names;
  for (const bson::Element element : document) names.emplace_back(element.key());
  return names;
}

inline Pulled must_pull(ChangeStream& stream, BatchLimits limits = {}) {
  auto pulled = pull(stream, limits);
  EXPECT_TRUE(pulled) << pulled.error().message;
  return pulled ? *pulled : Pulled{};
}

inline ChangeStream must_open(TestLog& log, const std::string& ns, const std::string& pipeline,
                              ServerVersion version = {}, PostImageLookup lookup = {}) {
  auto stream = open_stream(log, ns, pipeline, version, std::move(lookup));
  if (!stream) ADD_FAILURE() << stream.error().code << " " << stream.error().message;
  return std::move(*stream);
}

inline std::string options(const std::string& name, bson::View token) {
  return "[{\"$changeStream\": {\"" + name + "\": " + bson::to_json(token) + "}}]";
}

}  // namespace tidemark::sandbox
