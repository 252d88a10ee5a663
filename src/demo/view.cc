#include "demo/view.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/human.h"

namespace tidemark::demo {
namespace {

using std::chrono::milliseconds;

constexpr int kWidthMax = 100;
constexpr size_t kName = 16;  // where the first column of figures begins
constexpr size_t kLeft = 42;  // where the second column's names begin

enum class Style { kPlain, kDim, kBold, kGood, kBad, kTitle };

std::string_view ansi(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kBold:
      return "\x1b[1m";
    case Style::kGood:
      return "\x1b[32m";
    case Style::kBad:
      return "\x1b[31m";
    case Style::kTitle:
      return "\x1b[1;36m";
  }
  return "";
}

// A line that knows how many columns it has used, so that colours and clipping don't disturb each other.
class Line {
 public:
  Line(size_t width, bool colour) : width_(width), colour_(colour) {}

  Line& add(std::string_view text, Style style = Style::kPlain) {
    std::string_view taken = text;
    size_t taken_columns = columns(text);
    if (used_ + taken_columns > width_) {
      taken_columns = width_ - used_;
      taken = first_columns(text, taken_columns);
    }
    if (taken.empty()) return *this;
    const bool styled = colour_ && style != Style::kPlain;
    if (styled) text_ += ansi(style);
    text_ += taken;
    if (styled) text_ += "\x1b[0m";
    used_ += taken_columns;
    return *this;
  }
  Line& pad_to(size_t column) {
    if (column > used_) add(std::string(std::min(column, width_) - used_, ' '));
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string_view first_columns(std::string_view text, size_t count) {
    size_t bytes = 0;
    while (bytes < text.size() && count > 0) {
      ++bytes;
      while (bytes < text.size() && (static_cast<uint8_t>(text[bytes]) & 0xC0) == 0x80) ++bytes;
      --count;
    }
    return text.substr(0, bytes);
  }

  const size_t width_;
  const bool colour_;
  size_t used_ = 0;
  std::string text_;
};

std::string clock_text(milliseconds time) {
  const auto seconds = time.count() / 1000;
  return fmt::format("{:02}:{:02}", seconds / 60, seconds % 60);
}

std::string count_text(const std::optional<int64_t>& count) { return count ? grouped(*count) : "-"; }

// "1,204 events"; a dash alone where it isn't known.
std::string events_text(const std::optional<int64_t>& count) {
  return count ? grouped(*count) + (*count == 1 ? " event" : " events") : "-";
}

std::string duration_text(const std::optional<milliseconds>& duration) {
  return duration ? human_duration(*duration) : "-";
}

int total(const std::array<int, kFaultKinds>& counts) {
  int sum = 0;
  for (const int count : counts) sum += count;
  return sum;
}

std::string sparkline(const std::vector<double>& rates, size_t width) {
  static constexpr const char* kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t shown = std::min(rates.size(), width);
  double top = 1;
  for (size_t i = rates.size() - shown; i < rates.size(); ++i) top = std::max(top, rates[i]);
  std::string text;
  for (size_t i = rates.size() - shown; i < rates.size(); ++i)
    text += kBars[static_cast<size_t>(std::clamp(rates[i] / top * 8 + 0.5, 0.0, 8.0))];
  return text;
}

class Frame {
 public:
  Frame(int width, int height, bool colour)
      : width_(static_cast<size_t>(std::clamp(width, 1, kWidthMax))),
        height_(static_cast<size_t>(std::max(1, height))),
        colour_(colour) {}

  Line line() const { return Line(width_, colour_); }
  void add(Line& line) {
    if (lines_.size() < height_) lines_.push_back(line.take());
  }
  void blank() {
    if (lines_.size() < height_) lines_.emplace_back();
  }
  void figures(std::string_view name, const std::string& value, std::string_view name2,
               const std::string& value2, Style style = Style::kBold) {
    Line text = line();
    text.add("  ").add(name, Style::kDim).pad_to(kName).add(value, style).pad_to(kLeft);
    text.add(name2, Style::kDim).pad_to(kLeft + 14).add(value2, style);
    add(text);
  }
  size_t width() const { return width_; }
  size_t left() const { return height_ - lines_.size(); }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  const size_t width_;
  const size_t height_;
  const bool colour_;
  std::vector<std::string> lines_;
};

void add_header(Frame& frame, const Snapshot& snapshot) {
  Line title = frame.line();
  title.add(" Tidemark demo", Style::kTitle)
      .add("  quakes: HTTP → RabbitMQ → classified → MongoDB → page, SQLite");
  frame.add(title);
  Line stage = frame.line();
  // Events and faults go on for so long; what comes after takes its own time.
  const bool over = snapshot.elapsed > snapshot.duration;
  stage.add(over ? fmt::format(" {}  seed {}  ", clock_text(snapshot.elapsed), snapshot.seed)
                 : fmt::format(" {} of {}  seed {}  ", clock_text(snapshot.elapsed),
                               clock_text(snapshot.duration), snapshot.seed));
  stage.add(snapshot.stage, Style::kBold);
  frame.add(stage);
  Line page = frame.line();
  page.add(" The page: ")
      .add(snapshot.page_url, Style::kTitle)
      .add("  every plane's proof of life, and buttons");
  frame.add(page);
  frame.blank();
}

std::string severities_text(const Snapshot& snapshot) {
  std::string text;
  for (const char* name : {"minor", "light", "moderate", "strong", "major", "unknown"})
    for (const auto& [severity, count] : snapshot.severities)
      if (severity == name) text += fmt::format("{}{} {}", text.empty() ? "" : "  ", name, grouped(count));
  return text.empty() ? "-" : text;
}

// What goes well needs no room: only the planes that don't stream are named, and all of them when none does.
std::string planes_text(const Snapshot& snapshot, bool& well) {
  std::string text;
  well = !snapshot.page.planes.empty();
  for (const auto& [name, state] : snapshot.page.planes) {
    if (state == "streaming") continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, state);
    well = false;
  }
  if (!text.empty()) return text;
  return well ? fmt::format("all {} stream", snapshot.page.planes.size()) : "-";
}

void add_row(Frame& frame, std::string_view name, const std::string& value, Style style = Style::kPlain) {
  Line line = frame.line();
  frame.add(line.add("  ").add(name, Style::kDim).pad_to(kName).add(value, style));
}

void add_figures(Frame& frame, const Snapshot& snapshot) {
  frame.figures("accepted", grouped(snapshot.accepted) + " events (202)", "posted again",
                grouped(snapshot.refusals) + " times");
  frame.figures("in MongoDB", events_text(snapshot.stored), "in SQLite", events_text(snapshot.archived));
  frame.figures("in the queue", events_text(snapshot.page.waiting), "dead letters",
                fmt::format("{} of {} poisoned", count_text(snapshot.page.dead_letters), snapshot.poisoned));
  frame.figures("on the page", events_text(snapshot.page.shown), "lag", duration_text(snapshot.lag));
  add_row(frame, "severity", severities_text(snapshot));
  bool well = false;
  const std::string planes = planes_text(snapshot, well);
  add_row(frame, "planes", planes, well ? Style::kGood : Style::kBad);
  frame.figures("deployment", snapshot.deployment, "worker", snapshot.worker, Style::kPlain);
  frame.figures("position age", duration_text(snapshot.position_age), "broker", snapshot.broker,
                Style::kPlain);
  Line rates = frame.line();
  rates.add("  ").add("events/s", Style::kDim).pad_to(kName);
  rates.add(fmt::format("{:<7.0f}", snapshot.events_per_s), Style::kBold);
  rates.add(sparkline(snapshot.rates, frame.width() > kName + 9 ? frame.width() - kName - 9 : 0),
            Style::kGood);
  frame.add(rates);
  frame.blank();
}

void add_faults(Frame& frame, const Snapshot& snapshot) {
  Line title = frame.line();
  title.add("  Faults survived ", Style::kBold)
      .add(fmt::format("{} of {}", total(snapshot.survived), total(snapshot.inflicted)), Style::kGood);
  frame.add(title);
  for (size_t i = 0; i < kFaultKinds; i += 2) {
    Line line = frame.line();
    for (size_t k = i; k < std::min(i + 2, kFaultKinds); ++k) {
      line.pad_to(k == i ? 4 : kLeft).add(fmt::format("{:>3}  ", snapshot.survived[k]), Style::kBold);
      line.add(plural(static_cast<FaultKind>(k)));
    }
    frame.add(line);
  }
  Line last = frame.line();
  frame.add(last.add("  Last faults", Style::kBold));
  for (const FaultRecord& fault : snapshot.last_faults) {
    if (frame.left() <= 1) break;
    Line line = frame.line();
    line.add(fmt::format("    {}  {}", clock_text(fault.at), to_string(fault.kind))).pad_to(33);
    if (fault.survived_after) {
      line.add("survived in " + human_duration(*fault.survived_after), Style::kGood);
    } else {
      line.add("recovering", Style::kBad);
    }
    frame.add(line.pad_to(55).add(fault.detail, Style::kDim));
  }
}

}  // namespace

size_t columns(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) {
      ++count;
    }
  }
  return count;
}

std::vector<std::string> render_frame(const Snapshot& snapshot, int width, int height, bool colour) {
  Frame frame(width, height, colour);
  add_header(frame, snapshot);
  add_figures(frame, snapshot);
  add_faults(frame, snapshot);
  if (frame.left() >= 1) {
    Line foot = frame.line();
    frame.add(foot.add("  All figures come from outside the planes. Ctrl-C ends early, with the audit.",
                       Style::kDim));
  }
  return frame.take();
}

std::string render_line(const Snapshot& snapshot) {
  bool well = false;
  return fmt::format(
      "{} accepted {} MongoDB {} SQLite {} page {} queue {} dead letters {} posted again {} events/s {:.0f} "
      "lag {} faults "
      "survived {} of {} planes: {} ({})",
      clock_text(snapshot.elapsed), grouped(snapshot.accepted), count_text(snapshot.stored),
      count_text(snapshot.archived), count_text(snapshot.page.shown), count_text(snapshot.page.waiting),
      count_text(snapshot.page.dead_letters), grouped(snapshot.refusals), snapshot.events_per_s,
      duration_text(snapshot.lag), total(snapshot.survived), total(snapshot.inflicted),
      planes_text(snapshot, well), snapshot.stage);
}

bool Screen::usable() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

Screen::Screen() {
  std::fputs("\x1b[?1049h\x1b[?25l\x1b[2J", stdout);
  std::fflush(stdout);
}

Screen::~Screen() {
  std::fputs("\x1b[?25h\x1b[?1049l", stdout);
  std::fflush(stdout);
}

void Screen::size(int& width, int& height) const {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  width = known ? size.ws_col : 80;
  height = known ? size.ws_row : 24;
}

int Screen::width() const {
  int width = 0, height = 0;
  size(width, height);
  return width;
}

int Screen::height() const {
  int width = 0, height = 0;
  size(width, height);
  return height;
}

void Screen::draw(const std::vector<std::string>& lines) {
  // One write per frame: a half-drawn frame would flicker.
  std::string out = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    out += lines[i];
    out += "\x1b[K";
    if (i + 1 < lines.size()) out += "\r\n";
  }
  out += "\x1b[J";
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

}  // namespace tidemark::demo
