#include <utility>

#include "base/digest.h"
#include "cloudevents/plain_json.h"
#include "cloudevents/render.h"
#include "config/fields.h"
#include "core/event_edit.h"
#include "core/path_tree.h"
#include "transforms/redact/component.h"

namespace tidemark {
namespace {

enum class Action { kHash, kDrop, kMask };

// Begins what stands for a message that was withheld.
constexpr std::string_view kWithheld = "withheld: ";

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

class RedactTransform : public Transform {
 public:
  RedactTransform(std::vector<std::string> names, PathTree paths, Action action, KeyedHash hash)
      : names_(std::move(names)), paths_(std::move(paths)), action_(action), hash_(std::move(hash)) {}

  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    bson::Builder key, before, after, update;
    EventEdit edit;
    const bool hidden = event.hidden;
    edit.key = redacted(event.key, hidden, key);
    edit.before = redacted(event.before, hidden, before);
    edit.after = redacted(event.after, hidden, after);
    edit.update = redacted_update(event.update, hidden, update);
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    return Verdict::kKeep;
  }

  std::vector<std::string> hides() const override { return names_; }

  // What it makes is for keeping, so the payload is hidden with the rest.
  Result<std::unique_ptr<Transform>> hiding(const std::vector<std::string>& paths) const override;

 protected:
  // A message that nobody could read as an event. Whatever of it isn't plainly without secrets is withheld: no path can be
  // found in what isn't understood.
  Status redact_malformed(Event& event, EventBatch& batch) const {
    const std::string_view body = event.payload;
    if (event.hidden && body.starts_with(kWithheld)) return {};
    const auto document = cloudevents::read_plain_object(body);
    std::string shown;
    if (document) {
      bson::Builder out;
      const bson::View changed = redacted(document->view(), event.hidden, out);
      if (!changed) return {};
      cloudevents::render(changed, shown);
    } else {
      shown = std::string(kWithheld) + std::to_string(body.size()) + " bytes that can't be read, SHA-256 " +
              to_hex(sha256(body)) + "; a field that redact hides may be among them";
    }
    bson::Builder after;
    for (const bson::Element field : event.after) {
      if (field.key() == "body")
        after.append("body", shown);
      else
        after.append(field.key(), field);
    }
    EventEdit edit;
    edit.after = after.view();
    TIDEMARK_TRY(apply_edit(event, edit, batch));
    event.payload = batch.store(std::string_view(shown));
    event.hidden = true;
    return {};
  }

 private:
  // "No document" when nothing had to be hidden. `hidden`: it was hidden once; a hash stays the hash of the value.
  bson::View redacted(bson::View document, bool hidden, bson::Builder& out) const {
    if (!document) return {};
    bool changed = false;
    paths_.rewrite(document, paths_.root(), false, out,
                   [&](const bson::Element& element, std::string_view key, bson::Builder& to) {
                     if (hidden && is_hash(element)) {
                       to.append(key, element);
                       return true;
                     }
                     changed = true;
                     return hide(element, key, to);
                   });
    return changed ? out.view() : bson::View();
  }

  // The names of removed fields and truncated arrays are no values; they stay.
  bson::View redacted_update(bson::View update, bool hidden, bson::Builder& out) const {
    const auto fields = update.find("updatedFields");
    if (!fields || !fields->is_document()) return {};
    bson::Builder inner;
    const bson::View changed = redacted(fields->document(), hidden, inner);
    if (!changed) return {};
    for (const bson::Element field : update) {
      if (field.key() == "updatedFields")
        out.append(field.key(), changed);
      else
        out.append(field.key(), field);
    }
    return out.view();
  }

  bool is_hash(const bson::Element& element) const {
    constexpr size_t kHexDigits = 64;
    return action_ == Action::kHash && element.is_string() && element.string().size() == kHexDigits &&
           element.string().find_first_not_of("0123456789abcdef") == std::string_view::npos;
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

  const std::vector<std::string> names_;
  const PathTree paths_;
  const Action action_;
  const KeyedHash hash_;
};

// For what is kept of an event: also its payload.
class RedactForKeeping final : public RedactTransform {
 public:
  using RedactTransform::RedactTransform;

  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    if (event.malformed) {
      TIDEMARK_TRY(redact_malformed(event, batch));
      return Verdict::kKeep;
    }
    const bool had_payload = !event.payload.empty();
    const bool was_edited = std::exchange(event.edited, false);
    TIDEMARK_ASSIGN(const Verdict verdict, RedactTransform::apply(event, batch));
    if (had_payload && event.edited) {
      std::string payload;
      cloudevents::render_message(event, payload);
      event.payload = batch.store(std::string_view(payload));
    }
    event.edited = event.edited || was_edited;
    return verdict;
  }
};

Result<std::unique_ptr<Transform>> RedactTransform::hiding(const std::vector<std::string>& paths) const {
  TIDEMARK_ASSIGN(PathTree tree, PathTree::make(paths));
  return std::make_unique<RedactForKeeping>(paths, std::move(tree), action_, hash_);
}

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "transform";
  spec.type = "redact";
  spec.summary =
      "Hides the values of fields before any sink sees them, and in dead letters whichever transform or sink "
      "rejected the event, under the names that the fields had before a rename too: in `fullDocument`, in "
      "`fullDocumentBeforeChange`, in `updateDescription.updatedFields` (whole documents and dotted names "
      "alike) and in `documentKey`. `_id` can't be hidden, because the resume token, which every sink keeps, "
      "contains it; the same is true of shard key fields, so keep secrets out of both.";
  spec.fields = {
      required(list("paths",
                    "The fields, as dotted paths. A path goes through arrays: `items.card` is the field in "
                    "every item. All that lies under a path is hidden with it."),
               "[\"customer.email\", \"items.card\"]"),
      choice("action", {"hash", "drop", "mask"},
             "`hash` replaces a value by its HMAC-SHA256, in hexadecimal, so that equal values stay equal "
             "and can be joined; `drop` removes the field; `mask` replaces the value by `***`."),
      secret(with_example(
          text(
              "salt",
              "The secret key of the hash; required by `hash`. Another salt gives other hashes, so keep it."),
          "\"${REDACT_SALT}\""))};
  return spec;
}

Action action_from(const std::string& name) {
  if (name == "drop") return Action::kDrop;
  if (name == "mask") return Action::kMask;
  return Action::kHash;
}

Result<std::unique_ptr<Transform>> make(const config::Settings& settings, const ComponentContext&) {
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
  return std::make_unique<RedactTransform>(paths, std::move(*tree), action,
                                           KeyedHash(settings.string("salt")));
}

}  // namespace

const TransformComponent& redact_transform_component() {
  static const TransformComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
