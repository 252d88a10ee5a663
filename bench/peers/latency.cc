// From the majority's acknowledgement of a write to its row committed in PostgreSQL, seen from outside: this
// program writes, and a statement trigger on the sink's table sends a NOTIFY, which PostgreSQL delivers after
// the commit.
//   --mongo URI --database D --collection C --postgres URI --table T --count N --rate R      steady writes
//   ... --count N --step-down 1          N step-downs; each time the first write that the new primary
//   acknowledges
#include <algorithm>
#include <atomic>
#include <stop_token>
#include <thread>
#include <vector>

#include <libpq-fe.h>
#include <mongoc/mongoc.h>
#include <poll.h>

#include "peers/peer.h"

using tidemark::bench::Arguments;
using tidemark::bench::die;
using tidemark::bench::seconds_now;

namespace {

constexpr double kPatienceSeconds = 30;

PGresult* must(PGconn* connection, const std::string& sql) {
  PGresult* result = PQexec(connection, sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) die(PQerrorMessage(connection));
  return result;
}

// Sends the highest _id of every statement that wrote rows. The ids are int64 in canonical Extended JSON.
void install_trigger(PGconn* connection, const std::string& table) {
  PQclear(must(connection,
               "CREATE OR REPLACE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
               "PERFORM pg_notify('bench_rows', (SELECT max((regexp_match(id::text, "
               "'-?[0-9]+'))[1]::bigint)::text FROM "
               "written)); RETURN NULL; END $$"));
  PQclear(must(connection, "DROP TRIGGER IF EXISTS bench_notify ON " + table));
  PQclear(must(connection,
               "CREATE TRIGGER bench_notify AFTER INSERT ON " + table +
                   " REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION bench_notify()"));
}

// seen[n] is when the row of write n was committed: one pipeline with one lane commits in stream order, so
// that a row says it of all before it.
class Listener {
 public:
  Listener(const std::string& uri, const std::string& table, int64_t first, int64_t count)
      : connection_(PQconnectdb(uri.c_str())), first_(first), seen_(static_cast<size_t>(count)) {
    if (PQstatus(connection_) != CONNECTION_OK) die(PQerrorMessage(connection_));
    install_trigger(connection_, table);
    PQclear(must(connection_, "LISTEN bench_rows"));
    thread_ = std::jthread([this](std::stop_token stop) { listen(stop); });
  }
  ~Listener() {
    thread_.request_stop();
    thread_.join();
    PQfinish(connection_);
  }

  int64_t count() const { return done_.load(); }
  double seen(int64_t index) const { return seen_[static_cast<size_t>(index)]; }
  bool wait_for(int64_t count) const {
    const double deadline = seconds_now() + kPatienceSeconds;
    while (done_.load() < count) {
      if (seconds_now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

 private:
  void listen(std::stop_token stop) {
    pollfd fd = {PQsocket(connection_), POLLIN, 0};
    while (!stop.stop_requested()) {
      if (poll(&fd, 1, 100) <= 0) continue;
      const double now = seconds_now();
      if (PQconsumeInput(connection_) == 0) die(PQerrorMessage(connection_));
      while (PGnotify* notify = PQnotifies(connection_)) {
        const int64_t highest = std::atoll(notify->extra) - first_ + 1;
        int64_t done = done_.load();
        for (; done < std::min<int64_t>(highest, static_cast<int64_t>(seen_.size())); ++done)
          seen_[static_cast<size_t>(done)] = now;
        done_.store(done);
        PQfreemem(notify);
      }
    }
  }

  PGconn* connection_;
  const int64_t first_;
  std::vector<double> seen_;
  std::atomic<int64_t> done_{0};
  std::jthread thread_;
};

class Writer {
 public:
  explicit Writer(const Arguments& arguments)
      : client_(mongoc_client_new((arguments.text("mongo")).c_str())),
        collection_(mongoc_client_get_collection(client_, arguments.text("database").c_str(),
                                                 arguments.text("collection").c_str())) {
    mongoc_write_concern_t* majority = mongoc_write_concern_new();
    mongoc_write_concern_set_w(majority, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_collection_set_write_concern(collection_, majority);
    mongoc_write_concern_destroy(majority);
  }
  ~Writer() {
    mongoc_collection_destroy(collection_);
    mongoc_client_destroy(client_);
  }

  bool insert(int64_t number) {
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_INT64(&document, "_id", number);
    BSON_APPEND_UTF8(&document, "note", "a document of the latency benchmark");
    bson_error_t error = {};
    const bool ok = mongoc_collection_insert_one(collection_, &document, nullptr, nullptr, &error);
    bson_destroy(&document);
    return ok;
  }

  void step_down() {
    bson_t* command =
        BCON_NEW("replSetStepDown", BCON_INT32(10), "secondaryCatchUpPeriodSecs", BCON_INT32(5));
    bson_error_t error = {};
    // Servers before 4.2 close the connection instead of answering: either way the primary is gone.
    mongoc_client_command_simple(client_, "admin", command, nullptr, nullptr, &error);
    bson_destroy(command);
  }

 private:
  mongoc_client_t* client_;
  mongoc_collection_t* collection_;
};

void print_latencies(std::vector<double> ms, double seconds) {
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms[std::min(ms.size() - 1, static_cast<size_t>(share * static_cast<double>(ms.size())))];
  };
  std::printf(
      "{\"writes\": %zu, \"writes_per_second\": %.1f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": "
      "%.2f}\n",
      ms.size(), static_cast<double>(ms.size()) / seconds, at(0.5), at(0.99), ms.back());
}

// Writes at the rate, from as many connections as keep it up; a late write is not made up for.
void steady(const Arguments& arguments) {
  const int64_t count = arguments.number("count");
  const int64_t first = arguments.number("first", 1);
  const double rate = static_cast<double>(arguments.number("rate"));
  Listener listener(arguments.text("postgres"), arguments.text("table"), first, count);
  std::vector<double> acknowledged(static_cast<size_t>(count));
  Writer writer(arguments);
  const double started = seconds_now();
  for (int64_t i = 0; i < count; ++i) {
    const double due = started + static_cast<double>(i) / rate;
    const double now = seconds_now();
    if (due > now) std::this_thread::sleep_for(std::chrono::duration<double>(due - now));
    if (!writer.insert(first + i)) die("a write failed");
    acknowledged[static_cast<size_t>(i)] = seconds_now();
  }
  const double seconds = seconds_now() - started;
  if (!listener.wait_for(count))
    die("rows are missing: " + std::to_string(listener.count()) + " of " + std::to_string(count));
  std::vector<double> ms;
  for (int64_t i = 0; i < count; ++i)
    ms.push_back(std::max(0.0, 1e3 * (listener.seen(i) - acknowledged[static_cast<size_t>(i)])));
  print_latencies(std::move(ms), seconds);
}

void step_downs(const Arguments& arguments) {
  const int64_t count = arguments.number("count");
  const int64_t first = arguments.number("first", 1);
  Listener listener(arguments.text("postgres"), arguments.text("table"), first, count);
  Writer writer(arguments);
  std::vector<double> ms;
  const double started = seconds_now();
  for (int64_t i = 0; i < count; ++i) {
    writer.step_down();
    const double deadline = seconds_now() + kPatienceSeconds;
    while (!writer.insert(first + i)) {
      if (seconds_now() > deadline) die("no primary after a step-down");
    }
    const double acknowledged = seconds_now();
    if (!listener.wait_for(i + 1)) die("the row of a write after a step-down is missing");
    ms.push_back(std::max(0.0, 1e3 * (listener.seen(i) - acknowledged)));
  }
  print_latencies(std::move(ms), seconds_now() - started);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  mongoc_init();
  if (arguments.has("step-down")) {
    step_downs(arguments);
  } else {
    steady(arguments);
  }
  mongoc_cleanup();
  return 0;
}
