#include "app/letter_box.h"

#include "app/letter_retry.h"
#include "base/check.h"
#include "base/log.h"

namespace tidemark::app {

Result<std::unique_ptr<LetterBox>> LetterBox::create(App& app, const config::PipelineConfig& pipeline) {
  if (!pipeline.dead_letters) {
    return fail(React::kConfig, "pipeline \"" + pipeline.name + "\" keeps no dead letters",
                "set on_reject = \"dead_letter\" and add [pipeline.dead_letters]");
  }
  const DeadLettersComponent& type = app.components.dead_letters.get(pipeline.dead_letters->type);
  ComponentContext context = app.context();
  context.pipeline = pipeline.name;
  TIDEMARK_ASSIGN(auto store, type.make(pipeline.dead_letters->settings, context));
  return std::unique_ptr<LetterBox>(new LetterBox(app, pipeline, std::move(store)));
}

Status LetterBox::open(std::stop_token stop) {
  if (open_) return {};
  TIDEMARK_TRY(store_->open(std::move(stop)));
  open_ = true;
  return {};
}

Result<std::vector<DeadLetter>> LetterBox::list(const std::string& after, size_t limit,
                                                std::stop_token stop) {
  MutexLock lock(mutex_);
  TIDEMARK_TRY(open(std::move(stop)));
  return checked(store_->list(pipeline_.name, after, limit));
}

Result<DeadLetter> LetterBox::find(const std::string& id, std::stop_token stop) {
  MutexLock lock(mutex_);
  return get(id, std::move(stop));
}

Result<uint64_t> LetterBox::count(std::stop_token stop) {
  MutexLock lock(mutex_);
  TIDEMARK_TRY(open(std::move(stop)));
  return checked(store_->count(pipeline_.name));
}

Result<std::string> LetterBox::retry(const std::string& id, std::stop_token stop) {
  MutexLock lock(mutex_);
  TIDEMARK_ASSIGN(const DeadLetter letter, get(id, stop));
  std::string done = "put back before the source";
  if (store_->redelivers()) {
    TIDEMARK_TRY(checked(store_->redeliver(pipeline_.name, id, std::move(stop))));
  } else {
    TIDEMARK_ASSIGN(done, retry_letter(app_, pipeline_, letter, std::move(stop)));
    TIDEMARK_TRY(checked(store_->remove(pipeline_.name, id)));
  }
  log::info("{}: dead letter {}: {}", pipeline_.name, id, done);
  return done;
}

Status LetterBox::discard(const std::string& id, std::stop_token stop) {
  MutexLock lock(mutex_);
  TIDEMARK_TRY(get(id, std::move(stop)));
  return checked(store_->remove(pipeline_.name, id));
}

Result<DeadLetter> LetterBox::get(const std::string& id, std::stop_token stop) {
  TIDEMARK_TRY(open(std::move(stop)));
  TIDEMARK_ASSIGN(std::optional<DeadLetter> letter, checked(store_->find(pipeline_.name, id)));
  if (letter) return std::move(*letter);
  return fail(React::kReject, "pipeline \"" + pipeline_.name + "\" has no dead letter " + id,
              "it may have been retried or discarded; tidemark dlq list shows what is there");
}

}  // namespace tidemark::app
