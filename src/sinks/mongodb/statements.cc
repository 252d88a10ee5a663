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

}  // namespace tidemark::mongodb_sink
