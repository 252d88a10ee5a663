// BSON documents over libbson: an owning Document, a View that borrows, an Element inside a View, a Builder.
//
// There is no codec of our own: every byte is read and written by libbson (bsonspec.org;
// http://mongoc.org/libbson). A View or Element is valid as long as the bytes it was made from. Nothing here
// is shared between threads while it is being changed; finished Documents are immutable and may be read from
// any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <bson/bson.h>

#include "base/result.h"

namespace tidemark::bson {

class View;

// One field of a document, or one item of an array.
class Element {
 public:
  Element() = default;
  explicit Element(const bson_iter_t& iter) : iter_(iter) {}

  bson_type_t type() const { return bson_iter_type(&iter_); }
  std::string_view key() const { return {bson_iter_key(&iter_), bson_iter_key_len(&iter_)}; }

  bool is_document() const { return type() == BSON_TYPE_DOCUMENT; }
  bool is_array() const { return type() == BSON_TYPE_ARRAY; }
  bool is_string() const { return type() == BSON_TYPE_UTF8; }
  bool is_number() const {
    const bson_type_t t = type();
    return t == BSON_TYPE_INT32 || t == BSON_TYPE_INT64 || t == BSON_TYPE_DOUBLE || t == BSON_TYPE_DECIMAL128;
  }
  bool is_null() const { return type() == BSON_TYPE_NULL; }

  // REQUIRES is_string() (or symbol/code).
  std::string_view string() const {
    uint32_t length = 0;
    const char* text = bson_iter_utf8(&iter_, &length);
    return {text, length};
  }
  // REQUIRES is_document() or is_array().
  View document() const;
  // The value as an integer; empty for other types, for fractions and for what int64 can't hold.
  std::optional<int64_t> integer() const;
  // The server's idea of truth: false for false, zero, null and undefined.
  bool truthy() const;

  // The bytes of the value alone, without type and key: equal bytes and equal types are equal values.
  std::span<const uint8_t> value_bytes() const;

  // The whole libbson value; valid as long as the element. For types that have no accessor here.
  const bson_value_t* value() const { return bson_iter_value(const_cast<bson_iter_t*>(&iter_)); }
  const bson_iter_t& iter() const { return iter_; }

 private:
  bson_iter_t iter_ = {};
};

// A borrowed document. A default-constructed View is "no document", different from the empty document {}.
class View {
 public:
  View() = default;
  View(const uint8_t* data, uint32_t size) : data_(data), size_(size) {}
  explicit View(const bson_t* doc) : data_(bson_get_data(doc)), size_(doc->len) {}

  // Checks that `bytes` are exactly one well-formed document, all levels down, keys and strings in UTF-8.
  static Result<View> parse(std::span<const uint8_t> bytes);

  explicit operator bool() const { return data_ != nullptr; }
  // True for "no document" and for {}.
  bool empty() const { return size_ <= 5; }
  const uint8_t* data() const { return data_; }
  uint32_t size() const { return size_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // The field of this name, which may hold dots: top level only.
  std::optional<Element> find(std::string_view key) const;
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
    Iterator() = default;
    explicit Iterator(const View& view) {
      alive_ = view.data_ != nullptr && bson_iter_init_from_data(&iter_, view.data_, view.size_) &&
               bson_iter_next(&iter_);
    }
    Element operator*() const { return Element(iter_); }
    Iterator& operator++() {
      alive_ = bson_iter_next(&iter_);
      return *this;
    }
    // Only ever compared with end().
    bool operator!=(const Iterator& other) const { return alive_ != other.alive_; }

   private:
    bson_iter_t iter_ = {};
    bool alive_ = false;
  };
  Iterator begin() const { return Iterator(*this); }
  Iterator end() const { return {}; }

  // Byte equality: same fields in the same order with the same types. Two "no document"s are equal.
  friend bool operator==(const View& a, const View& b);

 private:
  const uint8_t* data_ = nullptr;
  uint32_t size_ = 0;
};

// An owned, immutable document in exactly as many bytes as it has; copies share them.
class Document {
 public:
  Document() = default;  // "no document"
  explicit Document(View view);
  explicit Document(const bson_t* doc) : Document(View(doc)) {}

  // Parses Extended JSON (canonical, relaxed, or libbson's legacy forms).
  static Result<Document> from_json(std::string_view json);

  View view() const { return bytes_ ? View(bytes_.get(), size_) : View(); }
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
  Builder& append(std::string_view key, const Element& element);
  Builder& append_array(std::string_view key, View array);
  Builder& append_null(std::string_view key);
  Builder& append_timestamp(std::string_view key, uint32_t seconds, uint32_t increment);
  Builder& append_date(std::string_view key, int64_t ms_since_epoch);
  // Every field of `document`, in order.
  Builder& concat(View document);

  // The document built so far; valid until the next append.
  View view() const { return View(&doc_); }
  Document finish() const { return Document(&doc_); }
  // For libbson calls that have no wrapper here.
  bson_t* raw() { return &doc_; }
  void clear() { bson_reinit(&doc_); }

 private:
  bson_t doc_;
};

// A MongoDB timestamp (an oplog time): seconds and an ordinal within the second. Ordered.
struct Timestamp {
  uint32_t seconds = 0;
  uint32_t increment = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

}  // namespace tidemark::bson
