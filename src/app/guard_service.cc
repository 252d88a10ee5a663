#include "app/guard_service.h"

#include "app/audit_history.h"
#include "base/log.h"
#include "guard/audit.h"
#include "http/webhook.h"

namespace tidemark::app {
namespace {

// Alerts on the page's timeline, among what happened to the pipelines.
class TimelineNotifier final : public guard::Notifier {
 public:
  explicit TimelineNotifier(Timeline& timeline) : timeline_(timeline) {}
  void notify(const guard::AlertView& alert) override {
    timeline_.add({.pipeline = alert.pipeline,
                   .kind = "alert",
                   .text = alert.firing ? alert.name + ": " + alert.text : alert.name + " resolved"});
  }

 private:
  Timeline& timeline_;
};

// One scheduled audit: the same object from run to run, so that what an interrupted one has done is not lost.
class ScheduledRun {
 public:
  ScheduledRun(App& app, std::string state, guard::AuditParts parts, guard::AuditOptions options)
      : app_(app),
        state_(std::move(state)),
        path_(options.state_path),
        audit_(std::move(parts), std::move(options)) {}

  Result<guard::AuditView> run(std::stop_token stop, const guard::WatchAudit::Progress& progress) {
    std::unique_ptr<FileLock> lock;
    if (!path_.empty()) {
      TIDEMARK_ASSIGN(lock, app_.files.lock(path_ + ".lock"));
    }
    TIDEMARK_ASSIGN(const guard::AuditReport report,
                    audit_.run(std::move(stop), [&](const guard::AuditProgress& at) { progress(at.done); }));
    guard::AuditView view;
    guard::fill(report, view);
    if (Status kept = keep_audit(app_.files, state_, view); !kept)
      log::warn("{}: the audit's result was not kept: {}", report.pipeline, kept.error().describe());
    return view;
  }

 private:
  App& app_;
  const std::string state_, path_;
  guard::Audit audit_;
};

// Every rule with `for` = 0: the built-in ones first, since of several overrides the later wins.
std::vector<guard::RuleOverride> without_patience(const std::vector<guard::RuleOverride>& given) {
  std::vector<guard::RuleOverride> all;
  for (const guard::RuleSpec& spec : guard::rule_specs()) {
    guard::RuleOverride rule;
    rule.rule = spec.id;
    all.push_back(rule);
  }
  all.insert(all.end(), given.begin(), given.end());
  for (guard::RuleOverride& rule : all) rule.for_ms = std::chrono::milliseconds::zero();
  return all;
}

Status check_webhook(const config::Settings& settings, const http::WebhookOptions& options) {
  for (const std::string& name : options.alerts)
    if (guard::find_rule(name) == nullptr)
      return fail(settings.error("alerts", "there is no alert \"" + name + "\"",
                                 config::suggest(name, guard::rule_names())));
  return {};
}

Result<std::vector<http::WebhookOptions>> webhooks_of(const config::File& file) {
  std::vector<http::WebhookOptions> all;
  if (!file.guard) return all;
  for (const config::Settings& settings : file.guard->webhooks) {
    TIDEMARK_ASSIGN(http::WebhookOptions options, http::webhook_options(settings));
    TIDEMARK_TRY(check_webhook(settings, options));
    all.push_back(std::move(options));
  }
  return all;
}

}  // namespace

Result<std::unique_ptr<GuardService>> GuardService::create(App& app, const config::File& file,
                                                           GuardServiceOptions options) {
  auto service = std::unique_ptr<GuardService>(new GuardService(app, file, std::move(options)));
  TIDEMARK_TRY(service->build());
  return service;
}

GuardService::~GuardService() { stop(); }

Status GuardService::build() {
  TIDEMARK_ASSIGN(settings_, GuardSettings::of(file_));
  guard::WatchOptions options;
  options.alerts = {.interval = settings_.frame.interval,
                    .resume_max = settings_.frame.resume_max,
                    .overrides = options_.at_once ? without_patience(settings_.rules) : settings_.rules};
  TIDEMARK_ASSIGN(auto subjects, this->subjects());
  TIDEMARK_ASSIGN(auto audits, this->audits());
  if (options_.notify) notifiers_.push_back(std::make_unique<guard::LogNotifier>());
  if (options_.timeline != nullptr)
    notifiers_.push_back(std::make_unique<TimelineNotifier>(*options_.timeline));
  // Last of what can fail: a webhook is at work from the moment it is made.
  TIDEMARK_TRY(add_webhooks());
  std::vector<guard::Notifier*> notifiers;
  for (const auto& notifier : notifiers_) notifiers.push_back(notifier.get());
  watch_ = std::make_unique<guard::Watch>(std::move(options), std::move(subjects), std::move(audits),
                                          std::move(notifiers), app_.clock);
  return {};
}

Status GuardService::add_webhooks() {
  TIDEMARK_ASSIGN(auto webhooks, webhooks_of(file_));
  if (!options_.notify) return {};
  for (http::WebhookOptions& options : webhooks) {
    auto webhook = std::make_unique<http::Webhook>(std::move(options), app_.clock);
    stop_notifiers_.emplace_back([it = webhook.get()] { it->stop(); });
    notifiers_.push_back(std::move(webhook));
  }
  return {};
}

Result<std::vector<guard::WatchSubject>> GuardService::subjects() {
  std::vector<guard::WatchSubject> all;
  for (const config::PipelineConfig& pipeline : file_.pipelines) {
    if (!watches(pipeline.name)) continue;
    InsideView inside = options_.inside ? options_.inside(pipeline) : InsideView{};
    inside.stopping = [this] { return silent_.load(); };
    TIDEMARK_ASSIGN(guard::Look look, make_look(app_, pipeline, std::move(inside)));
    guard::SubjectFacts facts;
    facts.idle_save = pipeline.frame.duration("idle_save");
    if (options_.seen) {
      look = [look = std::move(look), seen = options_.seen](std::stop_token stop) {
        guard::Signals signals = look(std::move(stop));
        seen(signals);
        return signals;
      };
    }
    all.push_back({.pipeline = pipeline.name, .facts = facts, .look = std::move(look)});
  }
  return all;
}

Result<std::vector<guard::WatchAudit>> GuardService::audits() {
  std::vector<guard::WatchAudit> all;
  for (guard::ScheduledAudit& scheduled : settings_.audits) {
    if (!watches(scheduled.pipeline)) continue;
    const config::PipelineConfig* pipeline = file_.find(scheduled.pipeline);
    TIDEMARK_ASSIGN(guard::AuditParts parts, make_audit_parts(app_, *pipeline));
    const std::string& state = settings_.frame.state;
    const std::string kind(to_string(scheduled.options.kind));
    guard::AuditOptions options = scheduled.options;
    options.state_path = audit_state_path(settings_.frame, scheduled.pipeline, options.kind, false);
    auto run = std::make_shared<ScheduledRun>(app_, state, std::move(parts), std::move(options));
    all.push_back({.pipeline = scheduled.pipeline,
                   .kind = kind,
                   .every = scheduled.every,
                   .run =
                       [run](std::stop_token stop, const guard::WatchAudit::Progress& progress) {
                         return run->run(std::move(stop), progress);
                       },
                   .last = last_audit(app_.files, state, scheduled.pipeline, kind)});
  }
  return all;
}

Status GuardService::prepare() { return make_state_folder(settings_.frame.state); }

void GuardService::start() { watch_->start(); }

void GuardService::stop() {
  silence();
  if (watch_) watch_->stop();
  for (const auto& stop : stop_notifiers_) stop();
}

guard::GuardView GuardService::view() const { return watch_->view(); }

Status check_guard(App& app, const config::File& file, const std::string& only) {
  TIDEMARK_TRY(GuardService::create(app, file, {.only = only, .notify = false}));
  return {};
}

}  // namespace tidemark::app
