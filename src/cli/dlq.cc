// `tidemark dlq`: the dead letters, listed, looked at, delivered again or discarded.
#include <cstdio>

#include <nlohmann/json.hpp>

#include "app/exit_codes.h"
#include "app/letter_box.h"
#include "app/start_point.h"
#include "cli/commands.h"

namespace tidemark::cli {
namespace {

constexpr size_t kPage = 200;

// The stable contract of --json: keys are added, never renamed or removed.
nlohmann::json to_json(const DeadLetter& letter) {
  nlohmann::json event = nlohmann::json::parse(letter.event, nullptr, false);
  if (event.is_discarded()) event = letter.event;
  return {{"pipeline", letter.pipeline}, {"id", letter.id},
          {"reason", letter.reason},     {"origin", letter.origin},
          {"attempts", letter.attempts}, {"at", format_rfc3339(letter.at_ms / 1000)},
          {"event", std::move(event)}};
}

void print_line(const DeadLetter& letter) {
  std::printf("%s  %s  %s\n    %s\n", format_rfc3339(letter.at_ms / 1000).c_str(), letter.pipeline.c_str(),
              letter.id.c_str(), letter.reason.c_str());
}

void print_whole(const DeadLetter& letter) {
  std::printf("id        %s\npipeline  %s\nreason    %s\nattempts  %d\nat        %s\n", letter.id.c_str(),
              letter.pipeline.c_str(), letter.reason.c_str(), letter.attempts,
              format_rfc3339(letter.at_ms / 1000).c_str());
  if (!letter.origin.empty()) std::printf("origin    %s\n", letter.origin.c_str());
  std::printf("%s\n",
              to_json(letter)["event"].dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

int failed(const Error& error) {
  const int code = report(error);
  return code == kTemporary ? kUnavailable : code;
}

// Calls `visit` for every letter, in pages; ends with the first code that isn't kOk.
template <class Visit>
int for_each_letter(LetterBox& box, size_t limit, Visit visit) {
  std::string after;
  size_t seen = 0;
  while (seen < limit) {
    const auto page = box.list(after, std::min(kPage, limit - seen));
    if (!page) return failed(page.error());
    if (page->empty()) return kOk;
    for (const DeadLetter& letter : *page) {
      if (const int code = visit(letter); code != kOk) return code;
    }
    seen += page->size();
    after = page->back().id;
  }
  return kOk;
}

int list(App& app, const config::File& file, const DlqOptions& options) {
  nlohmann::json all = nlohmann::json::array();
  size_t count = 0;
  for (const config::PipelineConfig& pipeline : file.pipelines) {
    if (!options.pipeline.empty() && pipeline.name != options.pipeline) continue;
    if (!pipeline.dead_letters && options.pipeline.empty()) continue;
    auto box = LetterBox::create(app, pipeline);
    if (!box) return report(box.error());
    const int code = for_each_letter(**box, options.limit, [&](const DeadLetter& letter) {
      ++count;
      if (options.json)
        all.push_back(to_json(letter));
      else
        print_line(letter);
      return static_cast<int>(kOk);
    });
    if (code != kOk) return code;
  }
  if (options.json)
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  else
    std::printf("%zu dead %s\n", count, count == 1 ? "letter" : "letters");
  return kOk;
}

// Retries or discards the one that is named, or all of them.
int change(LetterBox& box, const DlqOptions& options) {
  const bool retries = options.action == "retry";
  const auto one = [&](const std::string& id) {
    const Result<std::string> done =
        retries ? box.retry(id) : box.discard(id).map([] { return std::string("discarded"); });
    if (!done) return failed(done.error());
    std::printf("%s: %s\n", id.c_str(), done->c_str());
    return static_cast<int>(kOk);
  };
  if (!options.all) return one(options.id);
  // Collected first: a letter that is rejected again comes back while the others are still being retried.
  std::vector<std::string> ids;
  const int code = for_each_letter(box, options.limit, [&](const DeadLetter& letter) {
    ids.push_back(letter.id);
    return static_cast<int>(kOk);
  });
  if (code != kOk) return code;
  int worst = kOk;
  for (const std::string& id : ids) worst = std::max(worst, one(id));
  return worst;
}

int usage(const std::string& what, const std::string& hint) {
  std::fprintf(stderr, "tidemark: %s\n  what to do: %s\n", what.c_str(), hint.c_str());
  return kUsage;
}

}  // namespace

int dlq_command(App& app, const DlqOptions& options) {
  const auto file = load(app, options.file);
  if (!file) return kConfig;
  const config::PipelineConfig* pipeline = nullptr;
  if (!options.pipeline.empty()) {
    pipeline = find_pipeline(*file, options.pipeline);
    if (pipeline == nullptr) return kUsage;
  }
  if (options.action == "list") return list(app, *file, options);
  if (options.action != "show" && options.all == !options.id.empty())
    return usage("dlq " + options.action + " needs one letter's ID, or --all",
                 "tidemark dlq list shows them");
  if (options.action == "discard" && !options.yes)
    return usage("dlq discard forgets the event for good", "repeat the command with --yes");
  auto box = LetterBox::create(app, *pipeline);
  if (!box) return report(box.error());
  if (options.action != "show") return change(**box, options);
  const auto letter = (*box)->find(options.id);
  if (!letter) return failed(letter.error());
  if (options.json)
    std::printf("%s\n",
                to_json(*letter).dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  else
    print_whole(*letter);
  return kOk;
}

}  // namespace tidemark::cli
