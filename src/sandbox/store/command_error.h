// How a command of the sandbox fails: the server's numeric code, its name, its message, labels, and extra
// fields of the reply. Plain values without an owner.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark::sandbox {

struct [[nodiscard]] CommandError {
  int code = 0;
  std::string code_name;
  std::string message;
  std::vector<std::string> labels = {};
  bson::Document extra = {};  // more fields of the error: keyPattern and keyValue of a duplicate key
};

template <class T>
using Reply = tl::expected<T, CommandError>;

// The server's name of a code; "Location<code>" where it has none.
std::string code_name(int code);

// The server's codes that the sandbox gives by name.
enum Code : int {
  kInternalError = 1,
  kBadValue = 2,
  kHostUnreachable = 6,
  kFailedToParse = 9,
  kUserNotFound = 11,
  kUnauthorized = 13,
  kTypeMismatch = 14,
  kOverflow = 15,
  kInvalidLength = 16,
  kAuthenticationFailed = 18,
  kIllegalOperation = 20,
  kInvalidBson = 22,
  kNamespaceNotFound = 26,
  kIndexNotFound = 27,
  kPathNotViable = 28,
  kConflictingUpdateOperators = 40,
  kCursorNotFound = 43,
  kNoMatchingDocument = 47,
  kNamespaceExists = 48,
  kMaxTimeMsExpired = 50,
  kDollarPrefixedFieldName = 52,
  kInvalidIdField = 53,
  kInvalidDbRef = 55,
  kEmptyFieldName = 56,
  kDottedFieldName = 57,
  kCommandNotFound = 59,
  kShardKeyNotFound = 61,
  kImmutableField = 66,
  kCannotCreateIndex = 67,
  kInvalidOptions = 72,
  kInvalidNamespace = 73,
  kIndexOptionsConflict = 85,
  kIndexKeySpecsConflict = 86,
  kShutdownInProgress = 91,
  kOperationFailed = 96,
  kCappedPositionLost = 136,
  kWriteConflict = 112,
  kDocumentValidationFailure = 121,
  kReadConcernMajorityNotEnabled = 148,
  kCommandNotSupportedOnView = 166,
  kPrimarySteppedDown = 189,
  kConversionFailure = 241,
  kNotImplemented = 238,
  kNoSuchTransaction = 251,
  kInvalidResumeToken = 260,
  kChangeStreamFatalError = 280,
  kChangeStreamHistoryLost = 286,
  kBsonObjectTooLarge = 10334,
  kNotWritablePrimary = 10107,
  kDuplicateKey = 11000,
  kInterruptedDueToReplStateChange = 11602,
};

tl::unexpected<CommandError> command_error(int code, std::string message);
// An Error of the shared folders (matcher) as the server would answer it; code 0 becomes BadValue.
tl::unexpected<CommandError> command_error(const Error& error);

}  // namespace tidemark::sandbox

// Returns the error of a Reply from the enclosing function.
#define SANDBOX_TRY(expression)                                                                       \
  do {                                                                                                \
    if (auto sandbox_try_reply = (expression); !sandbox_try_reply)                                    \
      return tl::unexpected<::tidemark::sandbox::CommandError>(std::move(sandbox_try_reply).error()); \
  } while (false)

// SANDBOX_ASSIGN(auto x, f()): x is the value of f(), or the enclosing function returns f()'s error.
#define SANDBOX_ASSIGN(target, expression)                              \
  auto TIDEMARK_CONCAT(sandbox_assign_, __LINE__) = (expression);       \
  if (!TIDEMARK_CONCAT(sandbox_assign_, __LINE__))                      \
    return tl::unexpected<::tidemark::sandbox::CommandError>(           \
        std::move(TIDEMARK_CONCAT(sandbox_assign_, __LINE__)).error()); \
  target = std::move(*TIDEMARK_CONCAT(sandbox_assign_, __LINE__))
