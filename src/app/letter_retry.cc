#include "app/letter_retry.h"

#include "base/check.h"
#include "guard/audit_expect.h"
#include "guard/repair.h"

namespace tidemark::app {
namespace {

// Looks at a document that is written and deleted all the time.
constexpr int kLooksMax = 10;

class LetterRetry {
 public:
  LetterRetry(App& app, const config::PipelineConfig& pipeline) : app_(app), pipeline_(pipeline) {
    context_ = app.context();
    context_.pipeline = pipeline.name;
  }

  Result<std::string> run(const DeadLetter& letter, std::stop_token stop) {
    for (const config::Component& component : pipeline_.transforms) {
      TIDEMARK_ASSIGN(auto transform,
                      app_.components.transforms.get(component.type).make(component.settings, context_));
      transforms_.push_back(std::move(transform));
    }
    const SinkComponent& sink = app_.components.sinks.get(pipeline_.sink.type);
    TIDEMARK_ASSIGN(sink_, sink.plain(pipeline_.sink.settings, context_));
    const Make<AuditSource>& documents = app_.components.sources.get(pipeline_.source.type).audit;
    const bool current = sink.needs_full_documents && sink.needs_full_documents(pipeline_.sink.settings);
    EventBatch memory;
    TIDEMARK_ASSIGN(Event event, event_of(letter, memory));
    if (!current || !documents) return deliver(event, memory, stop);
    TIDEMARK_ASSIGN(source_, documents(pipeline_.source.settings, context_));
    TIDEMARK_TRY(source_->open(stop));
    auto done = deliver_present(event, stop);
    source_->close();
    return done;
  }

 private:
  // The words for an event that the transforms drop; empty when they keep it.
  Result<std::string> transform(Event& event, EventBatch& memory) const {
    for (size_t i = 0; i < transforms_.size(); ++i) {
      TIDEMARK_ASSIGN(const Transform::Verdict verdict, transforms_[i]->apply(event, memory));
      if (!event.reject_reason.empty()) return fail(React::kReject, std::string(event.reject_reason));
      if (verdict == Transform::Verdict::kDrop)
        return "left out by transform " + std::to_string(i + 1) + " (" + pipeline_.transforms[i].type + ")";
    }
    return std::string();
  }

  Status write(const Event& event, const std::stop_token& stop) {
    TIDEMARK_TRY(sink_->open(stop));
    const WriteResult written = sink_->write({&event, 1}, stop);
    sink_->close();
    if (!written) return fail(written.error().error);
    return {};
  }

  Result<std::string> deliver(Event& event, EventBatch& memory, const std::stop_token& stop) {
    TIDEMARK_ASSIGN(std::string dropped, transform(event, memory));
    if (!dropped.empty()) return dropped;
    TIDEMARK_TRY(write(event, stop));
    return std::string("delivered again");
  }

  Result<std::string> deliver_present(const Event& event, const std::stop_token& stop) {
    const auto id = event.key.find("_id");
    if (!event.has_document() || !id) {
      return fail(
          React::kReject,
          "the letter is of a change of operationType " + std::string(event.op_name) +
              ", not of one document: written now, it could undo what came after it",
          "tidemark audit --repair makes the destination what the source is; then discard the letter");
    }
    std::string said;
    for (int looks = 0; looks < kLooksMax; ++looks) {
      std::optional<bson::Document> document;
      TIDEMARK_ASSIGN(const bson::Timestamp as_of, look(event, document, stop));
      // What was written stands: a document that changes after this look is the pipeline's business.
      if (document && !said.empty()) return said;
      EventBatch memory;
      if (!document) {
        TIDEMARK_TRY(remove_row(event, as_of, memory, stop));
        return std::string("no longer at the source: its row is removed");
      }
      TIDEMARK_ASSIGN(Event present, present_event(event, *document, as_of, memory));
      TIDEMARK_ASSIGN(std::string dropped, transform(present, memory));
      if (!dropped.empty()) return dropped + ", as the document is now";
      // The transforms saw the insert that an audit measures by; a sink is told that a row may be there.
      present.op = Op::kReplace;
      present.op_name = "replace";
      TIDEMARK_TRY(write(present, stop));
      said = "delivered again, as the source has it now";
    }
    return fail(React::kRetry, "the document comes and goes at the source, so that its row can't be told",
                "try again");
  }

  Result<bson::Timestamp> look(const Event& event, std::optional<bson::Document>& document,
                               const std::stop_token& stop) {
    bson::Builder key;
    key.append("_id", *event.key.find("_id"));
    std::vector<AuditId> ids(1);
    TIDEMARK_TRY(guard::id_of(key.view(), ids[0]));
    return source_->lookup(
        collection(event), ids,
        [&](bson::View found) -> Status {
          document = bson::Document(found);
          return {};
        },
        stop);
  }

  // With the letter's key: where the document's `_id` has another form by now, its old row goes.
  Result<Event> present_event(const Event& event, const bson::Document& document, bson::Timestamp as_of,
                              EventBatch& memory) const {
    const std::string id = guard::repair_id(as_of);
    bson::Builder key;
    key.append("_id", *event.key.find("_id"));
    return guard::make_event(Op::kInsert, collection(event), key.view(), document,
                             {id, as_of, app_.clock.wall_ms()}, memory);
  }

  Status remove_row(const Event& event, bson::Timestamp as_of, EventBatch& memory,
                    const std::stop_token& stop) {
    const std::string id = guard::repair_id(as_of);
    bson::Builder key;
    key.append("_id", *event.key.find("_id"));
    TIDEMARK_ASSIGN(const Event removal, guard::make_event(Op::kDelete, collection(event), key.view(), {},
                                                           {id, as_of, app_.clock.wall_ms()}, memory));
    return write(removal, stop);
  }

  static CollectionName collection(const Event& event) {
    return {std::string(event.ns.database), std::string(event.ns.collection)};
  }

  App& app_;
  const config::PipelineConfig& pipeline_;
  ComponentContext context_;
  std::vector<std::unique_ptr<Transform>> transforms_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<AuditSource> source_;
};

}  // namespace

Result<std::string> retry_letter(App& app, const config::PipelineConfig& pipeline, const DeadLetter& letter,
                                 std::stop_token stop) {
  return LetterRetry(app, pipeline).run(letter, std::move(stop));
}

}  // namespace tidemark::app
