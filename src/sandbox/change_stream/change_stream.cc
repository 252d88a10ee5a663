#include "sandbox/change_stream/change_stream.h"

#include <cstdio>

#include "sandbox/change_stream/oplog_scan.h"
#include "sandbox/change_stream/text.h"

namespace tidemark::sandbox {
namespace {

// What a server lets one BSON object inside a reply have: 16 MiB and 16 KiB.
constexpr uint32_t kEventBytesMax = 16 * 1024 * 1024 + 16 * 1024;
// Where splitting begins: leaves room for the postBatchResumeToken beside the fragment.
constexpr uint32_t kSplitBytes = 16 * 1024 * 1024;
// The buffer of the event at hand is kept from event to event up to this size.
constexpr uint32_t kScratchBytesMax = 1024 * 1024;
constexpr std::string_view kNonResumable = "NonResumableChangeStreamError";

bson::Timestamp after(bson::Timestamp time) {
  return time.increment == UINT32_MAX ? bson::Timestamp{time.seconds + 1, 0}
                                      : bson::Timestamp{time.seconds, time.increment + 1};
}

CommandError stream_error(int code, std::string message, bool labelled) {
  CommandError error = command_error(code, std::move(message)).value();
  if (labelled) error.labels.emplace_back(kNonResumable);
  return error;
}

}  // namespace

class ChangeStream::Impl {
 public:
  Impl(StreamSpec spec, const Oplog& oplog, PostImageLookup lookup);
  ~Impl() { bson_destroy(&event_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Reply<BatchInfo> next(const BatchLimits& limits, bson_t* batch);
  bson::View post_batch_token() const { return post_batch_token_; }
  bool invalidated() const { return closed_; }
  bson::Timestamp position() const { return scan_.position(); }
  const StreamSpec& spec() const { return spec_; }

 private:
  enum class Step { kEvent, kEnd, kClosed };
  // Where the event stands that a resume token asks for.
  enum class Place { kBefore, kAt, kBehind };

  Reply<Step> produce();
  Reply<bool> take(const Change& change);
  Reply<bool> take_invalidate();
  void write_token(const Change& change, bool from_invalidate);
  Place place() const;
  Reply<bool> resume(const Change& change, bool render_first);
  Reply<bool> passes(const Change& change);
  Reply<bool> run_pipeline();
  Reply<bool> deliver();
  Reply<bool> split(size_t skip);
  tl::unexpected<CommandError> not_found() const;
  void pop_fragment();
  void accept(bson_t* batch, BatchInfo& info);
  void at_end();

  const StreamSpec spec_;
  OplogScan scan_;
  EventRenderer renderer_;
  TokenWriter token_;       // of the event at hand
  TokenWriter last_token_;  // of the last one delivered
  bson_t event_;            // the event at hand
  bool kept_ = false;       // it did not fit into the last batch
  std::deque<Fragment> fragments_;
  bson::Document fragment_token_;       // set while the event at hand is a fragment
  bson::Document last_fragment_token_;  // set when the last one delivered was a fragment

  // Resuming after an event: seeking until it has been passed.
  bool seeking_ = false;
  bool found_ = false;
  std::string sought_;  // the token's KeyString without its fragment number

  // The command that ended the stream; its invalidate event comes next.
  EntryPtr ending_entry_;
  const OplogEntry* ending_op_ = nullptr;
  bool closing_ = false;  // the invalidate event was made: nothing follows
  bool closed_ = false;
  bson::Document invalidate_token_;

  bson::Timestamp latest_;  // of the last token given out
  bson::Document post_batch_token_;
};

ChangeStream::Impl::Impl(StreamSpec spec, const Oplog& oplog, PostImageLookup lookup)
    : spec_(std::move(spec)),
      scan_(oplog,
            spec_.resume_token              ? spec_.resume_token->time
            : spec_.start_at_operation_time ? *spec_.start_at_operation_time
                                            : after(oplog.newest().ts),
            spec_.version),
      renderer_(spec_, std::move(lookup)),
      latest_(scan_.start()) {
  bson_init(&event_);
  if (!spec_.resume_token) {
    token_.high_water_mark(token_version(spec_.version), scan_.start());
    post_batch_token_ = token_.document();
    return;
  }
  post_batch_token_ = spec_.resume_token_document;
  if (spec_.resume_token->high_water_mark) return;
  TokenData sought = *spec_.resume_token;
  sought.fragment.reset();
  token_.encode(sought);
  sought_ = token_.bytes();
  seeking_ = true;
}

// A token of the version that the client's token has, until that has been passed: the two must be comparable.
void ChangeStream::Impl::write_token(const Change& change, bool from_invalidate) {
  const OplogEntry& op = *change.op;
  int version = token_version(spec_.version);
  if (spec_.resume_token && change.entry->time.ts == spec_.resume_token->time &&
      change.txn_op_index <= spec_.resume_token->txn_op_index) {
    version = spec_.resume_token->version;
  }
  const bool crud = op.kind == OpKind::kInsert || op.kind == OpKind::kUpdate || op.kind == OpKind::kReplace ||
                    op.kind == OpKind::kDelete;
  token_.event(version, change.entry->time.ts, change.txn_op_index, from_invalidate,
               op.kind == OpKind::kDropDatabase ? nullptr : &op.uuid, operation_name(op.kind),
               crud ? op.key.view() : bson::View(),
               crud || version < 2 ? bson::Document() : operation_description(op));
}

ChangeStream::Impl::Place ChangeStream::Impl::place() const {
  const int order = token_.bytes().compare(sought_);
  return order < 0 ? Place::kBefore : order == 0 ? Place::kAt : Place::kBehind;
}

tl::unexpected<CommandError> ChangeStream::Impl::not_found() const {
  const std::string token = document_text(token_.document());
  if (spec_.version < ServerVersion{4, 4}) {
    return tl::unexpected(stream_error(
        40585, "resume of change stream was not possible, as the resume token was not found. " + token,
        false));
  }
  return tl::unexpected(stream_error(kChangeStreamFatalError,
                                     "cannot resume stream; the resume token was not found. " + token, true));
}

// Makes the event at hand and asks the user's filter. False: it is hidden.
Reply<bool> ChangeStream::Impl::passes(const Change& change) {
  if (is_expanded_only(change.op->kind) && !spec_.show_expanded_events) return false;
  renderer_.render(change, token_, &event_);
  return run_pipeline();
}

// True when the event at hand is to be delivered.
Reply<bool> ChangeStream::Impl::take(const Change& change) {
  write_token(change, false);
  if (invalidates(spec_, change.op->kind)) {
    ending_entry_ = scan_.current();
    ending_op_ = change.op;
  }
  if (seeking_) return resume(change, true);
  SANDBOX_ASSIGN(const bool shown, passes(change));
  return shown ? deliver() : Reply<bool>(false);
}

// The event at hand while the resume point is still sought. 7.0 looks for the point behind the user's filter,
// so that a changed filter can hide it; 4.2 looks before the filter.
Reply<bool> ChangeStream::Impl::resume(const Change& change, bool render_first) {
  const auto shown = [&]() -> Reply<bool> { return render_first ? passes(change) : run_pipeline(); };
  switch (place()) {
    case Place::kBefore:
      return false;
    case Place::kAt: {
      const auto& fragment = spec_.resume_token->fragment;
      if (fragment && !spec_.split_large_events) return false;
      if (spec_.classic() || spec_.resume_token->from_invalidate) {
        found_ = true;
        return false;
      }
      SANDBOX_ASSIGN(found_, shown());
      if (!found_ || !fragment) return false;
      return split(static_cast<size_t>(*fragment) + 1);
    }
    case Place::kBehind:
      break;
  }
  if (!found_ && spec_.classic()) return not_found();
  if (found_) seeking_ = false;
  SANDBOX_ASSIGN(const bool visible, shown());
  if (!visible) return false;
  if (!found_) return not_found();
  return deliver();
}

Reply<bool> ChangeStream::Impl::take_invalidate() {
  const EntryPtr entry = std::move(ending_entry_);
  const Change change{entry.get(), ending_op_, 0};
  ending_entry_.reset();
  write_token(change, true);
  if (seeking_ && place() != Place::kBehind) {
    // The stream starts after this very invalidate: it goes on.
    if (place() == Place::kAt) found_ = true;
    return false;
  }
  closing_ = true;
  invalidate_token_ = token_.document();
  renderer_.render_invalidate(*entry, token_, &event_);
  if (seeking_) return resume(change, false);
  SANDBOX_ASSIGN(const bool shown, run_pipeline());
  return shown ? deliver() : Reply<bool>(false);
}

// The user's stages over the event at hand; false when they drop it.
Reply<bool> ChangeStream::Impl::run_pipeline() {
  const bson::View before(&event_);
  for (const bson::Matcher& matcher : spec_.matchers) {
    bson::MatchDetails details;
    const bool matched = matcher.matches(before, &details);
    if (details.error) return tl::unexpected(command_error(*details.error).value());
    if (!matched) return false;
  }
  if (renderer_.missing_image()) return tl::unexpected(*renderer_.missing_image());
  if (!spec_.pipeline) return true;
  SANDBOX_ASSIGN(const std::optional<bson::Document> after,
                 spec_.pipeline->apply_one(bson::Document(before)));
  if (!after) return false;
  const auto id = after->view().find("_id");
  const bson::Document expected = token_.document();
  if (!id || !id->is_document() || !(id->document() == expected.view())) {
    bson::Builder want;
    want.append("_id", expected.view());
    bson::Builder got;
    if (id) got.append("_id", *id);
    return tl::unexpected(stream_error(
        kChangeStreamFatalError,
        "Encountered an event whose _id field, which contains the resume token, was modified by the "
        "pipeline. "
        "Modifying the _id field of an event makes it impossible to resume the stream from that point. Only "
        "transformations that retain the unmodified _id field are allowed. Expected: " +
            bson_text(want.view()) + " but found: " + bson_text(got.view()),
        true));
  }
  const bson_t raw = after->view().raw();
  bson_reinit(&event_);
  bson_concat(&event_, &raw);
  return true;
}

// The size rules. True: the event at hand, or its first fragment, can go out.
Reply<bool> ChangeStream::Impl::deliver() {
  if (spec_.split_large_events && event_.len > kSplitBytes) return split(0);
  if (event_.len <= kEventBytesMax) return true;
  char hex[16];
  std::snprintf(hex, sizeof hex, "0x%X", event_.len);
  return tl::unexpected(
      stream_error(kBsonObjectTooLarge,
                   "BSONObj size: " + std::to_string(event_.len) + " (" + hex +
                       ") is invalid. Size must be between 0 and 16793600(16MB) First element: _id: " +
                       bson_text(token_.document()),
                   false));
}

Reply<bool> ChangeStream::Impl::split(size_t skip) {
  if (event_.len <= kSplitBytes) {
    return tl::unexpected(
        stream_error(kChangeStreamFatalError,
                     "Attempted to resume from a split event fragment, but the event in the resumed "
                     "stream was not large enough to be split",
                     true));
  }
  SANDBOX_ASSIGN(const TokenData token, decode_token(token_.hex(), spec_.version));
  SANDBOX_ASSIGN(std::vector<Fragment> parts,
                 split_event(bson::View(&event_), token, kSplitBytes - token_.document().size()));
  if (skip > parts.size()) {
    return tl::unexpected(
        stream_error(kChangeStreamFatalError,
                     "Attempted to resume from a split event, but the resumed stream produced a "
                     "different split. Ensure that the pipeline used to resume is the same as the "
                     "original",
                     true));
  }
  fragments_.assign(std::make_move_iterator(parts.begin() + static_cast<std::ptrdiff_t>(skip)),
                    std::make_move_iterator(parts.end()));
  if (fragments_.empty()) return false;
  pop_fragment();
  return true;
}

void ChangeStream::Impl::pop_fragment() {
  Fragment fragment = std::move(fragments_.front());
  fragments_.pop_front();
  const bson_t raw = fragment.event.view().raw();
  bson_reinit(&event_);
  bson_concat(&event_, &raw);
  fragment_token_ = std::move(fragment.token);
}

Reply<ChangeStream::Impl::Step> ChangeStream::Impl::produce() {
  if (kept_) {
    kept_ = false;
    return Step::kEvent;
  }
  if (!fragments_.empty()) {
    pop_fragment();
    return Step::kEvent;
  }
  fragment_token_ = {};
  for (;;) {
    if (closing_) return Step::kClosed;
    bool shown = false;
    if (ending_entry_) {
      SANDBOX_ASSIGN(shown, take_invalidate());
    } else {
      SANDBOX_ASSIGN(const Change change, scan_.next());
      if (change.op == nullptr) return Step::kEnd;
      if (!in_scope(spec_, *change.op)) continue;
      SANDBOX_ASSIGN(shown, take(change));
    }
    if (shown) return Step::kEvent;
  }
}

void ChangeStream::Impl::accept(bson_t* batch, BatchInfo& info) {
  char buffer[16];
  const char* key = nullptr;
  const size_t length =
      bson_uint32_to_string(static_cast<uint32_t>(info.events), &key, buffer, sizeof buffer);
  bson_append_document(batch, key, static_cast<int>(length), &event_);
  ++info.events;
  info.bytes += event_.len;
  if (event_.len > kScratchBytesMax) {
    bson_destroy(&event_);
    bson_init(&event_);
  }
  latest_ = std::max(latest_, scan_.observed());
  last_fragment_token_ = fragment_token_;
  if (!fragment_token_) std::swap(token_, last_token_);
}

// The oplog has been read to its end: when that is later than the last token, a high-water mark says so.
void ChangeStream::Impl::at_end() {
  if (scan_.observed() <= latest_) return;
  latest_ = scan_.observed();
  token_.high_water_mark(token_version(spec_.version), latest_);
  post_batch_token_ = token_.document();
}

Reply<BatchInfo> ChangeStream::Impl::next(const BatchLimits& limits, bson_t* batch) {
  BatchInfo info;
  Step step = Step::kEvent;
  while (limits.events_max == 0 || info.events < limits.events_max) {
    auto produced = produce();
    if (!produced) {
      CommandError error = std::move(produced).error();
      if (!spec_.classic()) {
        error.message.insert(0, limits.get_more ? "Executor error during getMore :: caused by :: "
                                                : "PlanExecutor error during aggregation :: caused by :: ");
      }
      return tl::unexpected(std::move(error));
    }
    step = *produced;
    if (step != Step::kEvent) break;
    if (info.events > 0 && info.bytes + event_.len > limits.bytes_max) {
      kept_ = true;
      break;
    }
    accept(batch, info);
  }
  if (info.events > 0) {
    post_batch_token_ = last_fragment_token_ ? last_fragment_token_ : last_token_.document();
  }
  if (step == Step::kEnd) at_end();
  if (step == Step::kClosed) {
    closed_ = info.closed = true;
    // 7.0 gives the invalidate's token out even where the user's filter hid the event.
    if (!spec_.classic()) post_batch_token_ = invalidate_token_;
  }
  return info;
}

Reply<ChangeStream> ChangeStream::open(OpenRequest request) {
  SANDBOX_ASSIGN(StreamSpec spec, parse_stream(request.pipeline, request.context));
  return ChangeStream(std::make_unique<Impl>(std::move(spec), *request.oplog, std::move(request.lookup)));
}

ChangeStream::ChangeStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChangeStream::ChangeStream(ChangeStream&&) noexcept = default;
ChangeStream& ChangeStream::operator=(ChangeStream&&) noexcept = default;
ChangeStream::~ChangeStream() = default;

Reply<BatchInfo> ChangeStream::next(const BatchLimits& limits, bson_t* batch) {
  return impl_->next(limits, batch);
}
bson::View ChangeStream::post_batch_token() const { return impl_->post_batch_token(); }
bool ChangeStream::invalidated() const { return impl_->invalidated(); }
bson::Timestamp ChangeStream::position() const { return impl_->position(); }
const StreamSpec& ChangeStream::spec() const { return impl_->spec(); }

}  // namespace tidemark::sandbox
