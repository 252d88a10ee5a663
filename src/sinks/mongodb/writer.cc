#include "sinks/mongodb/writer.h"

#include "base/check.h"

namespace tidemark::mongodb_sink {
namespace {

Clock& clock_of(const WriterOptions& options) {
  TIDEMARK_CHECK(options.clock != nullptr, "a writer needs a clock");
  return *options.clock;
}

}  // namespace

Writer::Writer(WriterOptions options) : options_(std::move(options)), known_(clock_of(options_)) {}

Status Writer::open(mongo::Client& client, std::stop_token stop) {
  if (!options_.target.fixed()) return {};
  TableName target;
  options_.target.expand({}, target);
  return known_.look(client, target, std::move(stop));
}

Status Writer::ensure(mongo::Client& client, std::stop_token stop) {
  for (size_t i = 0; i < targets().size(); ++i) {
    if (gets_documents(i) && known_.is_due(targets()[i])) TIDEMARK_TRY(ensure_one(client, targets()[i], stop));
  }
  return {};
}

Status Writer::ensure_one(mongo::Client& client, const TableName& target, std::stop_token stop) {
  return known_.ensure(client, target, std::move(stop));
}

}  // namespace tidemark::mongodb_sink
