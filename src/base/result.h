// The error type of the whole program and the value that carries it.
//
// An Error says how to react to it, not where it came from: the code that holds a fault knows whether waiting
// helps, the code that receives it knows only how to wait. Errors are returned, never logged and dropped.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace tidemark {

// What the receiver of an error does about it. docs/operating.md lists the exit code of each.
enum class React {
  kRetry,         // a fault of the surroundings that may pass: back off, then do the same again
  kReject,        // one event can't be taken, whatever the number of tries: apply `on_reject`
  kPositionLost,  // the source can't resume from this position: terminal, the operator chooses
  kCorrupt,       // stored data fails its own check: terminal, never treated as "absent"
  kFenced,        // another instance owns the position: stop at once, write nothing more
  kCancelled,     // stop was requested while the call ran: nothing is wrong
  kConfig,        // the configuration or the deployment's kind is wrong: stop, tell the operator
  kDenied,  // credentials, a grant, a certificate or a permission is refused: kConfig where it never worked,
            // waited out for `auth_patience` where it has (core/denials.h)
  kFatal,   // anything else that waiting can't mend
};

std::string_view to_string(React react);

struct [[nodiscard]] Error {
  React react = React::kFatal;
  std::string what;       // what happened and where: "postgres sink 'orders': relation ... does not exist"
  std::string hint = {};  // what the operator can do about it; empty where there is nothing to add
  int code = 0;           // the server's own numeric code where there is one, else 0
  bool unknown = false;   // no table knows it: waited out (kRetry), since ending for it could end for nothing

  // "what (hint)", for logs and for the command line.
  std::string describe() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(React react, std::string what, std::string hint = {}, int code = 0) {
  return tl::unexpected<Error>(Error{react, std::move(what), std::move(hint), code});
}

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace tidemark

// Returns the error of a Result from the enclosing function.
#define TIDEMARK_TRY(expression)                                       \
  do {                                                                 \
    if (auto tidemark_try_result = (expression); !tidemark_try_result) \
      return ::tidemark::fail(std::move(tidemark_try_result).error()); \
  } while (false)

#define TIDEMARK_CONCAT_INNER(a, b) a##b
#define TIDEMARK_CONCAT(a, b) TIDEMARK_CONCAT_INNER(a, b)

// TIDEMARK_ASSIGN(auto x, f()): x is the value of f(), or the enclosing function returns f()'s error.
#define TIDEMARK_ASSIGN(target, expression)                                                  \
  auto TIDEMARK_CONCAT(tidemark_assign_, __LINE__) = (expression);                           \
  if (!TIDEMARK_CONCAT(tidemark_assign_, __LINE__))                                          \
    return ::tidemark::fail(std::move(TIDEMARK_CONCAT(tidemark_assign_, __LINE__)).error()); \
  target = std::move(*TIDEMARK_CONCAT(tidemark_assign_, __LINE__))
