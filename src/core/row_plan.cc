#include "core/row_plan.h"

#include <algorithm>
#include <functional>

#include "bson/json.h"

namespace tidemark {
namespace {

constexpr size_t kSlotsMin = 256;

std::string describe(const Event& event) {
  if (event.op == Op::kRereadEnd) {
    std::string text = "rename onto ";
    append_ns(event.ns, text);
    return text;
  }
  std::string text(event.op_name.empty() ? std::string_view("event") : event.op_name);
  text += " of ";
  append_ns(event.ns, text);
  return text;
}

}  // namespace

// --- TablePattern

Result<TablePattern> TablePattern::parse(std::string_view text, Schema schema) {
  TablePattern pattern;
  size_t dot = std::string_view::npos;
  if (schema == Schema::kAllowed) {
    int depth = 0;
    for (size_t i = 0; i < text.size() && dot == std::string_view::npos; ++i) {
      if (text[i] == '{') ++depth;
      if (text[i] == '}') --depth;
      if (text[i] == '.' && depth == 0) dot = i;
    }
  }
  if (dot != std::string_view::npos) {
    TIDEMARK_ASSIGN(pattern.schema_, parse_part(text.substr(0, dot)));
    text.remove_prefix(dot + 1);
  }
  TIDEMARK_ASSIGN(pattern.name_, parse_part(text));
  return pattern;
}

Result<TablePattern::Part> TablePattern::parse_part(std::string_view text) {
  Part part;
  if (text.empty()) return fail(React::kConfig, "the table has no name", "write table = \"orders\"");
  if (text.find('\0') != std::string_view::npos)
    return fail(React::kConfig, "the table's name holds U+0000", "take it out");
  while (!text.empty()) {
    const size_t open = text.find('{');
    if (open > 0) part.pieces.push_back({Piece::Kind::kText, std::string(text.substr(0, open))});
    if (open == std::string_view::npos) break;
    const size_t close = text.find('}', open);
    if (close == std::string_view::npos)
      return fail(React::kConfig, "the table's name has a '{' without its '}'",
                  "write {database} or {collection}");
    const std::string_view name = text.substr(open + 1, close - open - 1);
    if (name == "database") {
      part.pieces.push_back({Piece::Kind::kDatabase, ""});
      part.database = true;
    } else if (name == "collection") {
      part.pieces.push_back({Piece::Kind::kCollection, ""});
      part.collection = true;
    } else {
      return fail(React::kConfig, "the table's name has an unknown placeholder {" + std::string(name) + "}",
                  "there are {database} and {collection}");
    }
    text.remove_prefix(close + 1);
  }
  return part;
}

void TablePattern::Part::expand(const Namespace& ns, std::string& out) const {
  out.clear();
  for (const Piece& piece : pieces) {
    if (piece.kind == Piece::Kind::kText) out.append(piece.text);
    if (piece.kind == Piece::Kind::kDatabase) out.append(ns.database);
    if (piece.kind == Piece::Kind::kCollection) out.append(ns.collection);
  }
}

void TablePattern::expand(const Namespace& ns, TableName& out) const {
  schema_.expand(ns, out.schema);
  name_.expand(ns, out.name);
}

bool TablePattern::Part::is_ambiguous() const {
  if (!database || !collection) return false;
  // What no database's name can hold: the first of these in a name stands in the text, and so tells where {database} ends
  // in front of it, or begins behind it.
  constexpr std::string_view kForeign("/\\. \"$*<>:|?\0", 13);
  const auto parts = [&](const Piece& piece) {
    return piece.kind == Piece::Kind::kText && piece.text.find_first_of(kForeign) != std::string::npos;
  };
  const auto is_placeholder = [](const Piece& piece) { return piece.kind != Piece::Kind::kText; };
  const auto first = std::find_if(pieces.begin(), pieces.end(), is_placeholder);
  if (first->kind == Piece::Kind::kDatabase && first + 1 != pieces.end() && parts(*(first + 1))) return false;
  const auto last = std::find_if(pieces.rbegin(), pieces.rend(), is_placeholder);
  return !(last->kind == Piece::Kind::kDatabase && last + 1 != pieces.rend() && parts(*(last + 1)));
}

std::optional<std::pair<CollectionName, CollectionName>> TablePattern::collision() const {
  if (!has_database() || !has_collection()) return std::nullopt;
  const auto tells_one = [](const Part& part) { return part.database != part.collection; };
  if (tells_one(schema_) || tells_one(name_)) return std::nullopt;
  const Part& both = name_.database ? name_ : schema_;
  if ((name_.database && !name_.is_ambiguous()) || (schema_.database && !schema_.is_ambiguous()))
    return std::nullopt;
  // "a_b" and "c" against "a" and "b_c", whatever stands between them and in which order.
  std::string between;
  const auto is_placeholder = [](const Piece& piece) { return piece.kind != Piece::Kind::kText; };
  const auto first = std::find_if(both.pieces.begin(), both.pieces.end(), is_placeholder);
  for (auto piece = first + 1; piece != both.pieces.end() && !is_placeholder(*piece); ++piece)
    between += piece->text;
  const std::string left = "a" + between + "b", right = "b" + between + "c";
  if (first->kind == Piece::Kind::kDatabase) return {{{left, "c"}, {"a", right}}};
  return {{{"c", left}, {right, "a"}}};
}

std::optional<std::string> TablePattern::collection_that_leads_to(const TableName& name,
                                                                  std::string_view database) const {
  if (!has_collection()) return std::nullopt;
  // Whatever the collection is, it is no longer than the name; what stands before and behind it is known.
  for (size_t begin = 0; begin < name.name.size(); ++begin) {
    for (size_t size = name.name.size() - begin; size > 0; --size) {
      const std::string collection = name.name.substr(begin, size);
      TableName reached;
      expand({database, collection}, reached);
      if (reached == name) return collection;
    }
  }
  return std::nullopt;
}

// --- RowPlan

void RowPlan::clear() {
  table_count_ = 0;
  first_puts_.clear();
  keys_.clear();
  last_ns_ = {};
  ids_.clear();
  id_ends_.clear();
  changes_.clear();
  cuts_.clear();
  steps_.clear();
  step_begin_ = 0;
}

WriteResult RowPlan::plan(std::span<const Event> events, const RefusedNames* refused) {
  clear();
  refused_ = refused;
  ++generation_;
  for (size_t i = 0; i < events.size(); ++i) {
    if (refused != nullptr && refused->has(events[i].ns)) continue;
    if (auto added = add(events[i]); !added) {
      clear();
      return write_failed(std::move(added).error(), 0, i);
    }
  }
  finish();
  return {};
}

Status RowPlan::add(const Event& event) {
  switch (event.op) {
    case Op::kInsert:
    case Op::kReplace:
    case Op::kUpdate:
      if (event.after) return put(event, false);
      if (is_null_lookup(event)) return put(event, true);
      return fail(React::kReject,
                  "the " + describe(event) + " comes without its document, and mode 'current' needs it",
                  "set full_document = \"update_lookup\" on the source, or use mode = \"log\"");
    case Op::kDelete:
      return put(event, true);
    case Op::kRename:
      return add_rename(event);
    case Op::kDrop:
    case Op::kDropDatabase:
      return add_clear(event);
    case Op::kRereadEnd:
      return add_reread_end(event);
    case Op::kInvalidate:
    case Op::kOther:
      return {};
  }
  return {};
}

Status RowPlan::put(const Event& event, bool remove) {
  const uint32_t table = table_of(event.ns);
  const size_t start = ids_.size();
  if (!append_row_id(event, ids_)) {
    return fail(React::kReject, "the " + describe(event) + " has no _id in its documentKey",
                "a filter, a projection or a proxy takes it away; rows are keyed by it");
  }
  if (!remove) note_put(table, event);
  if ((changes_.size() - step_begin_ + 1) * 2 > slots_.size()) grow_slots();
  Slot& slot = slot_of(table, std::string_view(ids_).substr(start));
  if (slot.generation == generation_) {
    ids_.resize(start);
    changes_[slot.change].event = &event;
    changes_[slot.change].remove = remove;
    return {};
  }
  slot = {generation_, static_cast<uint32_t>(changes_.size())};
  changes_.push_back({&event, {}, table, remove});
  id_ends_.push_back(static_cast<uint32_t>(ids_.size()));
  return {};
}

Status RowPlan::stop_error(const Event& event) const {
  return fail(
      React::kConfig, "a " + describe(event) + " arrived and on_drop = \"stop\"",
      "decide what becomes of the table, then set on_drop to \"apply\" or \"ignore\" and start again");
}

Status RowPlan::add_clear(const Event& event) {
  if (on_drop_ == OnDrop::kIgnore) return {};
  if (on_drop_ == OnDrop::kStop) return stop_error(event);
  if (event.op == Op::kDropDatabase && pattern_.has_collection()) return {};
  cut({RowBarrier::Kind::kClear, &event, table_of(event.ns), 0});
  return {};
}

Status RowPlan::add_rename(const Event& event) {
  if (on_drop_ == OnDrop::kIgnore) return {};
  if (on_drop_ == OnDrop::kStop) return stop_error(event);
  if (event.to.collection.empty())
    return fail(React::kReject, "the " + describe(event) + " doesn't say where to (field `to`)",
                "a filter or a projection takes it away");
  // No row of it was ever here. Those of its target stay until what it brought has been read.
  if (event.enters) return {};
  const uint32_t from = table_of(event.ns);
  if (event.leaves || (refused_ != nullptr && refused_->has(event.to))) {
    cut({RowBarrier::Kind::kClear, &event, from, 0});
    return {};
  }
  const uint32_t target = table_of(event.to);
  // In the one table of one collection everything stays until what the rename brought has been read.
  if (from == target) return {};
  const bool same_name = tables_[from] == tables_[target];
  cut({same_name ? RowBarrier::Kind::kClear : RowBarrier::Kind::kMove, &event, from, target});
  return {};
}

Status RowPlan::add_reread_end(const Event& event) {
  if (on_drop_ == OnDrop::kIgnore) return {};
  if (on_drop_ == OnDrop::kStop) return stop_error(event);
  cut({RowBarrier::Kind::kClear, &event, table_of(event.ns), 0});
  return {};
}

void RowPlan::note_put(uint32_t table, const Event& event) {
  if (first_puts_[table] == nullptr) first_puts_[table] = &event;
}

Namespace RowPlan::key_of(const Namespace& ns) const {
  return {pattern_.has_database() ? ns.database : std::string_view(),
          pattern_.has_collection() ? ns.collection : std::string_view()};
}

uint32_t RowPlan::table_of(const Namespace& ns) {
  if (table_count_ > 0 && ns == last_ns_) return last_table_;
  const Namespace key = key_of(ns);
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  last_table_ = static_cast<uint32_t>(found - keys_.begin());
  last_ns_ = ns;
  if (found != keys_.end()) return last_table_;
  if (tables_.size() == table_count_) tables_.emplace_back();
  pattern_.expand(ns, tables_[table_count_++]);
  keys_.push_back(key);
  first_puts_.push_back(nullptr);
  return last_table_;
}

std::string_view RowPlan::id_of(uint32_t change) const {
  const uint32_t begin = change == 0 ? 0 : id_ends_[change - 1];
  return std::string_view(ids_).substr(begin, id_ends_[change] - begin);
}

// The slot that holds the row, else the free one where it belongs. REQUIRES a free slot.
RowPlan::Slot& RowPlan::slot_of(uint32_t table, std::string_view id) {
  const size_t mask = slots_.size() - 1;
  size_t at = (std::hash<std::string_view>()(id) + table * 0x9e3779b97f4a7c15) & mask;
  while (slots_[at].generation == generation_) {
    const uint32_t change = slots_[at].change;
    if (changes_[change].table == table && id_of(change) == id) break;
    at = (at + 1) & mask;
  }
  return slots_[at];
}

void RowPlan::grow_slots() {
  slots_.assign(std::max(kSlotsMin, slots_.size() * 2), Slot{});
  for (size_t i = step_begin_; i < changes_.size(); ++i) {
    const auto change = static_cast<uint32_t>(i);
    slot_of(changes_[i].table, id_of(change)) = {generation_, change};
  }
}

void RowPlan::cut(RowBarrier barrier) {
  cuts_.push_back({changes_.size(), barrier});
  step_begin_ = changes_.size();
  ++generation_;
}

void RowPlan::finish() {
  if (changes_.size() > step_begin_) cut({});
  // Only now do the ids stay where they are.
  for (uint32_t i = 0; i < changes_.size(); ++i) changes_[i].id = id_of(i);
  size_t begin = 0;
  for (const Cut& cut : cuts_) {
    const std::span<RowChange> changes(changes_.data() + begin, cut.changes_end - begin);
    if (table_count_ > 1) {
      std::sort(changes.begin(), changes.end(), [](const RowChange& a, const RowChange& b) {
        return a.table != b.table ? a.table < b.table : a.event < b.event;
      });
    }
    steps_.push_back({changes, cut.barrier});
    begin = cut.changes_end;
  }
}

// --- texts of the columns

bool append_row_id(const Event& event, std::string& out) {
  const auto id = event.key.find("_id");
  if (!id) return false;
  bson::append_json_value(*id, bson::JsonMode::kCanonical, out);
  return true;
}

void append_ns(const Namespace& ns, std::string& out) {
  out.append(ns.database);
  if (ns.collection.empty()) return;
  out.push_back('.');
  out.append(ns.collection);
}

const Namespace& log_place(const Event& event) { return event.enters ? event.to : event.ns; }

bool append_log_update(const Event& event, std::string& out) {
  if (event.update) {
    bson::append_json(event.update, bson::JsonMode::kCanonical, out);
    return true;
  }
  if (event.op == Op::kRename) {
    out.append("{\"to\":{\"db\":");
    bson::append_json_string(event.to.database, out);
    out.append(",\"coll\":");
    bson::append_json_string(event.to.collection, out);
    out.append("}}");
    return true;
  }
  if (event.has_document()) return false;
  const auto description = event.raw.find("operationDescription");
  if (!description || !description->is_document()) return false;
  bson::append_json(description->document(), bson::JsonMode::kCanonical, out);
  return true;
}

bool is_null_lookup(const Event& event) {
  if (event.op != Op::kUpdate || event.after) return false;
  const auto document = event.raw.find("fullDocument");
  return document && document->is_null();
}

}  // namespace tidemark
