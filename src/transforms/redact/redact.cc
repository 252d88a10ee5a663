#include "transforms/redact/redact.h"

#include <utility>

#include "base/digest.h"
#include "core/event_edit.h"
#include "core/path_tree.h"

namespace tidemark {
namespace {

enum class Action { kHash, kDrop, kMask };

std::string_view as_text(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// HMAC-SHA256 (RFC 2104) with the salt as its key: a plain hash of an e-mail address or a card number is undone by trying
// them all.
class KeyedHash {
 public:
  explicit KeyedHash(std::string_view salt) {
    std::string key(salt);
    if (key.size() > kBlock) key = as_text(sha256(key));
    key.resize(kBlock, '\0');
    for (const char c : key) {
      inner_ += static_cast<char>(c ^ 0x36);
      outer_ += static_cast<char>(c ^ 0x5c);
    }
  }

  // Of the value's type and bytes: 5 and "5" have different hashes, the same value always the same.
  std::string hex(const bson::Element& element) const {
    const auto bytes = element.value_bytes();
    std::string message = inner_;
    message += static_cast<char>(element.type());
    message.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const Sha256 inside = sha256(message);
    return to_hex(sha256(outer_ + std::string(as_text(inside))));
  }

 private:
  static constexpr size_t kBlock = 64;
  std::string inner_;
  std::string outer_;
};

class RedactTransform final : public Transform {
 public:
  RedactTransform(PathTree paths, Action action, KeyedHash hash)
      : paths_(std::move(paths)), action_(action), hash_(std::move(hash)) {}

  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    bson::Builder key, before, after, update;
    EventEdit edit;
    edit.key = redacted(event.key, key);
    edit.before = redacted(event.before, before);
    edit.after = redacted(event.after, after);
    edit.update = redacted_update(event.update, update);
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    return Verdict::kKeep;
  }

 private:
  // "No document" when nothing had to be hidden.
  bson::View redacted(bson::View document, bson::Builder& out) const {
    if (!document) return {};
    bool changed = false;
    paths_.rewrite(document, paths_.root(), false, out,
                   [&](const bson::Element& element, std::string_view key, bson::Builder& to) {
                     changed = true;
                     return hide(element, key, to);
                   });
    return changed ? out.view() : bson::View();
  }

  // The names of removed fields and truncated arrays are no values; they stay.
  bson::View redacted_update(bson::View update, bson::Builder& out) const {
    const auto fields = update.find("updatedFields");
    if (!fields || !fields->is_document()) return {};
    bson::Builder inner;
    const bson::View changed = redacted(fields->document(), inner);
    if (!changed) return {};
    for (const bson::Element field : update) {
      if (field.key() == "updatedFields")
        out.append(field.key(), changed);
      else
        out.append(field.key(), field);
    }
    return out.view();
  }

  bool hide(const bson::Element& element, std::string_view key, bson::Builder& out) const {
    switch (action_) {
      case Action::kDrop:
        return false;
      case Action::kMask:
        out.append(key, "***");
        return true;
      case Action::kHash:
        out.append(key, hash_.hex(element));
        return true;
    }
    return false;
  }

  const PathTree paths_;
  const Action action_;
  const KeyedHash hash_;
};

config::ComponentSpec make_spec() {
  config::ComponentSpec spec;
  spec.kind = "transform";
  spec.type = "redact";
  spec.summary =
      "Hides the values of fields before any sink or dead letter sees them: in `fullDocument`, in "
      "`fullDocumentBeforeChange`, in `updateDescription.updatedFields` (whole documents and dotted names "
      "alike) and in "
      "`documentKey`. `_id` can't be hidden, because the resume token, which every sink keeps, contains it; "
      "the same is "
      "true of shard key fields, so keep secrets out of both.";
  spec.fields = {
      {.name = "paths",
       .type = config::FieldType::kStringList,
       .doc = "The fields, as dotted paths. A path goes through arrays: `items.card` is the field in every "
              "item. All "
              "that lies under a path is hidden with it.",
       .required = true,
       .example = "[\"customer.email\", \"items.card\"]"},
      {.name = "action",
       .type = config::FieldType::kEnum,
       .doc = "`hash` replaces a value by its HMAC-SHA256, in hexadecimal, so that equal values stay equal "
              "and can be "
              "joined; `drop` removes the field; `mask` replaces the value by `***`.",
       .default_text = "hash",
       .choices = {"hash", "drop", "mask"}},
      {.name = "salt",
       .doc = "The secret key of the hash; required by `hash`. Another salt gives other hashes, so keep it.",
       .secret = true,
       .example = "\"${REDACT_SALT}\""}};
  return spec;
}

Action action_from(const std::string& name) {
  if (name == "drop") return Action::kDrop;
  if (name == "mask") return Action::kMask;
  return Action::kHash;
}

}  // namespace

const config::ComponentSpec& redact_transform_spec() {
  static const config::ComponentSpec spec = make_spec();
  return spec;
}

Result<std::unique_ptr<Transform>> make_redact_transform(const config::Settings& settings,
                                                         const ComponentContext&) {
  const std::vector<std::string>& paths = settings.list("paths");
  for (const std::string& path : paths) {
    if (is_under(path, "_id"))
      return fail(settings.error("paths", "\"" + path + "\" can't be hidden",
                                 "rows and resume tokens are made of `_id`; keep secrets out of it"));
  }
  auto tree = PathTree::make(paths);
  if (!tree) return fail(settings.error("paths", tree.error().what, tree.error().hint));
  const Action action = action_from(settings.string("action"));
  if (action == Action::kHash && settings.string("salt").empty())
    return fail(settings.error("salt", "is missing, and action = \"hash\" needs it",
                               "write salt = \"${REDACT_SALT}\", or choose action = \"drop\" or \"mask\""));
  return std::make_unique<RedactTransform>(std::move(*tree), action, KeyedHash(settings.string("salt")));
}

}  // namespace tidemark
