#include "bson/framing.h"

#include <cstring>

namespace tidemark::bson {
namespace {

constexpr uint8_t kDocument = 0x03, kArray = 0x04, kBinary = 0x05, kRegex = 0x0b, kDbPointer = 0x0c,
                  kCodeWithScope = 0x0f;
constexpr size_t kEmptyDocument = 5, kLength = 4, kObjectId = 12;

// Goes through the bytes once, with a stack of its own: no input can exhaust the thread's.
class FramingCheck {
 public:
  FramingCheck(const uint8_t* bytes, size_t size, int levels) : bytes_(bytes), size_(size), levels_(levels) {}

  // Null when all is well; else what is wrong, at at_.
  const char* run() {
    if (const char* flaw = enter(size_)) return flaw;
    if (end() + 1 != size_) return "its length disagrees with its bytes";
    while (depth_ > 0) {
      if (at_ == end()) {
        keys_[depth_ - 1] = 0;
        if (bytes_[at_] != 0) return "a document without its terminator";
        ++at_;
        --depth_;
      } else if (const char* flaw = field()) {
        return flaw;
      }
    }
    return nullptr;
  }

  // The fields of one level alone, each judged by its own lengths.
  std::optional<std::vector<OuterField>> outer() {
    std::vector<OuterField> fields;
    shallow_ = true;
    if (enter(size_) != nullptr || end() + 1 != size_ || bytes_[end()] != 0) return std::nullopt;
    while (at_ != end()) {
      const uint8_t type = bytes_[at_];
      const std::string_view key(reinterpret_cast<const char*>(bytes_ + at_ + 1));
      if (field() != nullptr) return std::nullopt;
      const size_t value_at =
          static_cast<size_t>(reinterpret_cast<const uint8_t*>(key.data()) - bytes_) + key.size() + 1;
      fields.push_back({type, key, {bytes_ + value_at, at_ - value_at}});
    }
    return fields;
  }

  size_t at() const { return at_; }
  std::string path() const {
    std::string path;
    for (int level = 0; level < depth_; ++level) {
      if (keys_[level] == 0) break;
      if (level > 0) path.push_back('.');
      path.append(reinterpret_cast<const char*>(bytes_ + keys_[level]));
    }
    // It goes into messages, and a name may be any bytes.
    for (char& c : path)
      if (c < ' ' || c > '~') c = '?';
    return path;
  }

 private:
  size_t end() const { return ends_[depth_ - 1]; }
  // What a value that begins at `at_` may take: up to the terminator of the document it is in.
  size_t left() const { return end() - at_; }

  // A document of at most `limit` bytes begins at at_.
  const char* enter(size_t limit) {
    if (limit < kEmptyDocument) return "a document that has no room for its length";
    const uint32_t size = load_u32(bytes_ + at_);
    if (size < kEmptyDocument || size > limit) return "a document whose length disagrees with its bytes";
    if (depth_ == levels_) return "documents nested too deeply";
    ends_[depth_] = static_cast<uint32_t>(at_ + size - 1);
    keys_[depth_] = 0;
    ++depth_;
    at_ += kLength;
    return nullptr;
  }

  const char* field() {
    const uint8_t type = bytes_[at_];
    const size_t key = at_ + 1;
    keys_[depth_ - 1] = 0;
    const void* nul = std::memchr(bytes_ + key, 0, end() - key);
    if (nul == nullptr) return "a field whose name has no end";
    keys_[depth_ - 1] = static_cast<uint32_t>(key);
    at_ = static_cast<size_t>(static_cast<const uint8_t*>(nul) - bytes_) + 1;
    const int8_t size = kValueBytes[type];
    if (size == kNoType) return "a type that BSON doesn't have";
    if (size == kVariable) return variable(type);
    return skip(static_cast<size_t>(size));
  }

  const char* skip(size_t size) {
    if (size > left()) return "a value that reaches beyond its document";
    at_ += size;
    return nullptr;
  }

  const char* string() {
    if (left() < kLength) return "a string that has no room for its length";
    const uint32_t size = load_u32(bytes_ + at_);
    if (size == 0 || size > left() - kLength) return "a string whose length disagrees with its bytes";
    at_ += kLength + size;
    return bytes_[at_ - 1] == 0 ? nullptr : "a string without its terminator";
  }

  const char* cstring() {
    const void* nul = std::memchr(bytes_ + at_, 0, left());
    if (nul == nullptr) return "a regular expression that has no end";
    at_ = static_cast<size_t>(static_cast<const uint8_t*>(nul) - bytes_) + 1;
    return nullptr;
  }

  // By its first length, which counts all of it.
  const char* skip_whole() {
    if (left() < kEmptyDocument) return "a document that has no room for its length";
    const uint32_t size = load_u32(bytes_ + at_);
    if (size < kEmptyDocument || size > left()) return "a document whose length disagrees with its bytes";
    at_ += size;
    return nullptr;
  }

  const char* variable(uint8_t type) {
    if (shallow_ && (type == kDocument || type == kArray || type == kCodeWithScope)) return skip_whole();
    switch (type) {
      case kDocument:
      case kArray:
        return enter(left());
      case kBinary: {
        if (left() < kLength + 1) return "a binary that has no room for its length";
        const uint32_t size = load_u32(bytes_ + at_);
        if (size > left() - kLength - 1) return "a binary whose length disagrees with its bytes";
        at_ += kLength + 1 + size;
        return nullptr;
      }
      case kRegex:
        if (const char* flaw = cstring()) return flaw;
        return cstring();
      case kDbPointer:
        if (const char* flaw = string()) return flaw;
        return skip(kObjectId);
      case kCodeWithScope:
        return code_with_scope();
      default:
        return string();
    }
  }

  const char* code_with_scope() {
    constexpr const char* kDisagrees = "code whose length disagrees with its bytes";
    if (left() < kLength) return kDisagrees;
    const size_t begin = at_;
    const uint32_t total = load_u32(bytes_ + at_);
    if (total > left()) return kDisagrees;
    at_ += kLength;
    if (const char* flaw = string()) return flaw;
    if (at_ - begin + kEmptyDocument > total) return kDisagrees;
    const size_t scope = total - (at_ - begin);
    if (load_u32(bytes_ + at_) != scope) return kDisagrees;
    return enter(scope);
  }

  const uint8_t* bytes_;
  size_t size_;
  int levels_;
  bool shallow_ = false;
  size_t at_ = 0;
  int depth_ = 0;
  std::array<uint32_t, kDepthMax> ends_;  // of each open document: its terminator
  std::array<uint32_t, kDepthMax>
      keys_;  // of each open document: the name of the field that is being looked at
};

}  // namespace

bool is_framed_value(uint8_t type, std::span<const uint8_t> bytes, int levels) {
  const int8_t size = kValueBytes[type];
  if (size != kVariable) return size >= 0 && bytes.size() == static_cast<size_t>(size);
  // As the one field of a document.
  std::vector<uint8_t> document(4);
  document.push_back(type);
  document.push_back(0);
  document.insert(document.end(), bytes.begin(), bytes.end());
  document.push_back(0);
  for (size_t i = 0; i < 4; ++i) document[i] = static_cast<uint8_t>(document.size() >> (8 * i));
  if (find_framing_flaw(document, levels + 1)) return false;
  const auto fields = outer_fields(document);
  return fields && fields->size() == 1 && fields->front().value.size() == bytes.size();
}

std::optional<std::vector<OuterField>> outer_fields(std::span<const uint8_t> bytes) {
  if (bytes.size() > INT32_MAX) return std::nullopt;
  return FramingCheck(bytes.data(), bytes.size(), 1).outer();
}

std::optional<FramingFlaw> find_framing_flaw(std::span<const uint8_t> bytes, int levels) {
  if (bytes.size() > INT32_MAX) return FramingFlaw{{}, 0, "it is longer than a BSON document can be"};
  if (levels < 1) return FramingFlaw{{}, 0, "documents nested too deeply"};
  FramingCheck check(bytes.data(), bytes.size(), levels < kDepthMax ? levels : kDepthMax);
  const char* what = check.run();
  if (what == nullptr) return std::nullopt;
  return FramingFlaw{check.path(), check.at(), what};
}

}  // namespace tidemark::bson
