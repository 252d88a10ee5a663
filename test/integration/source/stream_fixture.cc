#include "integration/source/stream_fixture.h"

#include "sources/mongodb/component.h"

namespace tidemark::testing {

std::unique_ptr<ReplicaSet> StreamTest::set_;
std::unique_ptr<Mongo> StreamTest::mongo_;
std::string StreamTest::skip_;

void StreamTest::SetUpTestSuite() {
  skip_.clear();
  auto started = ReplicaSet::start();
  if (!started) {
    skip_ = started.error().describe();
    return;
  }
  set_ = std::move(*started);
  mongo_ = std::make_unique<Mongo>(set_->uri());
}

void StreamTest::TearDownTestSuite() {
  mongo_.reset();
  set_.reset();
}

void StreamTest::SetUp() {
  if (!set_) FAIL() << skip_;
  static int number = 0;
  collection_ = "c" + std::to_string(++number);
  insert(0);
}

std::unique_ptr<Source> StreamTest::source_of(Fields fields) {
  static PosixClock clock;
  config::Settings settings;
  for (const config::FieldSpec& field : mongodb_source_component().spec.fields) {
    if (field.default_text.empty()) continue;
    if (field.type == config::FieldType::kInteger)
      settings.set(field.name, int64_t{std::stoll(field.default_text)});
    else if (field.type == config::FieldType::kBoolean)
      settings.set(field.name, field.default_text == "true");
    else if (field.type == config::FieldType::kDuration)
      settings.set(field.name, int64_t{1000});
    else
      settings.set(field.name, field.default_text);
  }
  settings.set("uri", set_->uri());
  for (auto& [name, value] : fields) {
    if (name == "batch_size")
      settings.set(name, int64_t{std::stoll(value)});
    else if (name == "expanded_events")
      settings.set(name, value == "true");
    else
      settings.set(name, value);
  }
  ComponentContext context;
  context.pipeline = "test";
  context.clock = &clock;
  auto made = mongodb_source_component().make(settings, context);
  EXPECT_TRUE(made) << made.error().describe();
  return made ? std::move(*made) : nullptr;
}

std::unique_ptr<Source> StreamTest::source(Fields fields) {
  fields.insert(fields.begin(), {{"database", database()}, {"collection", collection_}});
  return source_of(std::move(fields));
}

std::unique_ptr<Source> StreamTest::open_source(Fields fields) {
  auto made = source(std::move(fields));
  const auto now = made->resolve({}, {});
  EXPECT_TRUE(now) << now.error().describe();
  if (!now) return made;
  const auto opened = made->open(*now, {});
  EXPECT_TRUE(opened) << opened.error().describe();
  return made;
}

StreamTest::Seen StreamTest::read(Source& source, size_t count) {
  Seen seen;
  for (int reads = 0; reads < 50 && seen.events.size() < count && !seen.closed; ++reads) {
    auto batch = source.read(std::chrono::milliseconds(200), {});
    if (!batch) {
      seen.error = batch.error();
      ADD_FAILURE() << batch.error().describe();
      return seen;
    }
    for (const Event& event : batch->events->events()) seen.events.push_back(event);
    seen.batches.push_back(batch->events);
    seen.resume_after = batch->resume_after;
    seen.closed = batch->closed;
  }
  return seen;
}

std::vector<std::string> StreamTest::Seen::ops() const {
  std::vector<std::string> ops;
  for (const Event& event : events) ops.emplace_back(event.op_name);
  return ops;
}

bson::Document StreamTest::ok(const Result<bson::Document>& reply) {
  EXPECT_TRUE(reply) << reply.error().describe();
  return reply ? *reply : bson::Document();
}

}  // namespace tidemark::testing
