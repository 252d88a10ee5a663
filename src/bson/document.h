// BSON documents: an owning Document, a View that borrows, an Element inside a View, a Builder.
//
// A View is proof that its bytes are framed: every value, all levels down, begins and ends where its type says
// (bson/framing.h). So a loop over one ends at the document's end and nowhere else; there is no "stopped early" to forget.
// What the framed bytes hold isn't judged: text that is no UTF-8, a boolean of 2, a binary of subtype 2 without its inner
// length all go through as they came. That is why the walk is ours: libbson's own ends silently at such values.
//
// A View or Element is valid as long as the bytes it was made from. Nothing here is shared between threads while it is
// being changed; finished Documents are immutable and may be read from any number of threads.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <bson/bson.h>

#include "base/check.h"
#include "base/result.h"
#include "bson/framing.h"

namespace tidemark::bson {

class View;

// The parts of values that have several. They point into the element's bytes.
struct Binary {
  uint8_t subtype = 0;
  std::span<const uint8_t> bytes;  // of the deprecated subtype 2 without its inner length
  bool well_formed = true;  // false: subtype 2 whose inner length is missing or wrong; `bytes` is all of it
};
struct RegexValue {
  std::string_view pattern;
  std::string_view options;
};
struct DbPointer {
  std::string_view collection;
  std::span<const uint8_t, 12> id;
};
struct ScopedCode;

// One field of a document, or one item of an array; or nothing (type BSON_TYPE_EOD, no name, no bytes), as at the end of a
// walk.
class Element {
 public:
  Element() : iter_(nothing()) {}

  bson_type_t type() const { return static_cast<bson_type_t>(iter_.raw[iter_.type]); }
  std::string_view key() const {
    return {reinterpret_cast<const char*>(iter_.raw + iter_.key), iter_.d1 - iter_.key - 1};
  }

  bool is_document() const { return type() == BSON_TYPE_DOCUMENT; }
  bool is_array() const { return type() == BSON_TYPE_ARRAY; }
  bool is_string() const { return type() == BSON_TYPE_UTF8; }
  bool is_number() const {
    const bson_type_t t = type();
    return t == BSON_TYPE_INT32 || t == BSON_TYPE_INT64 || t == BSON_TYPE_DOUBLE || t == BSON_TYPE_DECIMAL128;
  }
  bool is_null() const { return type() == BSON_TYPE_NULL; }

  // Of a string, a symbol, or code without a scope; empty for other types. Any bytes: nothing says that they are UTF-8.
  std::string_view string() const {
    const bson_type_t t = type();
    const bool has_text = t == BSON_TYPE_UTF8 || t == BSON_TYPE_CODE || t == BSON_TYPE_SYMBOL;
    return has_text ? string_at(iter_.d1) : std::string_view();
  }
  // Of a document or an array; "no document" for other types.
  View document() const;
  // REQUIRES the type of the name.
  Binary binary() const;
  RegexValue regex() const;
  DbPointer db_pointer() const;
  ScopedCode scoped_code() const;
  // The value as an integer; empty for other types, for fractions and for what int64 can't hold.
  std::optional<int64_t> integer() const;
  // The server's idea of truth: false for false, zero, null and undefined.
  bool truthy() const;

  // The bytes of the value alone, without type and key: equal bytes and equal types are equal values.
  std::span<const uint8_t> value_bytes() const { return {iter_.raw + iter_.d1, iter_.raw + iter_.next_off}; }

  // For libbson's accessors of values that have one form alone (bson_iter_int32, bson_iter_date_time, ...). Never for its
  // walks: tools/tidy refuses bson_iter_next and what is built on it.
  const bson_iter_t& iter() const { return iter_; }

 private:
  friend class View;
  explicit Element(const bson_iter_t& iter) : iter_(iter) {}
  static bson_iter_t nothing() {
    static constexpr uint8_t kEnd[1] = {0};
    bson_iter_t iter = {};
    iter.raw = kEnd;
    iter.len = iter.d1 = iter.next_off = 1;
    return iter;
  }
  std::string_view string_at(uint32_t at) const {
    return {reinterpret_cast<const char*>(iter_.raw + at + 4), load_u32(iter_.raw + at) - 1};
  }

  bson_iter_t iter_;
};

// A borrowed document. A default-constructed View is "no document", different from the empty document {}.
class View {
 public:
  View() = default;
  // What libbson itself has built. Bytes that came from outside are parsed, whoever holds them.
  explicit View(const bson_t* doc) : data_(bson_get_data(doc)), size_(doc->len) {}

  // Checks that `bytes` are exactly one document, framed all levels down, of at most kDepthMax levels. kReject, naming the
  // field, when they aren't.
  static Result<View> parse(std::span<const uint8_t> bytes);
  // Bytes that are known to be framed because they are a copy or a part of such. A walk over others ends the program.
  static View unchecked(const uint8_t* data, uint32_t size) {
    TIDEMARK_CHECK(size >= 5, "bytes that no document has were taken for one");
    return {data, size};
  }

  explicit operator bool() const { return data_ != nullptr; }
  // True for "no document" and for {}.
  bool empty() const { return size_ <= 5; }
  const uint8_t* data() const { return data_; }
  uint32_t size() const { return size_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // The field of this name, which may hold dots: top level only.
  std::optional<Element> find(std::string_view key) const;
  // The field whose type byte stands at `offset`. REQUIRES that one does.
  Element at(uint32_t offset) const { return *Iterator(*this, offset); }
  // The field at a dotted path; array items by their index.
  std::optional<Element> find_path(std::string_view dotted) const;

  // A bson_t over the same bytes, for libbson's and libmongoc's calls; it borrows and must not be destroyed.
  bson_t raw() const {
    bson_t doc;
    bson_init_static(&doc, data_, size_);
    return doc;
  }

  class Iterator {
   public:
    Iterator() : iter_(Element::nothing()) {}
    explicit Iterator(const View& view, uint32_t offset = 4) : Iterator() {
      if (view.data_ == nullptr) return;
      iter_.raw = view.data_;
      iter_.len = view.size_;
      iter_.next_off = offset;
      step();
    }
    Element operator*() const { return Element(iter_); }
    Iterator& operator++() {
      step();
      return *this;
    }
    // Only ever compared with end().
    bool operator!=(const Iterator& other) const { return alive_ != other.alive_; }

   private:
    void step();
    uint32_t variable_end(uint8_t type, uint32_t at);

    bson_iter_t iter_;
    bool alive_ = false;
  };
  Iterator begin() const { return Iterator(*this); }
  Iterator end() const { return {}; }

  // Byte equality: same fields in the same order with the same types. Two "no document"s are equal.
  friend bool operator==(const View& a, const View& b);

 private:
  View(const uint8_t* data, uint32_t size) : data_(data), size_(size) {}

  const uint8_t* data_ = nullptr;
  uint32_t size_ = 0;
};

struct ScopedCode {
  std::string_view code;
  View scope;
};

inline View Element::document() const {
  if (!is_document() && !is_array()) return {};
  return View::unchecked(iter_.raw + iter_.d1, load_u32(iter_.raw + iter_.d1));
}

// Fills iter_ as bson_iter_next() would, so that libbson's accessors work on it, but for the one thing that differs: the
// contents of a value never end the walk.
inline void View::Iterator::step() {
  const uint32_t at = iter_.next_off, last = iter_.len - 1;
  if (at >= last) {
    TIDEMARK_CHECK(at == last, "a walk left its document");
    alive_ = false;
    // What stands here is nothing.
    iter_.off = iter_.type = at;
    iter_.key = at - 1;
    iter_.d1 = at;
    return;
  }
  const uint8_t type = iter_.raw[at];
  const void* nul = std::memchr(iter_.raw + at + 1, 0, last - at - 1);
  TIDEMARK_CHECK(nul != nullptr, "a name has no end in a document that was checked");
  iter_.off = iter_.type = at;
  iter_.key = at + 1;
  iter_.d1 = static_cast<uint32_t>(static_cast<const uint8_t*>(nul) - iter_.raw) + 1;
  const int8_t size = kValueBytes[type];
  iter_.next_off = size >= 0 ? iter_.d1 + static_cast<uint32_t>(size) : variable_end(type, iter_.d1);
  TIDEMARK_CHECK(iter_.next_off <= last && iter_.next_off >= iter_.d1, "a value left its document");
  alive_ = true;
}

// An owned, immutable document in exactly as many bytes as it has; copies share them.
class Document {
 public:
  Document() = default;  // "no document"
  explicit Document(View view);
  explicit Document(const bson_t* doc) : Document(View(doc)) {}

  // Parses what people write: Extended JSON, canonical, relaxed, or in libbson's legacy forms. The text of a stored value is
  // read by read_json() (bson/json_reader.h), to the byte.
  static Result<Document> from_json(std::string_view json);

  View view() const { return bytes_ ? View::unchecked(bytes_.get(), size_) : View(); }
  operator View() const {
    return view();
  }  // NOLINT(google-explicit-constructor): a Document is usable as a View
  explicit operator bool() const { return bytes_ != nullptr; }
  uint32_t size() const { return size_; }

 private:
  std::shared_ptr<const uint8_t[]> bytes_;
  uint32_t size_ = 0;
};

// Builds one document. Appending can fail only beyond 2 GiB, which is an assertion.
class Builder {
 public:
  Builder() { bson_init(&doc_); }
  ~Builder() { bson_destroy(&doc_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  Builder& append(std::string_view key, std::string_view text);
  Builder& append(std::string_view key, const char* text) { return append(key, std::string_view(text)); }
  Builder& append(std::string_view key, int32_t value);
  Builder& append(std::string_view key, int64_t value);
  Builder& append(std::string_view key, double value);
  Builder& append(std::string_view key, bool value);
  Builder& append(std::string_view key, View document);
  // The element's bytes as they are.
  Builder& append(std::string_view key, const Element& element) {
    return append_raw(key, static_cast<uint8_t>(element.type()), element.value_bytes());
  }
  // A value by its type and bytes. REQUIRES that they are framed, and a key without U+0000.
  Builder& append_raw(std::string_view key, uint8_t type, std::span<const uint8_t> value);
  Builder& append_array(std::string_view key, View array);
  Builder& append_null(std::string_view key);
  Builder& append_timestamp(std::string_view key, uint32_t seconds, uint32_t increment);
  Builder& append_date(std::string_view key, int64_t ms_since_epoch);
  // Every field of `document`, in order, byte for byte.
  Builder& concat(View document);

  // The document built so far; valid until the next append.
  View view() const { return View(&doc_); }
  Document finish() const { return Document(&doc_); }
  // For libbson calls that have no wrapper here.
  bson_t* raw() { return &doc_; }
  void clear() { bson_reinit(&doc_); }

 private:
  uint8_t* grow(size_t more);

  bson_t doc_;
};

// A MongoDB timestamp (an oplog time): seconds and an ordinal within the second. Ordered.
struct Timestamp {
  uint32_t seconds = 0;
  uint32_t increment = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

}  // namespace tidemark::bson
