#include "sinks/mongodb/statements.h"

namespace tidemark::mongodb_sink {

Status for_each_command(
    const Verb& verb, std::string_view collection, size_t count, const BuildStatement& build,
    const std::function<Status(const bson::Builder& command, size_t begin, size_t end)>& run) {
  // What didn't fit the last command; a statement is built once.
  bson::Builder next;
  bool built = false;
  for (size_t i = 0; i < count;) {
    const size_t begin = i;
    bson::Builder command;
    command.append(verb.command, collection).append("ordered", false);
    bson_t array;
    bson_append_array_begin(command.raw(), verb.statements, -1, &array);
    while (i < count && i - begin < kStatementsMax) {
      if (!built) build(i, next);
      built = true;
      if (i > begin && array.len + next.view().size() + 16 > kCommandBytesMax) break;
      char buffer[16];
      const char* key = nullptr;
      const size_t key_size =
          bson_uint32_to_string(static_cast<uint32_t>(i - begin), &key, buffer, sizeof buffer);
      bson_append_document(&array, key, static_cast<int>(key_size), next.raw());
      next.clear();
      built = false;
      ++i;
    }
    bson_append_array_end(command.raw(), &array);
    TIDEMARK_TRY(run(command, begin, i));
  }
  return {};
}

namespace {

struct Sending {
  mongo::Client& client;
  const TableName& target;
  const Verb& verb;
  const BuildStatement& build;
  const Handlers& handlers;
  std::stop_token stop;

  Status range(size_t first, size_t last) const {
    const auto each = [&](size_t i, bson::Builder& statement) { build(first + i, statement); };
    const auto run = [&](const bson::Builder& command, size_t b, size_t e) -> Status {
      const size_t begin = first + b;
      const size_t end = first + e;
      auto reply = client.write_batch(target.schema, command.view(), stop);
      if (reply) return handlers.on_reply(*reply, begin, end);
      Error error = std::move(reply).error();
      if (client.in_transaction() || !mongo::may_be_a_document(error.code)) return fail(std::move(error));
      if (end - begin == 1) {
        // One document of the user's is refused, and not waited for.
        if (std::exchange(error.unknown, false)) error.hint.clear();
        return handlers.on_refused(begin, std::move(error));
      }
      const size_t middle = begin + (end - begin) / 2;
      TIDEMARK_TRY(range(begin, middle));
      return range(middle, end);
    };
    return for_each_command(verb, target.name, last - first, each, run);
  }
};

}  // namespace

Status send_statements(mongo::Client& client, const TableName& target, const Verb& verb, size_t count,
                       const BuildStatement& build, const Handlers& handlers, std::stop_token stop) {
  return Sending{client, target, verb, build, handlers, std::move(stop)}.range(0, count);
}

Error rejected(Error error) {
  if (mongo::may_be_a_document(error.code)) error.react = React::kReject;
  return error;
}

bool is_zero_timestamp(const bson::Element& field) {
  uint32_t seconds = 1;
  uint32_t increment = 1;
  if (field.type() == BSON_TYPE_TIMESTAMP) bson_iter_timestamp(&field.iter(), &seconds, &increment);
  return seconds == 0 && increment == 0 && field.key() != "_id";
}

bool has_zero_timestamp(bson::View document) {
  for (const bson::Element field : document)
    if (is_zero_timestamp(field)) return true;
  return false;
}

bson::Document set_zero_timestamps(bson::View document) {
  bson::Builder zeros;
  for (const bson::Element field : document)
    if (is_zero_timestamp(field)) zeros.append_timestamp(field.key(), 0, 0);
  bson::Builder set;
  set.append("$set", zeros.view());
  return set.finish();
}

void append_shard_key(const std::vector<std::string>& paths, bson::View document, bson::Builder& query) {
  for (const std::string& path : paths) {
    bson::Builder equal;
    if (const auto value = document.find_path(path))
      equal.append("$eq", *value);
    else
      equal.append_null("$eq");
    query.append(path, equal.view());
  }
}

}  // namespace tidemark::mongodb_sink
