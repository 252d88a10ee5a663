#include "sandbox/server/command.h"

#include "sandbox/store/value.h"

namespace tidemark::sandbox {
namespace {

tl::unexpected<CommandError> wrong_type(const Invocation& inv, const bson::Element& field,
                                        std::string_view expected) {
  return command_error(kTypeMismatch, "BSON field '" + std::string(inv.name) + "." +
                                          std::string(field.key()) + "' is the wrong type '" +
                                          std::string(type_name(field.type())) + "', expected type " +
                                          std::string(expected));
}

}  // namespace

PipelineContext Invocation::context(std::string_view collection) const {
  PipelineContext context;
  context.version = version();
  context.db = db;
  context.collection = collection;
  context.now_ms = cluster.clock.wall_ms();
  context.cluster_time = member().oplog.newest().ts;
  if (const auto let = body.find("let"); let && let->is_document())
    context.let = bson::Document(let->document());
  context.random = [&identities = cluster.identities] { return identities.random(); };
  return context;
}

Reply<std::string> Invocation::collection() const {
  const auto first = *body.begin();
  if (!first.is_string())
    return command_error(kInvalidNamespace,
                         "collection name has invalid type " + std::string(type_name(first.type())));
  const auto ns = db + "." + std::string(first.string());
  // The server reads these two where drivers and shells look; every other system collection is refused.
  if (ns != "local.system.replset" && ns != "admin.system.version")
    SANDBOX_TRY(check_namespace(db, first.string()));
  return std::string(first.string());
}

Reply<int64_t> int_field(const Invocation& inv, bson::View of, std::string_view key, int64_t absent) {
  const auto field = of.find(key);
  if (!field || field->is_null()) return absent;
  if (!field->is_number()) return wrong_type(inv, *field, "s '[long, int, decimal, double']");
  const auto whole = field->integer();
  if (!whole) return command_error(kBadValue, "'" + std::string(key) + "' must be a whole number");
  return *whole;
}

Reply<bool> bool_field(const Invocation& inv, bson::View of, std::string_view key, bool absent) {
  const auto field = of.find(key);
  if (!field || field->is_null()) return absent;
  if (field->type() != BSON_TYPE_BOOL && !field->is_number())
    return wrong_type(inv, *field, "s '[bool, long, int, decimal, double']");
  return field->truthy();
}

Reply<bson::View> document_field(const Invocation& inv, bson::View of, std::string_view key) {
  const auto field = of.find(key);
  if (!field || field->is_null()) return bson::View();
  if (!field->is_document()) return wrong_type(inv, *field, "'object'");
  return field->document();
}

Reply<bson::View> array_field(const Invocation& inv, bson::View of, std::string_view key) {
  const auto field = of.find(key);
  if (!field || field->is_null()) return bson::View();
  if (!field->is_array()) return wrong_type(inv, *field, "'array'");
  return field->document();
}

Reply<std::string_view> string_field(const Invocation& inv, bson::View of, std::string_view key) {
  const auto field = of.find(key);
  if (!field || field->is_null()) return std::string_view();
  if (!field->is_string()) return wrong_type(inv, *field, "'string'");
  return field->string();
}

bool token_in(std::string_view tokens, std::string_view token) {
  while (!tokens.empty()) {
    const size_t blank = tokens.find(' ');
    if (tokens.substr(0, blank) == token) return true;
    if (blank == std::string_view::npos) return false;
    tokens.remove_prefix(blank + 1);
  }
  return false;
}

Reply<void> check_fields(bson::View of, std::string_view fields, std::string_view what) {
  for (const auto& field : of)
    if (!token_in(fields, field.key()))
      return command_error(40415, "BSON field '" + std::string(what) + "." + std::string(field.key()) +
                                      "' is an unknown field.");
  return {};
}

Reply<std::vector<bson::View>> batch_of(const Invocation& inv, std::string_view field) {
  std::vector<bson::View> out;
  bool found = false;
  for (const auto& sequence : inv.sequences) {
    if (sequence.name != field) continue;
    out = sequence.documents;
    found = true;
  }
  if (const auto items = inv.body.find(field)) {
    if (found)
      return command_error(40413, "'" + std::string(field) + "' stands in the body and in a sequence");
    if (!items->is_array()) return wrong_type(inv, *items, "'array'");
    for (const auto& item : items->document()) {
      if (!item.is_document()) return wrong_type(inv, item, "'object'");
      out.push_back(item.document());
    }
    found = true;
  }
  if (!found)
    return command_error(40414, "BSON field '" + std::string(inv.name) + "." + std::string(field) +
                                    "' is missing but a required field");
  if (out.empty() || out.size() > 100'000)
    return command_error(kInvalidLength, "Write batch sizes must be between 1 and 100000. Got " +
                                             std::to_string(out.size()) + " operations.");
  return out;
}

ArrayWriter::ArrayWriter(bson_t* parent, std::string_view key) : parent_(parent) {
  bson_append_array_begin(parent_, key.data(), static_cast<int>(key.size()), &array_);
}
ArrayWriter::~ArrayWriter() { bson_append_array_end(parent_, &array_); }

std::string_view ArrayWriter::next_key() {
  const char* key = nullptr;
  const size_t size = bson_uint32_to_string(count_++, &key, key_, sizeof key_);
  return {key, size};
}

void ArrayWriter::append(bson::View document) {
  const auto key = next_key();
  const bson_t raw = document.raw();
  bson_append_document(&array_, key.data(), static_cast<int>(key.size()), &raw);
}
void ArrayWriter::append(const bson::Element& element) {
  const auto key = next_key();
  bson::Builder item;
  item.append(key, element);
  bson_concat(&array_, item.raw());
}
void ArrayWriter::append(std::string_view text) {
  const auto key = next_key();
  bson_append_utf8(&array_, key.data(), static_cast<int>(key.size()), text.data(),
                   static_cast<int>(text.size()));
}
void ArrayWriter::append(int64_t value) {
  const auto key = next_key();
  bson_append_int64(&array_, key.data(), static_cast<int>(key.size()), value);
}

void append_timestamp(bson::Builder& out, std::string_view key, bson::Timestamp time) {
  out.append_timestamp(key, time.seconds, time.increment);
}

void append_op_time(bson::Builder& out, std::string_view key, OpTime time) {
  bson::Builder inner;
  append_timestamp(inner, "ts", time.ts);
  inner.append("t", time.term);
  out.append(key, inner.view());
}

void append_oid(bson::Builder& out, std::string_view key, const bson_oid_t& oid) {
  bson_append_oid(out.raw(), key.data(), static_cast<int>(key.size()), &oid);
}

void append_uuid(bson::Builder& out, std::string_view key, const Uuid& uuid) {
  bson_append_binary(out.raw(), key.data(), static_cast<int>(key.size()), BSON_SUBTYPE_UUID, uuid.data(),
                     static_cast<uint32_t>(uuid.size()));
}

bson_oid_t election_id(int64_t term) {
  bson_oid_t oid = {{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}};
  for (int i = 0; i < 8; i++)
    oid.bytes[11 - i] = static_cast<uint8_t>(static_cast<uint64_t>(term) >> (8 * i));
  return oid;
}

tl::unexpected<CommandError> not_primary(const Invocation& inv) {
  return command_error(kNotWritablePrimary, inv.cluster.classic() ? "not master" : "not primary");
}

}  // namespace tidemark::sandbox
