#include "core/row_plan.h"

#include <algorithm>
#include <functional>

#include "bson/json.h"
#include "bson/utf8.h"
#include "core/row_identity.h"

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

Error no_id(const Event& event) {
  return {React::kReject, "the " + describe(event) + " has no _id in its documentKey",
          "a filter, a projection or a proxy takes it away; rows are keyed by it"};
}

bool same_bytes(const bson::Element& a, const bson::Element& b) {
  return a.type() == b.type() && std::ranges::equal(a.value_bytes(), b.value_bytes());
}

// Replacements, and updates that set `_id` or a part of it (the server lets them, as long as the value stays equal).
bool may_change_form(const Event& event) {
  if (event.op == Op::kReplace) return true;
  if (event.op != Op::kUpdate || !event.update) return false;
  const auto updated = event.update.find("updatedFields");
  if (!updated || !updated->is_document()) return false;
  for (const bson::Element field : updated->document())
    if (field.key() == "_id" || field.key().starts_with("_id.")) return true;
  return false;
}

// Where the search for a row's slot begins.
size_t start_of(uint32_t table, uint64_t hash) { return hash + table * 0x9e3779b97f4a7c15; }

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
  slots_used_ = 0;
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
      if (event.after) return put(event);
      // Whatever its shard key was: the events of one document on one shard come in order, so that a row that stands
      // here already is of an earlier state.
      if (is_null_lookup(event)) return remove(event);
      return fail(React::kReject,
                  "the " + describe(event) + " comes without its document, and mode 'current' needs it",
                  "set full_document = \"update_lookup\" on the source, or use mode = \"log\"");
    case Op::kDelete:
      return remove(event);
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

Status RowPlan::put(const Event& event) {
  const auto id = row_id(event);
  if (!id) return fail(no_id(event));
  bool fresh = false;
  RowChange& change = last_change(event, *id, fresh);
  note_put(change.table, event);
  change.event = &event;
  change.remove = false;
  change.if_key = {};
  change.old_form = false;
  if (may_change_form(event) && has_other_forms(*id)) change.replaces_forms = true;
  if (change.replaces_forms) remove_other_forms(change, *id);
  // The server looked the document up by its old form and found it under a new one.
  if (const auto old = event.key.find("_id"); old && !same_bytes(*old, *id)) remove_form(event, *old);
  return {};
}

Status RowPlan::remove(const Event& event) {
  const auto id = event.key.find("_id");
  if (!id) return fail(no_id(event));
  const bool conditional = event.op == Op::kDelete && has_shard_key(event.key);
  bool fresh = false;
  RowChange* change = &last_change(event, *id, fresh);
  if (!fresh && !change->remove) {
    // Another shard's document, which came here before this delete of the one that it was.
    if (conditional && !is_row_of(event.key, *change->event)) return {};
  } else if (!fresh && change->if_key && conditional && change->if_key != event.key) {
    // Two shard keys, either of which the row may have.
    const uint32_t table = change->table;
    change = &push_change(event, table, id_of(static_cast<uint32_t>(change - changes_.data())), hash_id(*id));
    change->if_key = event.key;
  } else if (fresh && conditional) {
    change->if_key = event.key;
  } else if (!conditional) {
    change->if_key = {};
  }
  change->event = &event;
  change->remove = true;
  change->old_form = false;
  return {};
}

// The last change of the event's row; a new one, with `fresh`, where it had none in this step.
RowChange& RowPlan::last_change(const Event& event, const bson::Element& id, bool& fresh) {
  const uint32_t table = table_of(event.ns);
  const size_t start = ids_.size();
  bson::append_json_value(id, bson::JsonMode::kCanonical, ids_);
  const uint64_t hash = hash_id(id);
  if ((slots_used_ + 1) * 2 > slots_.size()) grow_slots();
  const Slot& slot = slot_of(table, hash, std::string_view(ids_).substr(start));
  fresh = slot.generation != generation_;
  if (!fresh) {
    ids_.resize(start);
    return changes_[slot.change];
  }
  const std::string_view text = std::string_view(ids_).substr(start);
  return push_change(event, table, text, hash);
}

// REQUIRES `id` to be the end of ids_, or another change's.
RowChange& RowPlan::push_change(const Event& event, uint32_t table, std::string_view id, uint64_t hash) {
  Slot& slot = slot_of(table, hash, id);
  if (slot.generation != generation_) ++slots_used_;
  slot = {generation_, hash, static_cast<uint32_t>(changes_.size())};
  if (id.data() + id.size() != ids_.data() + ids_.size()) {
    const size_t at = static_cast<size_t>(id.data() - ids_.data());
    const size_t size = id.size();
    ids_.reserve(ids_.size() + size);
    ids_.append(ids_, at, size);
  }
  RowChange change;
  change.event = &event;
  change.table = table;
  changes_.push_back(change);
  id_ends_.push_back(static_cast<uint32_t>(ids_.size()));
  return changes_.back();
}

void RowPlan::remove_form(const Event& event, const bson::Element& old_form) {
  bool fresh = false;
  RowChange& change = last_change(event, old_form, fresh);
  change.event = &event;
  change.remove = true;
  change.if_key = {};
  change.old_form = true;
}

// What this step did under another form of the `_id` is over.
void RowPlan::remove_other_forms(const RowChange& put, const bson::Element& id) {
  const size_t mask = slots_.size() - 1;
  const uint64_t hash = hash_id(id);
  for (size_t at = start_of(put.table, hash) & mask; slots_[at].generation == generation_;
       at = (at + 1) & mask) {
    if (slots_[at].hash != hash) continue;
    RowChange& other = changes_[slots_[at].change];
    if (&other == &put || other.table != put.table) continue;
    const auto other_id = row_id(*other.event);
    if (!other_id || !same_id(*other_id, id)) continue;
    other.event = put.event;
    other.remove = true;
    other.if_key = {};
    other.old_form = true;
  }
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
RowPlan::Slot& RowPlan::slot_of(uint32_t table, uint64_t hash, std::string_view id) {
  const size_t mask = slots_.size() - 1;
  size_t at = start_of(table, hash) & mask;
  while (slots_[at].generation == generation_) {
    const uint32_t change = slots_[at].change;
    if (slots_[at].hash == hash && changes_[change].table == table && id_of(change) == id) break;
    at = (at + 1) & mask;
  }
  return slots_[at];
}

void RowPlan::grow_slots() {
  const std::vector<Slot> old =
      std::exchange(slots_, std::vector<Slot>(std::max(kSlotsMin, slots_.size() * 2)));
  for (const Slot& slot : old) {
    if (slot.generation != generation_) continue;
    slot_of(changes_[slot.change].table, slot.hash, id_of(slot.change)) = slot;
  }
}

void RowPlan::cut(RowBarrier barrier) {
  cuts_.push_back({changes_.size(), barrier});
  slots_used_ = 0;
  ++generation_;
}

void RowPlan::finish() {
  if (slots_used_ > 0) cut({});
  // Only now do the ids stay where they are.
  for (uint32_t i = 0; i < changes_.size(); ++i) changes_[i].id = id_of(i);
  size_t begin = 0;
  for (const Cut& cut : cuts_) {
    const std::span<RowChange> changes(changes_.data() + begin, cut.changes_end - begin);
    if (table_count_ > 1) {
      std::sort(changes.begin(), changes.end(), [](const RowChange& a, const RowChange& b) {
        if (a.table != b.table) return a.table < b.table;
        return a.event != b.event ? a.event < b.event : a.remove > b.remove;
      });
    }
    steps_.push_back({changes, cut.barrier});
    begin = cut.changes_end;
  }
}

// --- texts of the columns

std::optional<bson::Element> row_id(const Event& event) {
  const auto key = event.key.find("_id");
  if (!key || !event.after) return key;
  const auto own = event.after.find("_id");
  if (!own || same_bytes(*own, *key) || !same_id(*own, *key)) return key;
  return own;
}

bool append_row_id(const Event& event, std::string& out) {
  const auto id = event.key.find("_id");
  if (!id) return false;
  bson::append_json_value(*id, bson::JsonMode::kCanonical, out);
  return true;
}

void append_ns(const Namespace& ns, std::string& out) {
  const size_t start = out.size();
  out.append(ns.database);
  if (!ns.collection.empty()) out.append(".").append(ns.collection);
  if (bson::is_utf8(std::string_view(out).substr(start))) return;
  const std::string name = out.substr(start);
  out.resize(start);
  bson::append_json_text(name, out);
}

const Namespace& log_place(const Event& event) { return event.enters ? event.to : event.ns; }

bool append_log_update(const Event& event, std::string& out) {
  if (event.update) {
    bson::append_json(event.update, bson::JsonMode::kCanonical, out);
    return true;
  }
  if (event.op == Op::kRename) {
    out.append("{\"to\":{\"db\":");
    bson::append_json_text(event.to.database, out);
    out.append(",\"coll\":");
    bson::append_json_text(event.to.collection, out);
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
