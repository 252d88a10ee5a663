// What a schedule found: the first invariant that didn't hold, named as docs/delivery.md names its rules. Owned by the
// Process; one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::sim {

// The rules of docs/delivery.md, then what its other sections promise.
namespace rule {
inline constexpr std::string_view kReturnMeansDurable = "1. return means durable";
inline constexpr std::string_view kNeverInvented = "2. a position is never invented";
inline constexpr std::string_view kSavedBeforeTheFirstEvent =
    "3. the position is saved before the first event";
inline constexpr std::string_view kQuietStreamAdvances = "4. a quiet stream still advances";
inline constexpr std::string_view kDeadPositionIsTerminal = "5. a dead position is terminal";
inline constexpr std::string_view kRetryIsPatient = "6. retry is patient and knows what success is";
inline constexpr std::string_view kShutdownIsOrdered = "7. shutdown is an ordered list of named steps";
inline constexpr std::string_view kOwnViewIsTrue = "8. the program's own view agrees with the ends";
inline constexpr std::string_view kEverythingHasABound = "9. everything has a bound";
inline constexpr std::string_view kOrder = "order";
inline constexpr std::string_view kEffectivelyOnce = "effectively once";
inline constexpr std::string_view kRejectedEvents = "rejected events";
inline constexpr std::string_view kFenced = "a fenced owner writes nothing more";
inline constexpr std::string_view kEventuallyDelivered = "what is owed is delivered once the faults end";
}  // namespace rule

class Verdict {
 public:
  struct Violation {
    std::string rule;
    std::string what;
  };

  // Keeps the first.
  void violated(std::string_view rule, std::string what) {
    if (!violation_) violation_ = Violation{std::string(rule), std::move(what)};
  }
  bool ok() const { return !violation_.has_value(); }
  const std::optional<Violation>& violation() const { return violation_; }

 private:
  std::optional<Violation> violation_;
};

}  // namespace tidemark::sim

// Checks an invariant; the message is built only when it doesn't hold.
#define SIM_CHECK(verdict, condition, rule, what) \
  do {                                            \
    if (!(condition)) [[unlikely]] {              \
      (verdict).violated((rule), (what));         \
      return;                                     \
    }                                             \
  } while (false)
