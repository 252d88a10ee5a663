#include "chaos/consumers.h"

#include <cstdio>
#include <filesystem>
#include <thread>

#include <mongoc/mongoc.h>

#include "bson/json.h"
#include "chaos/writer.h"

namespace tidemark::chaos {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kEndPatience{1'500};
constexpr milliseconds kPauseAfterError{20};  // kinder than what people write

// The loop as it stands in many programs: watch, handle each event, and on an error open again.
class Loop {
 public:
  Loop(mongoc_collection_t* collection, bool keeps_token, std::FILE* out)
      : collection_(collection), keeps_token_(keeps_token), out_(out) {}
  ~Loop() { bson_destroy(&token_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // One stream, until the driver gives it up.
  void follow() {
    bson_t options = BSON_INITIALIZER;
    BSON_APPEND_INT32(&options, "maxAwaitTimeMS", 50);
    if (keeps_token_ && !bson_empty(&token_)) BSON_APPEND_DOCUMENT(&options, "resumeAfter", &token_);
    bson_t pipeline = BSON_INITIALIZER;
    mongoc_change_stream_t* stream = mongoc_collection_watch(collection_, &pipeline, &options);
    bson_error_t error = {};
    const bson_t* reply = nullptr;
    const bson_t* event = nullptr;
    while (!mongoc_change_stream_error_document(stream, &error, &reply)) {
      if (!opened_) std::printf("open\n"), std::fflush(stdout);
      opened_ = true;
      while (mongoc_change_stream_next(stream, &event)) handle(event);
    }
    // A token that the server doesn't take any more is thrown away, or the loop would never end.
    if (error.code == 286 || error.code == 280) bson_reinit(&token_);
    mongoc_change_stream_destroy(stream);
    bson_destroy(&pipeline);
    bson_destroy(&options);
  }

 private:
  void handle(const bson_t* event) {
    const std::string line = bson::to_json(bson::View(event)) + "\n";
    std::fputs(line.c_str(), out_);
    std::fflush(out_);
    bson_iter_t id;
    const uint8_t* data = nullptr;
    uint32_t size = 0;
    if (!keeps_token_ || !bson_iter_init_find(&id, event, "_id")) return;
    bson_iter_document(&id, &size, &data);
    bson_t view;
    bson_init_static(&view, data, size);
    bson_destroy(&token_);
    bson_copy_to(&view, &token_);
  }

  mongoc_collection_t* collection_;
  const bool keeps_token_;
  std::FILE* out_;
  bson_t token_ = BSON_INITIALIZER;
  bool opened_ = false;
};

const char* name_of(ConsumerKind kind) { return kind == ConsumerKind::kStock ? "stock" : "in-memory"; }

}  // namespace

Consumer::Consumer(ConsumerKind kind, const Places& places, const std::string& folder)
    : kind_(kind),
      uri_(places.mongodb_uri),
      database_(places.database),
      path_(folder + "/" + places.database + "." + name_of(kind) + ".jsonl") {
  start();
}

void Consumer::start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"/proc/self/exe", "--consumer", name_of(kind_), uri_, database_, path_});
}

Status Consumer::wait_open() {
  if (process_->read_until("open")) return {};
  return fail(React::kFatal, std::string("the consumer ") + name_of(kind_) +
                                 " opened no stream: " + process_->error_output());
}

void Consumer::kill(Time now, Process::Milliseconds down) {
  if (down_) return;
  process_->kill_now();
  down_ = true;
  restart_at_ = now + down;
  // One more than the next: that one may have been under way already.
  back_after_writes_ = written_() + 2;
}

void Consumer::look_after(Time now) {
  if (now >= restart_at_ && written_() >= back_after_writes_) come_back(now);
}

void Consumer::come_back(Time) {
  if (!down_) return;
  down_ = false;
  start();
}

void Consumer::wait_for_the_end() {
  testing::eventually(
      [&] {
        const auto lines = whole_lines(path_);
        return !lines.empty() && event_of_json(lines.back()).id == kEndId;
      },
      kEndPatience);
}

std::vector<LoggedEvent> Consumer::events() const {
  std::vector<LoggedEvent> all;
  for (const std::string& line : whole_lines(path_)) {
    LoggedEvent event = event_of_json(line);
    if (event.id != kEndId) all.push_back(std::move(event));
  }
  return all;
}

int consume(const std::string& kind, const std::string& uri, const std::string& database,
            const std::string& path) {
  mongoc_init();
  mongoc_log_set_handler(nullptr, nullptr);
  mongoc_uri_t* parsed =
      mongoc_uri_new((uri + "&heartbeatFrequencyMS=500&serverSelectionTimeoutMS=5000").c_str());
  std::FILE* out = std::fopen(path.c_str(), "a");
  if (parsed == nullptr || out == nullptr) return 64;
  // A pool, as an application has one: its monitors notice a new primary by themselves.
  mongoc_client_pool_t* pool = mongoc_client_pool_new(parsed);
  mongoc_client_t* client = mongoc_client_pool_pop(pool);
  Loop loop(mongoc_client_get_collection(client, database.c_str(), kCollection), kind == "in-memory", out);
  while (true) {
    loop.follow();
    std::this_thread::sleep_for(kPauseAfterError);
  }
}

}  // namespace tidemark::chaos
