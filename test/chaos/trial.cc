#include "chaos/trial.h"

#include <filesystem>

#include <fmt/format.h>

#include "bson/json.h"
#include "chaos/consumers.h"
#include "chaos/faults.h"
#include "chaos/writer.h"
#include "guard/compare.h"

namespace tidemark::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kStep{2};
// A schedule takes one or two seconds, and a mongod that was killed as many as it needs to read its journal and be elected. What
// stands still does so for good: a machine with much else to do gets the time it needs.
constexpr seconds kScheduleTime{180};
constexpr seconds kRestTime{120};
constexpr seconds kTransactionTime{2};
constexpr size_t kIdsMax = 3;

Time now() { return testing::internal::now(); }

class Trial {
 public:
  Trial(const Schedule& schedule, Workshop& workshop) : schedule_(schedule), workshop_(workshop) {}

  Verdict run() {
    const Time begun = now();
    try {
      if (Status ready = prepare(); !ready) {
        find("the trial could not begin: " + ready.error().describe());
      } else {
        play();
        if (!any_failed() && come_to_rest()) compare_ends();
        stop_relays();
      }
    } catch (const std::exception& e) {
      find(std::string("the trial broke off: ") + e.what());
    }
    clean_up();
    verdict_.seconds = std::chrono::duration<double>(now() - begun).count();
    return std::move(verdict_);
  }

 private:
  void find(std::string what) { verdict_.findings.push_back(std::move(what)); }

  Status prepare() {
    places_.folder = fmt::format("{}/trial{}", workshop_.folder, ++workshop_.trials);
    std::filesystem::create_directory(places_.folder);
    TIDEMARK_ASSIGN(deployment_, Deployment::start(schedule_.seed));
    places_.keeps_logs = !workshop_.keep.empty();
    places_.mongodb_uri = deployment_->uri();
    places_.database = fmt::format("{}_{}", deployment_->database(), workshop_.trials);
    if (workshop_.postgres != nullptr) places_.postgres_uri = workshop_.postgres->create_schema();
    for (size_t i = 0; i < schedule_.relays.size(); ++i) {
      if (schedule_.relays[i]->sink == SinkType::kPostgres && workshop_.postgres == nullptr)
        return fail(React::kConfig, "this schedule needs a PostgreSQL server, and none is installed");
      relays_.push_back(std::make_unique<Relay>(RelaySetup{.kind = schedule_.relays[i],
                                                           .index = static_cast<int>(i),
                                                           .seed = schedule_.seed,
                                                           .places = places_}));
      relays_.back()->begin_init();
    }
    for (const auto& relay : relays_) TIDEMARK_TRY(relay->finish_init());
    for (const auto& relay : relays_) relay->start(now());
    if (workshop_.consumers) TIDEMARK_TRY(start_consumers());
    faults_ = std::make_unique<Faults>(World{.deployment = deployment_.get(),
                                             .relays = &relays_,
                                             .bystanders = bystanders(),
                                             .postgres = workshop_.postgres,
                                             .postgres_uri = places_.postgres_uri,
                                             .database = places_.database,
                                             .disk = workshop_.disk,
                                             .together = workshop_.consumers});
    writer_ = std::make_unique<Writer>(WriterOptions{.uri = deployment_->uri(),
                                                     .database = places_.database,
                                                     .seed = schedule_.seed,
                                                     .writes = schedule_.writes,
                                                     .moves = !workshop_.consumers,
                                                     .go_on_to = place_of_fault(0)});
    for (const auto& consumer : consumers_) consumer->count_writes([this] { return writer_->tried(); });
    return {};
  }

  Status start_consumers() {
    for (const ConsumerKind kind : {ConsumerKind::kStock, ConsumerKind::kInMemory})
      consumers_.push_back(std::make_unique<Consumer>(kind, places_, workshop_.beside));
    for (const auto& consumer : consumers_) TIDEMARK_TRY(consumer->wait_open());
    return {};
  }

  std::vector<Bystander*> bystanders() const {
    std::vector<Bystander*> all;
    for (const auto& consumer : consumers_) all.push_back(consumer.get());
    return all;
  }

  void look_after_all() {
    const Time moment = now();
    for (const auto& relay : relays_)
      if (auto finding = relay->look_after(moment)) find(std::move(*finding));
    for (const auto& consumer : consumers_) consumer->look_after(moment);
  }

  bool any_failed() const {
    return std::any_of(relays_.begin(), relays_.end(), [](const auto& relay) { return relay->failed(); });
  }

  // After how many writes the writer waits for this fault. Beside the usual loops alone, whose losses are counted: without
  // them faults come upon a writer that doesn't wait.
  int place_of_fault(size_t index) const {
    return workshop_.consumers && index < schedule_.faults.size() ? schedule_.faults[index].at : kNoLimit;
  }

  // Until the last write was tried and the last fault taken back; or a relay has ended by itself, which is enough.
  void play() {
    const Time deadline = now() + kScheduleTime;
    size_t next = 0;
    const auto due = [&] {
      return next < schedule_.faults.size() &&
             (schedule_.faults[next].at <= writer_->tried() || writer_->done());
    };
    while (!any_failed() && (!writer_->done() || next < schedule_.faults.size() || !faults_->quiet())) {
      while (due()) {
        const Fault& fault = schedule_.faults[next++];
        writer_->go_on_to(place_of_fault(next));
        faults_->inflict(fault, now());
      }
      faults_->tick(now());
      look_after_all();
      if (now() > deadline) {
        find("the schedule did not end in time; " + deployment_->status());
        break;
      }
      testing::internal::pause(kStep);
    }
    faults_->heal_all(now());
    for (const auto& consumer : consumers_) consumer->come_back(now());
    writer_->stop();
    writer_->join();
    verdict_.missed = faults_->missed();
    verdict_.inflicted = faults_->inflicted();
    if (any_failed())
      for (const std::string& words : faults_->truncated()) find("  " + words);
    if (!writer_->contradiction().empty()) find("the source: " + writer_->contradiction());
  }

  // Heals everything, and waits until every stored position is behind the last write.
  bool come_to_rest() {
    const auto end = writer_->write_the_end(static_cast<int>(milliseconds(kRestTime).count()));
    if (!end) {
      find("the source takes no write after everything was healed: " + end.error().describe() + "; " +
           deployment_->status());
      return false;
    }
    const Time deadline = now() + kRestTime;
    const Time end_transactions = now() + kTransactionTime;
    bool ended_transactions = false;
    std::vector<Relay*> waiting;
    for (const auto& relay : relays_) waiting.push_back(relay.get());
    while (true) {
      look_after_all();
      std::erase_if(waiting, [&](Relay* relay) { return time_of_token(relay->position()) >= *end; });
      if (waiting.empty()) break;
      if (any_failed()) return false;
      if (now() > end_transactions && !ended_transactions)
        ended_transactions = end_left_transactions(waiting);
      if (now() > deadline) {
        for (Relay* relay : waiting)
          find(
              fmt::format("relay {} did not reach the last write within {} s; "
                          "its position is {}: {}",
                          relay->name(), kRestTime.count(), relay->position(), relay->last_words()));
        return false;
      }
      testing::internal::pause(milliseconds(10));
    }
    for (const auto& consumer : consumers_) consumer->wait_for_the_end();
    return true;
  }

  // A relay that is killed within a transaction of its sink leaves it open, and the next one waits until the server ends it,
  // a minute later. A step-down ends it too: time that the trial lets pass at once.
  bool end_left_transactions(const std::vector<Relay*>& waiting) {
    for (const Relay* relay : waiting)
      if (relay->kind().sink == SinkType::kMongodb && relay->kind().effectively_once())
        return deployment_->step_down().has_value();
    return true;
  }

  void compare_ends() {
    testing::Mongo client(deployment_->uri());
    const auto source = source_documents(client, places_.database);
    if (!source) return find("the source can't be read: " + source.error().describe());
    const auto there = versions(*source);
    History& history = writer_->history();
    for (int64_t n = Faults::kFirstUnreplicated; n < faults_->next_unreplicated(); ++n)
      history.add(unreplicated_id_json(n), {.n = n, .op = Op::kInsert, .known = false});
    for (const std::string& contradiction : history.contradictions(there))
      find("the source: " + contradiction);
    verdict_.writes = history.acknowledged();
    verdict_.unknown = writer_->unknown();
    history.settle(there);
    for (const auto& relay : relays_) {
      if (relay->kind().log) {
        compare_log(*relay, history);
      } else {
        compare_documents(*relay, *source, history);
      }
    }
    for (const auto& consumer : consumers_) {
      const LogFindings found = check_log(history, consumer->events(), {});
      (consumer->kind() == ConsumerKind::kStock ? verdict_.stock : verdict_.in_memory) = {found.lost,
                                                                                          found.repeated};
    }
  }

  void compare_log(Relay& relay, const History& history) {
    End& end = relay.end();
    std::vector<LoggedEvent> events = end.events();
    for (LoggedEvent& letter : end.letters()) events.push_back(std::move(letter));
    const LogFindings found = check_log(
        history, events, {.keeps_order = end.keeps_order(), .rejects_doubled = end.rejects_doubled()});
    verdict_.tidemark.lost += found.lost;
    const bool at_least_once = relay.kind().sink == SinkType::kFile;
    (at_least_once ? verdict_.repeated : verdict_.tidemark.duplicates) += found.repeated;
    const bool repeated = found.repeated > 0 && !at_least_once;
    if (found.clean() && !repeated) return;
    std::string text = fmt::format(
        "relay {}: {} events lost, {} invented, {} "
        "repeated, {} documents out of order",
        relay.name(), found.lost, found.invented, found.repeated, found.disordered);
    for (const std::string& example : found.examples) text += "\n    " + example;
    find(std::move(text));
  }

  // Of a document that the sink can't hold there is a letter, and its row is as old as it may be.
  void set_aside_doubled(Relay& relay, const History& history, Documents& source, Documents& rows) {
    const std::vector<LoggedEvent> letters = relay.end().letters();
    for (const LoggedEvent& letter : letters)
      if (!history.may_be_rejected(letter))
        find(fmt::format("relay {}: {} of {} with v = {} was rejected without need", relay.name(), letter.op,
                         letter.id, letter.n));
    const Documents doubled = take_doubled(source);
    for (const auto& [id, v] : versions(doubled)) {
      rows.erase(id);
      const bool kept = std::any_of(
          letters.begin(), letters.end(),
          [&id = id, v = v](const LoggedEvent& letter) { return letter.id == id && letter.n == v; });
      if (kept) continue;
      ++verdict_.tidemark.lost;
      find(fmt::format("relay {}: {} has a name twice, and v = {} of it is no letter", relay.name(), id, v));
    }
  }

  void compare_documents(Relay& relay, Documents source, const History& history) {
    const auto rows = [](const Documents& documents) {
      std::vector<guard::Row> all;
      for (const auto& [id, document] : documents) all.push_back({id, document});
      return guard::SortedRows(std::move(all));
    };
    const bool in_order = relay.end().keeps_order_of_fields();
    Documents there = relay.end().documents();
    if (relay.end().rejects_doubled()) set_aside_doubled(relay, history, source, there);
    guard::SortedRows left = rows(in_order ? source : sorted_by_name(source));
    guard::SortedRows right = rows(in_order ? there : sorted_by_name(there));
    const auto compared = guard::compare(left, right, kIdsMax);
    if (!compared) return find("relay " + relay.name() + ": " + compared.error().describe());
    if (compared->equal()) return;
    verdict_.tidemark.lost += compared->missing.count + compared->different.count + compared->extra.count;
    std::string text = fmt::format("relay {}: {} documents missing, {} extra, {} different", relay.name(),
                                   compared->missing.count, compared->extra.count, compared->different.count);
    for (const auto* difference : {&compared->missing, &compared->extra, &compared->different})
      for (const std::string& id : difference->first_ids) text += "\n    " + id;
    find(std::move(text));
  }

  // A clean stop, and rows that never lead the position.
  void stop_relays() {
    for (const auto& relay : relays_) relay->stop(now(), seconds(3600));
    for (const auto& relay : relays_) {
      while (relay->stopping()) {
        if (auto finding = relay->look_after(now())) find(std::move(*finding));
        if (relay->stopping()) testing::internal::pause(kStep);
      }
      verdict_.starts += relay->starts();
      if (!relay->kind().effectively_once()) continue;
      if (const int64_t rows = relay->end().rows_beyond_position(); rows > 0)
        find(fmt::format("relay {}: {} rows are newer than the stored position", relay->name(), rows));
    }
  }

  void clean_up() {
    faults_.reset();
    consumers_.clear();
    relays_.clear();
    writer_.reset();
    deployment_.reset();
    std::error_code ignored;
    if (!workshop_.keep.empty())
      std::filesystem::copy(
          places_.folder, workshop_.keep + "/" + std::to_string(schedule_.seed),
          std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing,
          ignored);
    std::filesystem::remove_all(places_.folder, ignored);
  }

  const Schedule& schedule_;
  Workshop& workshop_;
  Places places_;
  Verdict verdict_;
  std::unique_ptr<Deployment> deployment_;
  std::vector<std::unique_ptr<Relay>> relays_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::unique_ptr<Faults> faults_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace

Verdict run_trial(const Schedule& schedule, Workshop& workshop) { return Trial(schedule, workshop).run(); }

}  // namespace tidemark::chaos
