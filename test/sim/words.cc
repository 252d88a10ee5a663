#include "sim/words.h"

#include "sim/places.h"

namespace tidemark::sim {
namespace {

template <class... T>
struct Words : T... {
  using T::operator()...;
};
template <class... T>
Words(T...) -> Words<T...>;

std::string text(const Position& position) {
  return position.empty() ? "nowhere" : std::to_string(index_of(position));
}

std::string text(const WriteJob& job) {
  std::string all = "[";
  for (const Event& event : job.events)
    all += (all.size() > 1 ? " " : "") + std::to_string(index_of(event.id));
  all += "]";
  if (!job.resume_after.empty()) all += " up to " + text(job.resume_after);
  return all;
}

template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : std::string(to_string(result.error().react)) + " (" + result.error().what + ")";
}

}  // namespace

std::string words_of(const Input& input) {
  return std::visit(
      Words{
          [](const Started&) -> std::string { return "started"; },
          [](const Identified& in) { return "identified: " + outcome(in.result); },
          [](const SinkOpened& in) {
            return "lane " + std::to_string(in.lane) + " opened: " + outcome(in.result);
          },
          [](const PositionAcquired& in) {
            if (!in.result) return "position acquired: " + outcome(in.result);
            return "position acquired: " + (*in.result ? text((*in.result)->position) : std::string("none"));
          },
          [](const SourceOpened& in) {
            return "source opened: " + (in.result ? text(*in.result) : outcome(in.result));
          },
          [](const ReadDone& in) {
            if (!in.result) return "read: " + outcome(in.result);
            std::string all = "read: [";
            for (const Event& event : in.result->events->events())
              all += (all.back() == '[' ? "" : " ") + std::to_string(index_of(event.id)) +
                     (event.reject_reason.empty() ? "" : "!") + (event.has_document() ? "" : "*");
            return all + "] up to " + text(in.result->resume_after) + (in.result->closed ? ", closed" : "");
          },
          [](const WriteDone& in) {
            std::string all = "lane " + std::to_string(in.lane) + " wrote: ";
            if (in.result) return all + "ok";
            const WriteFailure& failure = in.result.error();
            return all + std::string(to_string(failure.error.react)) + ", " +
                   std::to_string(failure.durable_prefix) + " durable, culprit " +
                   std::to_string(failure.culprit);
          },
          [](const SaveDone& in) { return "saved: " + outcome(in.result); },
          [](const DeadLetterDone& in) {
            if (!in.result) return "dead letter: " + outcome(in.result);
            return std::string(*in.result == LetterFate::kKept ? "dead letter kept" : "dead letter put back");
          },
          [](const SourceReady&) -> std::string { return "a primary is announced"; },
          [](const Tick&) -> std::string { return "tick"; },
          [](const StopRequested&) -> std::string { return "stop requested"; }},
      input);
}

std::string words_of(const Action& action) {
  return std::visit(
      Words{[](const IdentifySource&) -> std::string { return "identify"; },
            [](const OpenSink& out) { return "open lane " + std::to_string(out.lane); },
            [](const AcquirePosition& out) { return "acquire the position of " + out.deployment; },
            [](const OpenSource& out) { return "open the source after " + text(out.from); },
            [](const ReadSource&) -> std::string { return "read"; },
            [](const Write& out) { return "lane " + std::to_string(out.lane) + ": write " + text(out.job); },
            [](const Save& out) { return "save " + text(out.position.get()); },
            [](const PutDeadLetter& out) { return "dead letter " + std::to_string(index_of(out.event.id)); },
            [](const Finish& out) {
              return "finish: " + (out.error ? out.error->what : std::string("stopped"));
            }},
      action);
}

}  // namespace tidemark::sim
