#include "sinks/mongodb/writer.h"

#include <algorithm>

#include "base/check.h"

namespace tidemark::mongodb_sink {
namespace {

Clock& clock_of(const WriterOptions& options) {
  TIDEMARK_CHECK(options.clock != nullptr, "a writer needs a clock");
  return *options.clock;
}

// The one collection that everything goes to can't be had: no event would be taken.
Error final(Error error) {
  if (error.react == React::kReject) error.react = React::kConfig;
  return error;
}

}  // namespace

Writer::Writer(WriterOptions options, const char* remedy)
    : options_(std::move(options)), known_(clock_of(options_), remedy) {}

Status Writer::open(mongo::Client& client, std::stop_token stop) {
  refused_.clear();
  if (!options_.target.fixed()) return {};
  TableName target;
  options_.target.expand({}, target);
  auto looked = known_.look(client, target, std::move(stop));
  if (!looked) return fail(final(std::move(looked).error()));
  return {};
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

WriteResult Writer::ensure(mongo::Client& client, std::stop_token stop) {
  for (size_t i = 0; i < targets().size(); ++i) {
    const Event* put = first_put(i);
    if (put == nullptr) continue;
    if (Status ready = ensure_one(client, targets()[i], put->ns, stop); !ready)
      return failed_for(std::move(ready).error(), put->ns, static_cast<size_t>(put - events_.data()));
  }
  return {};
}

Status Writer::ensure_one(mongo::Client& client, const TableName& target, const Namespace&,
                          std::stop_token stop) {
  Status ready = known_.ensure(client, target, std::move(stop));
  if (!ready && options_.target.fixed()) return fail(final(std::move(ready).error()));
  return ready;
}

WriteResult Writer::failed_for(Error error, const Namespace& ns, size_t culprit) {
  if (options_.target.fixed() || error.react != React::kReject)
    return write_failed(std::move(error), 0, culprit);
  return refused_.refuse(ns, std::move(error), culprit);
}

}  // namespace tidemark::mongodb_sink
