#include "sinks/mongodb/writer.h"

#include <algorithm>

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
  refused_.clear();
  if (!options_.target.fixed()) return {};
  TableName target;
  options_.target.expand({}, target);
  return known_.look(client, target, std::move(stop));
}

WriteResult Writer::check_names(std::span<const Event> events) {
  const auto is_reserved = [&](const Namespace& ns) {
    if (ns.collection.empty() || refused_.has(ns)) return false;
    options_.target.expand(ns, name_);
    return std::find(options_.reserved.begin(), options_.reserved.end(), name_) != options_.reserved.end();
  };
  Namespace last;
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& event = events[i];
    if (event.ns == last && event.op != Op::kRename) continue;
    last = event.ns;
    for (const Namespace& ns : {event.ns, event.to}) {
      if (!is_reserved(ns)) continue;
      return refused_.refuse(
          ns, {React::kReject, "mongodb sink: the collection " + name_.text() + " is the program's own"}, i);
    }
  }
  return {};
}

Status Writer::ensure(mongo::Client& client, std::stop_token stop) {
  for (size_t i = 0; i < targets().size(); ++i) {
    if (gets_documents(i) && known_.is_due(targets()[i]))
      TIDEMARK_TRY(ensure_one(client, targets()[i], stop));
  }
  return {};
}

Status Writer::ensure_one(mongo::Client& client, const TableName& target, std::stop_token stop) {
  return known_.ensure(client, target, std::move(stop));
}

}  // namespace tidemark::mongodb_sink
