#include <algorithm>

#include "base/log.h"
#include "bson/json.h"
#include "config/fields.h"
#include "deadletters/mongodb/component.h"
#include "mongo/client.h"

namespace tidemark {
namespace {

// A document holds 16 MiB; the rest is for the other fields.
constexpr size_t kLetterBytesMax = 16 * 1024 * 1024 - 64 * 1024;

bson::Document majority() {
  bson::Builder concern;
  concern.append("level", "majority");
  return concern.finish();
}

bson::Document key_of(const std::string& pipeline, const std::string& id) {
  bson::Builder key;
  key.append("pipeline", pipeline).append("id", id);
  return key.finish();
}

std::string text_in(bson::View document, std::string_view name) {
  const auto field = document.find(name);
  return field && field->is_string() ? std::string(field->string()) : std::string();
}

size_t size_of(const DeadLetter& letter) {
  return letter.event.size() + letter.bytes.size() + letter.payload.size() + letter.reason.size();
}

bson::Document document_of(const DeadLetter& letter) {
  bson::Builder document;
  document.append("pipeline", letter.pipeline).append("id", letter.id);
  document.append("reason", letter.reason).append_date("at", letter.at_ms);
  document.append("attempts", static_cast<int32_t>(letter.attempts)).append("origin", letter.origin);
  document.append("malformed", letter.malformed);
  // A document holds 16 MiB: of an event that is half as large, the bytes are kept and the text can be made again.
  const bool both = size_of(letter) <= kLetterBytesMax;
  document.append("event", both ? letter.event : std::string()).append("payload", letter.payload);
  bson_append_binary(document.raw(), "bytes", -1, BSON_SUBTYPE_BINARY,
                     reinterpret_cast<const uint8_t*>(letter.bytes.data()),
                     static_cast<uint32_t>(letter.bytes.size()));
  document.append("hidden", letter.hidden);
  return document.finish();
}

std::string binary_in(bson::View document, std::string_view name) {
  const auto field = document.find_path(name);
  if (!field || field->type() != BSON_TYPE_BINARY) return {};
  const auto bytes = field->binary().bytes;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

DeadLetter letter_of(bson::View document) {
  DeadLetter letter;
  letter.id = text_in(document, "id");
  letter.pipeline = text_in(document, "pipeline");
  letter.reason = text_in(document, "reason");
  letter.event = text_in(document, "event");
  letter.origin = text_in(document, "origin");
  letter.payload = text_in(document, "payload");
  if (const auto at = document.find("at"); at && at->type() == BSON_TYPE_DATE_TIME)
    letter.at_ms = bson_iter_date_time(&at->iter());
  if (const auto attempts = document.find("attempts"))
    letter.attempts = static_cast<int>(attempts->integer().value_or(1));
  if (const auto malformed = document.find("malformed")) letter.malformed = malformed->truthy();
  letter.bytes = binary_in(document, "bytes");
  if (const auto hidden = document.find("hidden")) letter.hidden = hidden->truthy();
  if (!letter.event.empty() || letter.bytes.empty()) return letter;
  EventBatch memory;
  if (const auto event = event_of(letter, memory)) letter.event = bson::to_json(event->raw);
  return letter;
}

class MongodbDeadLetters final : public DeadLetterStore {
 public:
  MongodbDeadLetters(std::unique_ptr<mongo::Client> client, std::string database, std::string collection,
                     Clock& clock)
      : client_(std::move(client)),
        database_(std::move(database)),
        collection_(std::move(collection)),
        clock_(clock) {}

  Status open(std::stop_token stop) override {
    look(stop);
    TIDEMARK_TRY(create(stop));
    made_ = true;
    if (uuid_.empty()) uuid_ = uuid(stop).value_or("");
    return {};
  }

  Result<LetterFate> put(const DeadLetter& letter, std::stop_token stop) override {
    if (!made_ || (clock_.now() - looked_at_ >= kLookEvery && !look(stop))) TIDEMARK_TRY(open(stop));
    // With the bytes the text can be left out; a letter without them is its text.
    const size_t needed = size_of(letter) - (letter.bytes.empty() ? 0 : letter.event.size());
    if (needed > kLetterBytesMax) {
      return fail(React::kConfig,
                  where() + ": the letter " + letter.id + " has " + std::to_string(needed) +
                      " bytes with its message, and a document holds 16 MiB",
                  "keep the dead letters of this pipeline in a file: type = \"sqlite\"");
    }
    bson::Builder statement;
    statement.append("q", key_of(letter.pipeline, letter.id).view());
    statement.append("u", document_of(letter).view()).append("upsert", true);
    bson::Builder statements;
    statements.append("0", statement.view());
    bson::Builder command;
    command.append("update", collection_).append_array("updates", statements.view());
    auto written = client_->write(database_, command.view(), stop);
    if (written) {
      // The first one may have gone into a collection that was made anew since the last look.
      if (!held_) look(stop);
      held_ = true;
      return LetterFate::kKept;
    }
    Error error = std::move(written).error();
    // Two put it at once; the next try replaces it.
    if (error.code == mongo::kDuplicateKey) error.react = React::kRetry;
    return fail(std::move(error));
  }

  Result<std::vector<DeadLetter>> list(const std::string& pipeline, const std::string& after,
                                       size_t limit) override {
    bson::Builder later;
    later.append("$gt", after);
    bson::Builder query;
    query.append("pipeline", pipeline).append("id", later.view());
    return find_letters(query.view(), limit);
  }

  Result<std::optional<DeadLetter>> find(const std::string& pipeline, const std::string& id) override {
    TIDEMARK_ASSIGN(auto found, find_letters(key_of(pipeline, id), 1));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  }

  Result<uint64_t> count(const std::string& pipeline) override {
    look({});
    if (lost_) return fail(loss());
    bson::Builder query;
    query.append("pipeline", pipeline);
    bson::Builder command;
    command.append("count", collection_).append("query", query.view());
    command.append("readConcern", majority().view());
    TIDEMARK_ASSIGN(const bson::Document reply, client_->read(database_, command.view(), {}));
    const auto n = reply.view().find("n");
    const auto counted = static_cast<uint64_t>(std::max<int64_t>(0, n ? n->integer().value_or(0) : 0));
    held_ = held_ || counted > 0;
    return counted;
  }

  Status remove(const std::string& pipeline, const std::string& id) override {
    bson::Builder statement;
    statement.append("q", key_of(pipeline, id).view()).append("limit", int32_t{1});
    bson::Builder statements;
    statements.append("0", statement.view());
    bson::Builder command;
    command.append("delete", collection_).append_array("deletes", statements.view());
    TIDEMARK_TRY(client_->write(database_, command.view(), {}));
    return {};
  }

 private:
  static constexpr std::chrono::seconds kLookEvery{10};

  std::string where() const { return "dead letters " + database_ + "." + collection_; }

  Error loss() const {
    return {
        React::kConfig,
        where() +
            ": the collection was dropped, moved or replaced while the pipeline ran: the letters that "
            "were in it are not there any more",
        "put them back from a backup, or let `tidemark audit --repair` find what is missing; a restart takes "
        "the collection as it is then"};
  }

  // The index keeps a letter single, and lists letters in order.
  Status create(std::stop_token stop) {
    bson::Builder key;
    key.append("pipeline", int32_t{1}).append("id", int32_t{1});
    bson::Builder index;
    index.append("key", key.view()).append("name", "pipeline_1_id_1").append("unique", true);
    bson::Builder indexes;
    indexes.append("0", index.view());
    bson::Builder command;
    command.append("createIndexes", collection_).append_array("indexes", indexes.view());
    auto created = client_->write(database_, command.view(), std::move(stop));
    if (created) return {};
    Error error = std::move(created).error();
    // CannotCreateIndex, a duplicate, or an index that is in the way.
    if (error.code == 67 || error.code == mongo::kDuplicateKey || error.code == 85 || error.code == 86) {
      error.react = React::kConfig;
      error.hint = "give the dead letters a collection of their own";
    }
    return fail(std::move(error));
  }

  // The identity that the server gave the collection; "" where there is none, or the server doesn't say.
  Result<std::string> uuid(std::stop_token stop) {
    bson::Builder filter;
    filter.append("name", collection_);
    bson::Builder list;
    list.append("listCollections", int32_t{1}).append("filter", filter.view());
    TIDEMARK_ASSIGN(const auto found, client_->read_all(database_, list.view(), 1, std::move(stop)));
    return found.empty() ? std::string() : binary_in(found.front().view(), "info.uuid");
  }

  // False once the collection isn't the one that was opened. A write makes it again, without its index and without the letters
  // of which "kept" was said: that is told once in the log, and by count() from then on. What can't be looked at now is looked
  // at the next time.
  bool look(std::stop_token stop) {
    auto now = uuid(std::move(stop));
    if (!now) return true;
    looked_at_ = clock_.now();
    if (*now == uuid_) return true;
    const bool was_known = !std::exchange(uuid_, std::move(*now)).empty();
    if (!was_known) return true;
    // Made anew before anything stood in it, as when its creation was rolled back: nothing is lost with it.
    if (held_ && !lost_) log::error("{}", loss().describe());
    lost_ = lost_ || held_;
    made_ = false;
    return false;
  }

  Result<std::vector<DeadLetter>> find_letters(bson::View query, size_t limit) {
    std::vector<DeadLetter> letters;
    if (limit == 0) return letters;
    bson::Builder order;
    order.append("id", int32_t{1});
    bson::Builder command;
    command.append("find", collection_).append("filter", query).append("sort", order.view());
    command.append("limit", static_cast<int64_t>(limit)).append("readConcern", majority().view());
    TIDEMARK_ASSIGN(const auto documents, client_->read_all(database_, command.view(), limit, {}));
    for (const bson::Document& document : documents) letters.push_back(letter_of(document));
    return letters;
  }

  const std::unique_ptr<mongo::Client> client_;
  const std::string database_;
  const std::string collection_;
  Clock& clock_;
  std::string uuid_;  // of the collection as it was opened; empty = not known
  Mono looked_at_{};
  bool made_ = false;  // it is there, with its index, as far as is known
  bool held_ = false;  // a letter was seen in it
  bool lost_ = false;  // it was another one before, with letters
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "dead_letters";
  spec.type = "mongodb";
  spec.summary =
      "Dead letters in a MongoDB collection: one document per event that no retry can deliver, with the "
      "reason, the number of attempts, and the whole event, in canonical Extended JSON for people and in "
      "BSON for a retry. Needs `readWrite` on the database.";
  spec.fields = {
      uri("TIDEMARK_MONGODB_URI", "The connection string of the deployment that keeps the letters."),
      text("database", "tidemark", "Its database."),
      text("collection", "dead_letters", "Its collection. Several pipelines may share one."),
  };
  return spec;
}

Result<std::unique_ptr<DeadLetterStore>> make(const config::Settings& settings,
                                              const ComponentContext& context) {
  const std::string& database = settings.string("database");
  const std::string& collection = settings.string("collection");
  for (const char* field : {"database", "collection"}) {
    if (settings.string(field).empty())
      return fail(settings.error(field, "it must not be empty", "give it a name, or leave it out"));
  }
  auto client = mongo::Client::create({settings.string("uri"), "dead letters " + database + "." + collection,
                                       "grant the user the role `readWrite` on " + database});
  if (!client) return fail(settings.error("uri", client.error().what, client.error().hint));
  return std::make_unique<MongodbDeadLetters>(std::move(*client), database, collection, *context.clock);
}

KeptNames keeps(const config::Settings& settings) {
  return {"mongodb " + settings.string("uri"),
          {settings.string("database") + "." + settings.string("collection")}};
}

}  // namespace

const DeadLettersComponent& mongodb_dead_letters_component() {
  static const DeadLettersComponent component{.spec = make_spec(), .make = make, .keeps = keeps};
  return component;
}

}  // namespace tidemark
