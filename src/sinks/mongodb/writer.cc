#include "sinks/mongodb/writer.h"

namespace tidemark::mongodb_sink {

Status Writer::open(mongo::Client&, std::stop_token) {
  forget();
  return {};
}

Status Writer::ensure(mongo::Client& client, std::stop_token stop) {
  for (size_t i = 0; i < targets().size(); ++i) {
    if (!gets_documents(i)) continue;
    const TableName& target = targets()[i];
    std::string name = target.text();
    if (ensured_.contains(name)) continue;
    TIDEMARK_TRY(ensure_one(client, target, stop));
    ensured_.insert(std::move(name));
  }
  return {};
}

Status Writer::ensure_one(mongo::Client& client, const TableName& target, std::stop_token stop) {
  constexpr int kNamespaceExists = 48;
  bson::Builder create;
  create.append("create", target.name);
  auto created = client.write(target.schema, create.view(), std::move(stop));
  if (created || created.error().code == kNamespaceExists) return {};
  return fail(std::move(created).error());
}

}  // namespace tidemark::mongodb_sink
