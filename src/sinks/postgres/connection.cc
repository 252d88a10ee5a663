#include "sinks/postgres/connection.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cstring>

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/tls_files.h"
#include "sinks/postgres/sqlstate.h"

namespace tidemark::postgres {
namespace {

constexpr size_t kPreparedMax = 512;
// After a cancel request the answer normally comes at once; a server that doesn't answer is given up.
constexpr std::chrono::milliseconds kCancelPatience{3000};
// How much longer than the server's own statement_timeout a silent connection is waited for.
constexpr std::chrono::milliseconds kSilencePatience{10'000};

// What a session needs, where the server knows the setting: plans that don't depend on the first batches' sizes; an owner
// whose machine is gone noticed within half a minute, so that its lock is given back; and commits that are durable when
// they return, whatever the server's default.
constexpr const char* kSessionSql =
    "SELECT set_config(name, value, false) FROM (VALUES "
    "('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'), ('client_connection_check_interval', '2s'), "
    "('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'), "
    "('statement_timeout', $1), "
    "('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END)) AS wanted(name, value) "
    "WHERE current_setting(name, true) IS NOT NULL";

// While it lives, a requested stop makes the descriptor readable.
class WakeOnStop {
 public:
  WakeOnStop(int fd, std::stop_token stop) : fd_(fd), callback_(std::move(stop), Write{fd}) {}
  ~WakeOnStop() {
    uint64_t count = 0;
    [[maybe_unused]] const auto ignored = ::read(fd_, &count, sizeof count);
  }

 private:
  struct Write {
    int fd;
    void operator()() const {
      const uint64_t one = 1;
      [[maybe_unused]] const auto ignored = ::write(fd, &one, sizeof one);
    }
  };
  int fd_;
  std::stop_callback<Write> callback_;
};

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// libpq gives no SQLSTATE for a refused login but in the verbose text: "FATAL:  28P01: password ...".
std::string sqlstate_in(const std::string& verbose) {
  for (size_t at = verbose.find(":  "); at != std::string::npos; at = verbose.find(":  ", at + 1)) {
    const std::string code = verbose.substr(at + 3, 5);
    const bool is_code = code.size() == 5 && std::all_of(code.begin(), code.end(), [](unsigned char c) {
                           return std::isdigit(c) != 0 || std::isupper(c) != 0;
                         });
    if (is_code && verbose.compare(at + 8, 2, ": ") == 0) return code;
  }
  return {};
}

}  // namespace

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    out.push_back(c);
    if (c == '"') out.push_back('"');
  }
  out.push_back('"');
  return out;
}

bool is_connection_string(const std::string& uri) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(uri.c_str(), &message);
  const bool good = parsed != nullptr;
  PQconninfoFree(parsed);
  PQfreemem(message);
  return good;
}

Status check_tls_files(const std::string& uri) {
  PQconninfoOption* parsed = PQconninfoParse(uri.c_str(), nullptr);
  Status checked;
  for (const PQconninfoOption* option = parsed; option != nullptr && option->keyword != nullptr; ++option) {
    const std::string_view name = option->keyword;
    if (!checked || option->val == nullptr || *option->val == '\0') continue;
    // "system" stands for the authorities of the machine (libpq 16).
    if (name == "sslrootcert" && std::string_view(option->val) != "system")
      checked = check_ca_file(option->val);
    if (name == "sslcert") checked = check_ca_file(option->val);
    if (!checked) checked.error().what = std::string(name) + " " + checked.error().what;
  }
  PQconninfoFree(parsed);
  return checked;
}

// --- connecting

void Connection::ResultDeleter::operator()(pg_result* result) const { PQclear(result); }

Connection::Connection(ConnectionOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Connection::~Connection() {
  PQfinish(handle_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionOptions& options, Clock& clock,
                                                     std::stop_token stop) {
  std::unique_ptr<Connection> connection(new Connection(options, clock));
  if (connection->wake_fd_ < 0) return fail(React::kRetry, "postgres: out of file descriptors");
  TIDEMARK_TRY(connection->connect(stop));
  TIDEMARK_TRY(connection->set_up_session(stop));
  return connection;
}

Status Connection::connect(std::stop_token stop) {
  const char* const names[] = {"dbname", "application_name", "client_encoding", nullptr};
  const char* const values[] = {options_.uri.c_str(), options_.application.c_str(), "UTF8", nullptr};
  handle_ = PQconnectStartParams(names, values, 1);
  if (handle_ == nullptr) return fail(React::kRetry, "postgres: out of memory");
  PQsetErrorVerbosity(handle_, PQERRORS_VERBOSE);
  const Mono deadline = clock_.now() + options_.connect_timeout;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  if (PQstatus(handle_) == CONNECTION_BAD) return fail(connect_error());
  while (state != PGRES_POLLING_OK) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock_.now());
    if (left <= left.zero()) {
      return fail(
          React::kRetry,
          name_ + ": no connection within " + std::to_string(options_.connect_timeout.count()) + " ms",
          "is the server up, and can it be reached from here?");
    }
    TIDEMARK_TRY(wait_for_socket(state == PGRES_POLLING_WRITING, left, stop));
    if (stop.stop_requested()) return fail(React::kCancelled, name_ + ": stopped while connecting");
    state = PQconnectPoll(handle_);
    if (state == PGRES_POLLING_FAILED) return fail(connect_error());
  }
  PQsetErrorVerbosity(handle_, PQERRORS_DEFAULT);
  PQsetNoticeProcessor(
      handle_, [](void*, const char*) {}, nullptr);
  name_ = std::string("postgres ") + PQhost(handle_) + ":" + PQport(handle_) + "/" + PQdb(handle_);
  if (PQsetnonblocking(handle_, 1) != 0) return fail(connect_error());
  return {};
}

Error Connection::connect_error() {
  lost_ = true;
  const std::string message = trimmed(PQerrorMessage(handle_));
  const std::string code = sqlstate_in(message);
  if (PQconnectionNeedsPassword(handle_) != 0)
    return {React::kDenied, "postgres: the server asks for a password and there is none",
            "put it in the uri"};
  // Without a code nobody answered, or not as PostgreSQL does, or libpq itself refuses.
  const Reaction reaction = code.empty() ? reaction_without_code(message) : reaction_to(code);
  return {reaction.react, "postgres: " + message, std::string(reaction.hint), 0, reaction.unknown};
}

Status Connection::set_up_session(std::stop_token stop) {
  const std::string timeout = std::to_string(options_.statement_timeout.count());
  if (auto done = query(kSessionSql, std::span(&timeout, 1), std::move(stop)); !done)
    return fail(std::move(done).error());
  return {};
}

int Connection::backend_pid() const { return PQbackendPID(handle_); }

// --- waiting

// Returns when the socket is ready, and at once when a stop wakes it; the caller looks which.
Status Connection::wait_for_socket(bool for_write, std::chrono::milliseconds timeout, std::stop_token stop) {
  const WakeOnStop wake(wake_fd_, stop);
  const int socket = PQsocket(handle_);
  if (socket < 0) return fail(lost_error("the connection is closed"));
  struct pollfd fds[2] = {{socket, static_cast<short>(POLLIN | (for_write ? POLLOUT : 0)), 0},
                          {wake_fd_, POLLIN, 0}};
  // Once the stop is known, its descriptor would end every further wait at once.
  const nfds_t count = cancel_sent_ ? 1 : 2;
  // A connection under way is waited on for one direction alone.
  if (for_write && PQstatus(handle_) != CONNECTION_OK) fds[0].events = POLLOUT;
  const int ready = ::poll(fds, count, static_cast<int>(std::max<int64_t>(timeout.count(), 1)));
  if (ready < 0 && errno != EINTR) return fail(lost_error(std::string("poll: ") + std::strerror(errno)));
  if (ready == 0 && PQstatus(handle_) == CONNECTION_OK)
    return fail(lost_error("no answer for " + std::to_string(timeout.count()) + " ms"));
  return {};
}

Error Connection::lost_error(const std::string& what) {
  lost_ = true;
  return {React::kRetry, name_ + ": connection lost: " + what, ""};
}

// Asks the server to give up what runs; its answer then is an error that rolls everything back.
void Connection::cancel_running(std::stop_token stop) {
  if (cancel_sent_ || !stop.stop_requested()) return;
  cancel_sent_ = true;
  PGcancel* cancel = PQgetCancel(handle_);
  if (cancel == nullptr) return;
  char message[256];
  PQcancel(cancel, message, sizeof message);
  PQfreeCancel(cancel);
}

Status Connection::flush(std::stop_token stop) {
  const auto patience = options_.statement_timeout + kSilencePatience;
  while (true) {
    const int left = PQflush(handle_);
    if (left == 0) return {};
    if (left < 0) return fail(lost_error(trimmed(PQerrorMessage(handle_))));
    TIDEMARK_TRY(wait_for_socket(true, cancel_sent_ ? kCancelPatience : patience, stop));
    cancel_running(stop);
    // The server may wait for us to read before it reads on.
    if (PQconsumeInput(handle_) == 0) return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  }
}

// Until more of an answer has come.
Status Connection::wait_for_answer(std::stop_token stop) {
  // No timeout on the server: then silence may be work.
  const bool patient = options_.statement_timeout.count() == 0;
  const auto patience = patient ? std::chrono::hours(24) : options_.statement_timeout + kSilencePatience;
  TIDEMARK_TRY(wait_for_socket(false, cancel_sent_ ? kCancelPatience : patience, stop));
  cancel_running(std::move(stop));
  if (PQconsumeInput(handle_) == 0) return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  return {};
}

// The next result, or null where libpq says that a statement's results are over.
Result<Connection::ResultPtr> Connection::next_result(std::stop_token stop) {
  while (PQisBusy(handle_) != 0) TIDEMARK_TRY(wait_for_answer(stop));
  ResultPtr result(PQgetResult(handle_));
  if (PQstatus(handle_) == CONNECTION_BAD) return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  return result;
}

Error Connection::result_error(const pg_result* result, std::stop_token stop) {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  sqlstate_ = field(PG_DIAG_SQLSTATE);
  const Reaction reaction = reaction_to(sqlstate_);
  std::string what = name_ + ": " + field(PG_DIAG_MESSAGE_PRIMARY);
  if (const std::string detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty()) what += ": " + detail;
  what += " [" + sqlstate_ + "]";
  const bool cancelled = sqlstate_ == "57014" && stop.stop_requested();
  std::string hint(reaction.hint);
  if (const std::string advice = field(PG_DIAG_MESSAGE_HINT); !advice.empty())
    hint += (hint.empty() ? "the server advises: " : "; the server advises: ") + advice;
  return {cancelled ? React::kCancelled : reaction.react, std::move(what), std::move(hint), 0,
          reaction.unknown && !cancelled};
}

// --- single statements

Result<Rows> Connection::query(const std::string& sql, std::span<const std::string> params,
                               std::stop_token stop) {
  if (lost_) return fail(lost_error("it was lost before"));
  sqlstate_.clear();
  cancel_sent_ = false;
  values_.clear();
  for (const std::string& param : params) values_.push_back(param.c_str());
  const int sent = params.empty() ? PQsendQuery(handle_, sql.c_str())
                                  : PQsendQueryParams(handle_, sql.c_str(), static_cast<int>(params.size()),
                                                      nullptr, values_.data(), nullptr, nullptr, 0);
  if (sent == 0) return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  TIDEMARK_TRY(flush(stop));
  Rows rows;
  std::optional<Error> error;
  while (true) {
    TIDEMARK_ASSIGN(const ResultPtr result, next_result(stop));
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR && !error) error = result_error(result.get(), stop);
    if (status != PGRES_TUPLES_OK) continue;
    rows.rows.clear();
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      auto& columns = rows.rows.emplace_back();
      for (int column = 0; column < PQnfields(result.get()); ++column)
        columns.emplace_back(PQgetvalue(result.get(), row, column),
                             static_cast<size_t>(PQgetlength(result.get(), row, column)));
    }
  }
  if (error) return fail(std::move(*error));
  return rows;
}

Status Connection::copy_out(const std::string& sql, const CopyReader::Visit& visit, std::stop_token stop) {
  if (lost_) return fail(lost_error("it was lost before"));
  sqlstate_.clear();
  cancel_sent_ = false;
  if (PQsendQuery(handle_, sql.c_str()) == 0) return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  TIDEMARK_TRY(flush(stop));
  std::optional<Error> error;
  while (true) {
    TIDEMARK_ASSIGN(const ResultPtr result, next_result(stop));
    if (!result) break;
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_FATAL_ERROR && !error) error = result_error(result.get(), stop);
    if (status != PGRES_COPY_OUT) continue;
    if (Status taken = take_copy(visit, stop); !taken) {
      lost_ = true;
      return taken;
    }
  }
  if (error) return fail(std::move(*error));
  return {};
}

// The rows of a copy under way; what became of it is the next result.
Status Connection::take_copy(const CopyReader::Visit& visit, std::stop_token stop) {
  CopyReader reader;
  while (true) {
    char* bytes = nullptr;
    const int size = PQgetCopyData(handle_, &bytes, 1);
    if (size < 0) return {};
    if (size == 0) {
      TIDEMARK_TRY(wait_for_answer(stop));
      continue;
    }
    Status taken = reader.take({bytes, static_cast<size_t>(size)}, visit);
    PQfreemem(bytes);
    if (!taken) return taken;
    // What comes without a pause leaves no other moment to hear of it.
    cancel_running(stop);
  }
}

// --- pipelines

void Connection::start_pipeline() {
  assert(pending_.empty());
  statements_ = 0;
  cancel_sent_ = false;
  PQenterPipelineMode(handle_);
}

Status Connection::add(const std::string& sql, std::span<const Param> params, std::stop_token stop) {
  auto found = prepared_.find(sql);
  if (found == prepared_.end()) {
    types_.clear();
    for (const Param& param : params) types_.push_back(param.type);
    found = prepared_.emplace(sql, "s" + std::to_string(next_name_++)).first;
    pending_.push_back({true, sql});
    if (PQsendPrepare(handle_, found->second.c_str(), sql.c_str(), static_cast<int>(types_.size()),
                      types_.data()) == 0)
      return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  }
  values_.clear();
  lengths_.clear();
  formats_.clear();
  for (const Param& param : params) {
    // Text parameters of libpq end at a NUL; as binary, a text is its bytes.
    values_.push_back(param.null ? nullptr : param.bytes.data() == nullptr ? "" : param.bytes.data());
    lengths_.push_back(static_cast<int>(param.bytes.size()));
    formats_.push_back(param.binary ? 1 : 0);
  }
  pending_.push_back({false, {}});
  ++statements_;
  if (PQsendQueryPrepared(handle_, found->second.c_str(), static_cast<int>(params.size()), values_.data(),
                          lengths_.data(), formats_.data(), 0) == 0)
    return fail(lost_error(trimmed(PQerrorMessage(handle_))));
  // Bounds what waits in libpq's buffer to one statement.
  return flush(stop);
}

void Connection::take_result(const Pending& pending, const pg_result* result, size_t statement,
                             std::stop_token stop, PipelineEnd& end) {
  const ExecStatusType status = PQresultStatus(result);
  const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  // A statement that wasn't prepared after all has to be prepared again.
  if (pending.prepare && !good) prepared_.erase(pending.sql);
  if (good || end.error) return;
  if (status == PGRES_FATAL_ERROR) {
    end.error = result_error(result, stop);
    end.sqlstate = sqlstate_;
  } else {
    end.error = Error{React::kRetry, name_ + ": unexpected answer " + PQresStatus(status), ""};
  }
  end.statement = statement;
}

PipelineEnd Connection::finish(std::stop_token stop) {
  PipelineEnd end;
  const std::vector<Pending> pending = std::exchange(pending_, {});
  const auto lose = [&](Error error) {
    end.error = std::move(error);
    return end;
  };
  if (PQpipelineSync(handle_) == 0) return lose(lost_error(trimmed(PQerrorMessage(handle_))));
  if (auto flushed = flush(stop); !flushed) return lose(std::move(flushed).error());
  size_t statement = 0;
  for (const Pending& each : pending) {
    while (true) {
      auto result = next_result(stop);
      if (!result) return lose(std::move(result).error());
      if (!*result) break;
      take_result(each, result->get(), statement, stop, end);
    }
    if (!each.prepare) ++statement;
  }
  auto sync = next_result(stop);
  if (!sync) return lose(std::move(sync).error());
  if (PQexitPipelineMode(handle_) == 0) return lose(lost_error(trimmed(PQerrorMessage(handle_))));
  if (prepared_.size() > kPreparedMax) {
    if (auto done = query("DEALLOCATE ALL", stop); done) prepared_.clear();
  }
  return end;
}

}  // namespace tidemark::postgres
