#include "sinks/rabbitmq/routing_key.h"

namespace tidemark {

Result<RoutingKey> RoutingKey::parse(std::string_view text) {
  RoutingKey key;
  key.pieces_.push_back({});
  while (!text.empty()) {
    const size_t open = text.find('{');
    key.pieces_.back().text = text.substr(0, open);
    if (open == text.npos) break;
    const size_t close = text.find('}', open);
    const std::string_view name = text.substr(open, close == text.npos ? close : close - open + 1);
    Piece piece;
    if (name == "{database}") {
      piece.what = What::kDatabase;
    } else if (name == "{collection}") {
      piece.what = What::kCollection;
    } else if (name == "{op}") {
      piece.what = What::kOp;
    } else {
      return fail(React::kConfig, "\"" + std::string(name) + "\" is no placeholder",
                  "there are {database}, {collection} and {op}");
    }
    key.pieces_.push_back(piece);
    key.pieces_.push_back({});
    text.remove_prefix(close + 1);
  }
  key.key_ = key.pieces_.front().text;
  return key;
}

const std::string& RoutingKey::of(const Event& event) {
  if (!has_placeholders()) return key_;
  key_.clear();
  for (const Piece& piece : pieces_) {
    switch (piece.what) {
      case What::kText:
        key_ += piece.text;
        break;
      case What::kDatabase:
        key_ += event.ns.database;
        break;
      case What::kCollection:
        key_ += event.ns.collection;
        break;
      case What::kOp:
        key_ += event.op_name;
        break;
    }
  }
  return key_;
}

// "#" stands for any number of words, and a word of a pattern is a whole one.
std::string RoutingKey::topic_pattern() const {
  const std::string& prefix = pieces_.front().text;
  if (!has_placeholders()) return prefix;
  const size_t dot = prefix.rfind('.');
  return dot == prefix.npos ? "#" : prefix.substr(0, dot + 1) + "#";
}

}  // namespace tidemark
