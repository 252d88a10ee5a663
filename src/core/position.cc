#include "core/position.h"

#include <charconv>
#include <optional>

#include "base/digest.h"

namespace tidemark {
namespace {

// Magic and version in one: another version is another magic, and decode() says so.
constexpr std::string_view kMagic{"TIDEPOS\x01", 8};
constexpr size_t kDigestSize = std::tuple_size_v<Sha256>;

template <class T>
void put_integer(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
}

void put_bytes(std::string& out, std::string_view bytes) {
  put_integer(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

// Reads what put_* wrote; `ok` turns false at the first field that the rest is too short for.
struct Reader {
  std::string_view rest;
  bool ok = true;

  template <class T>
  T integer() {
    if (rest.size() < sizeof(T)) {
      ok = false;
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= uint64_t{static_cast<uint8_t>(rest[i])} << (8 * i);
    rest.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }

  std::string_view bytes() {
    const uint32_t size = integer<uint32_t>();
    if (!ok || rest.size() < size) {
      ok = false;
      return {};
    }
    const std::string_view value = rest.substr(0, size);
    rest.remove_prefix(size);
    return value;
  }
};

std::string_view digest_text(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

tl::unexpected<Error> corrupt(std::string what) {
  return fail(
      React::kCorrupt, "a stored position is damaged: " + std::move(what),
      "restore it from a copy, or choose a new one with `tidemark position reset` and `position init`");
}

std::optional<uint32_t> hex32(std::string_view text) {
  uint32_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

DurablePosition operator_position(Position position) { return DurablePosition(std::move(position)); }

std::string StoredPosition::encode() const {
  const bson::View token = position.token();
  std::string out;
  out.reserve(kMagic.size() + token.size() + fingerprint.size() + deployment.size() + kDigestSize + 64);
  out.append(kMagic);
  put_bytes(out, {reinterpret_cast<const char*>(token.data()), token.size()});
  put_integer(out, position.cluster_time().seconds);
  put_integer(out, position.cluster_time().increment);
  put_integer(out, saved_at_ms);
  put_bytes(out, fingerprint);
  put_bytes(out, deployment);
  put_integer(out, epoch);
  const Sha256 digest = sha256(out);
  out.append(digest_text(digest));
  return out;
}

Result<StoredPosition> StoredPosition::decode(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + kDigestSize)
    return corrupt(std::to_string(bytes.size()) + " bytes are fewer than any position has");
  if (bytes.substr(0, kMagic.size()) != kMagic)
    return corrupt("it does not begin with the mark of a position");
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestSize);
  if (bytes.substr(body.size()) != digest_text(sha256(body))) return corrupt("its SHA-256 does not match");

  Reader reader{body.substr(kMagic.size())};
  const std::string_view token = reader.bytes();
  bson::Timestamp time;
  time.seconds = reader.integer<uint32_t>();
  time.increment = reader.integer<uint32_t>();
  StoredPosition stored;
  stored.saved_at_ms = reader.integer<int64_t>();
  stored.fingerprint = reader.bytes();
  stored.deployment = reader.bytes();
  stored.epoch = reader.integer<uint64_t>();
  if (!reader.ok || !reader.rest.empty()) return corrupt("its fields do not fill it exactly");
  // An empty token is the empty Position: no bytes, so it must not be built from a View of a document.
  if (!token.empty()) {
    const auto view = bson::View::parse({reinterpret_cast<const uint8_t*>(token.data()), token.size()});
    if (!view) return corrupt("its token is " + view.error().what);
    stored.position = Position(*view, time);
  }
  return stored;
}

bson::Timestamp token_time(bson::View token) {
  const std::string_view hex = token_data(token);
  if (hex.size() < 18 || hex.substr(0, 2) != "82") return {};
  const auto seconds = hex32(hex.substr(2, 8));
  const auto increment = hex32(hex.substr(10, 8));
  if (!seconds || !increment) return {};
  return {*seconds, *increment};
}

std::string_view token_data(bson::View token) {
  // Nearly always the only field.
  const auto data = token.find("_data");
  return data && data->is_string() ? data->string() : std::string_view();
}

}  // namespace tidemark
