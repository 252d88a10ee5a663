#include "guard/checkpoint.h"

#include <concepts>

#include "base/digest.h"
#include "base/log.h"

namespace tidemark::guard {
namespace {

// Magic and version in one. Version 2: the sums are of BSON, where they were of a destination's own text.
constexpr std::string_view kMagic{"TIDEAUD\x02", 8};
constexpr size_t kMagicName = 7;
constexpr size_t kDigestSize = std::tuple_size_v<Sha256>;
constexpr uint64_t kFileBytesMax = 1 << 30;
constexpr int64_t kAgeMax_ms = 24ll * 3600 * 1000;

// One description of the content serves both directions: Writer and Reader take the same calls.
struct Writer {
  std::string out;

  void integer(uint64_t value) {
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  }
  void text(std::string& value) {
    integer(value.size());
    out.append(value);
  }
  template <class T>
    requires std::integral<T> || std::is_enum_v<T>
  void number(T& value) {
    integer(static_cast<uint64_t>(value));
  }
  void real(double& value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    integer(bits);
  }
  template <class T, class Each>
  void list(std::vector<T>& values, Each each) {
    integer(values.size());
    for (T& value : values) each(*this, value);
  }
  template <class T>
  void buckets(std::map<std::optional<int64_t>, T>& values);
};

struct Reader {
  std::string_view rest;
  bool ok = true;  // turns false at the first field that the rest is too short for

  uint64_t integer() {
    if (rest.size() < 8) {
      ok = false;
      return 0;
    }
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i)
      value |= uint64_t{static_cast<uint8_t>(rest[static_cast<size_t>(i)])} << (8 * i);
    rest.remove_prefix(8);
    return value;
  }
  void text(std::string& value) {
    const uint64_t size = integer();
    if (!ok || rest.size() < size) {
      ok = false;
      return;
    }
    value = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  template <class T>
    requires std::integral<T> || std::is_enum_v<T>
  void number(T& value) {
    value = static_cast<T>(integer());
  }
  void real(double& value) {
    const uint64_t bits = integer();
    std::memcpy(&value, &bits, sizeof value);
  }
  template <class T, class Each>
  void list(std::vector<T>& values, Each each) {
    const uint64_t size = integer();
    values.clear();
    for (uint64_t i = 0; i < size && ok; ++i) each(*this, values.emplace_back());
  }
  template <class T>
  void buckets(std::map<std::optional<int64_t>, T>& values);
};

template <class A>
void fields(A& a, std::optional<int64_t>& value) {
  bool there = value.has_value();
  int64_t number = value.value_or(0);
  a.number(there);
  a.number(number);
  value = there ? std::optional(number) : std::nullopt;
}

template <class A>
void fields(A& a, AuditSum& sum) {
  a.number(sum.count);
  a.number(sum.low);
  a.number(sum.high);
}

template <class A>
void fields(A& a, CollectionName& name) {
  a.text(name.database);
  a.text(name.collection);
}

template <class A>
void fields(A& a, AuditReject& reject) {
  fields(a, reject.collection);
  a.text(reject.id);
  a.text(reject.reason);
}

template <class A>
void fields(A& a, AuditUnaudited& unaudited) {
  fields(a, unaudited.collection);
  a.text(unaudited.reason);
}

template <class A>
void fields(A& a, uint64_t& number) {
  a.number(number);
}

template <class T>
void Writer::buckets(std::map<std::optional<int64_t>, T>& values) {
  integer(values.size());
  for (auto& [key, sum] : values) {
    std::optional<int64_t> start = key;
    fields(*this, start);
    fields(*this, sum);
  }
}

template <class T>
void Reader::buckets(std::map<std::optional<int64_t>, T>& values) {
  const uint64_t size = integer();
  values.clear();
  for (uint64_t i = 0; i < size && ok; ++i) {
    std::optional<int64_t> start;
    fields(*this, start);
    fields(*this, values[start]);
  }
}

template <class A>
void fields(A& a, EndSums& end) {
  a.number(end.done);
  a.text(end.last_id);
  a.buckets(end.sums.by_bucket);
  a.list(end.sums.by_leaf, [](A& to, AuditSum& sum) { fields(to, sum); });
  a.number(end.filtered);
  a.number(end.rejected);
  a.buckets(end.rejected_in);
  a.list(end.rejects, [](A& to, AuditReject& reject) { fields(to, reject); });
  a.number(end.bytes);
}

template <class A>
void fields(A& a, BucketDelta& delta) {
  fields(a, delta.collection);
  fields(a, delta.start_ms);
  a.number(delta.source);
  a.number(delta.destination);
  a.number(delta.missing);
  a.number(delta.extra);
  a.number(delta.different);
}

template <class A>
void fields(A& a, AuditDifference& difference) {
  fields(a, difference.collection);
  a.text(difference.id);
  a.number(difference.kind);
  a.text(difference.key);
}

template <class A>
void fields(A& a, AuditReport& r) {
  a.number(r.started_at_ms);
  a.real(r.seconds);
  for (uint64_t* value : {&r.collections,
                          &r.source_documents,
                          &r.destination_documents,
                          &r.filtered,
                          &r.rejected,
                          &r.left_over,
                          &r.capped_rows,
                          &r.gone,
                          &r.missing,
                          &r.extra,
                          &r.different,
                          &r.unreadable,
                          &r.stale,
                          &r.doubled,
                          &r.unsettled,
                          &r.unexamined,
                          &r.buckets,
                          &r.buckets_differing,
                          &r.source_bytes,
                          &r.destination_bytes,
                          &r.memory_bytes_peak})
    a.number(*value);
  a.list(r.deltas, [](A& to, BucketDelta& delta) { fields(to, delta); });
  a.list(r.differences, [](A& to, AuditDifference& difference) { fields(to, difference); });
  a.number(r.differences_complete);
  a.list(r.rejects, [](A& to, AuditReject& reject) { fields(to, reject); });
  a.list(r.unaudited, [](A& to, AuditUnaudited& unaudited) { fields(to, unaudited); });
}

template <class A>
void fields(A& a, Checkpoint& checkpoint) {
  a.text(checkpoint.fingerprint);
  a.number(checkpoint.saved_at_ms);
  fields(a, checkpoint.report);
  a.list(checkpoint.done, [](A& to, CollectionName& name) { fields(to, name); });
  bool under_way = checkpoint.current.has_value();
  a.number(under_way);
  if (!under_way) return;
  if (!checkpoint.current) checkpoint.current.emplace();
  fields(a, *checkpoint.current);
  fields(a, checkpoint.source);
  fields(a, checkpoint.destination);
}

std::string_view text_of(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

tl::unexpected<Error> corrupt(const std::string& what) {
  return fail(React::kCorrupt, "the checkpoint of an audit is damaged: " + what);
}

}  // namespace

uint64_t EndSums::documents() const {
  uint64_t count = 0;
  for (const auto& [start, sum] : sums.by_bucket) count += sum.count;
  return count;
}

std::string Checkpoint::encode() const {
  Writer writer{std::string(kMagic)};
  // The description takes what it could change; writing changes nothing.
  fields(writer, const_cast<Checkpoint&>(*this));
  writer.out.append(text_of(sha256(writer.out)));
  return std::move(writer.out);
}

Result<Checkpoint> Checkpoint::decode(std::string_view bytes) {
  if (bytes.starts_with(kMagic.substr(0, kMagicName)) && !bytes.starts_with(kMagic))
    return fail(React::kCorrupt,
                "the checkpoint of an audit is another version's, whose sums mean something else");
  if (bytes.size() < kMagic.size() + kDigestSize || bytes.substr(0, kMagic.size()) != kMagic)
    return corrupt("it doesn't begin with the mark of one");
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestSize);
  if (bytes.substr(body.size()) != text_of(sha256(body))) return corrupt("its SHA-256 doesn't match");
  Reader reader{body.substr(kMagic.size())};
  Checkpoint checkpoint;
  fields(reader, checkpoint);
  if (!reader.ok || !reader.rest.empty()) return corrupt("its fields don't fill it exactly");
  for (const EndSums* end : {&checkpoint.source, &checkpoint.destination}) {
    if (end->sums.by_leaf.size() != kAuditLeaves) return corrupt("it has another number of leaves");
  }
  return checkpoint;
}

CheckpointStore::CheckpointStore(std::string path, FileSystem* files, Clock& clock, int64_t every_ms)
    : path_(std::move(path)), files_(files), clock_(clock), every_ms_(every_ms) {}

Result<std::optional<Checkpoint>> CheckpointStore::load(const std::string& fingerprint) {
  saved_at_.reset();
  std::optional<Checkpoint> found;
  if (path_.empty()) {
    found = std::move(kept_);
    kept_.reset();
  } else {
    TIDEMARK_ASSIGN(const bool there, files_->exists(path_));
    if (!there) return std::nullopt;
    TIDEMARK_ASSIGN(const std::string bytes, files_->read_file(path_, kFileBytesMax));
    auto decoded = Checkpoint::decode(bytes);
    if (!decoded) {
      log::warn("{}: {}; the audit begins anew", path_, decoded.error().what);
      return std::nullopt;
    }
    found = std::move(*decoded);
  }
  if (!found || found->fingerprint != fingerprint) return std::nullopt;
  // Of a clock that went back, too.
  const int64_t age_ms = clock_.wall_ms() - found->saved_at_ms;
  if (age_ms < 0 || age_ms > kAgeMax_ms) return std::nullopt;
  return found;
}

Status CheckpointStore::offer(Checkpoint& checkpoint) {
  const Mono now = clock_.now();
  if (!saved_at_) saved_at_ = now;  // the first one is due after a whole period
  if (every_ms_ > 0 && now - *saved_at_ < std::chrono::milliseconds(every_ms_)) return {};
  return save(checkpoint);
}

Status CheckpointStore::save(Checkpoint& checkpoint) {
  checkpoint.saved_at_ms = clock_.wall_ms();
  saved_at_ = clock_.now();
  if (path_.empty()) {
    kept_ = checkpoint;
    return {};
  }
  return files_->replace_file(path_, checkpoint.encode());
}

Status CheckpointStore::forget() {
  kept_.reset();
  saved_at_.reset();
  if (path_.empty()) return {};
  TIDEMARK_ASSIGN(const bool there, files_->exists(path_));
  return there ? files_->remove(path_) : Status();
}

}  // namespace tidemark::guard
