// A set of dotted paths, walked in step with a document: which fields a path names, lies above, or doesn't touch.
//
// As in MongoDB's projections, a path goes through arrays: `items.card` names the field in every item. Field names that
// hold dots themselves are taken apart like paths, which is what `updateDescription.updatedFields` needs ("items.0.card"
// lies under `items`), and a numeric part of a name may be an array's index. Immutable; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark {

class PathTree {
 public:
  // Where a walk stands. `matched`: a path ends here or above, so all that lies here is named. Otherwise `nodes` are the
  // places in the tree from which paths lead on; none = no path touches what lies here.
  struct State {
    std::vector<uint32_t> nodes;
    bool matched = false;
    bool touched() const { return matched || !nodes.empty(); }
  };

  // kConfig for an empty path or part, a part that begins with `$`, and a path that lies above another.
  static Result<PathTree> make(const std::vector<std::string>& paths);

  State root() const { return {{0}, false}; }
  State step(const State& from, std::string_view key) const;

  // The step into an element of `document` or of an array: an item is named by its position, whatever its key says. A server
  // keeps an array with other keys than 0, 1, 2, ... as it came, and nothing in it may slip past a path.
  State step(const State& from, const bson::Element& element, bool in_array, uint32_t position) const {
    return in_array ? step(from, std::to_string(position)) : step(from, element.key());
  }

  // Appends `document` (or array) to `out` with `leaf(element, key, out)` in place of every field that a path names;
  // what leaf doesn't append is gone, and array items close up.
  template <class Leaf>
  void rewrite(bson::View document, const State& state, bool is_array, bson::Builder& out,
               const Leaf& leaf) const {
    uint32_t position = 0, index = 0;
    for (const bson::Element element : document) {
      const State next = step(state, element, is_array, position++);
      const std::string number = is_array ? std::to_string(index) : std::string();
      const std::string_view key = is_array ? std::string_view(number) : element.key();
      if (next.matched) {
        if (leaf(element, key, out)) ++index;
        continue;
      }
      ++index;
      if (next.touched() && (element.is_document() || element.is_array()))
        append_rewritten(element, key, next, out, leaf);
      else
        out.append(key, element);
    }
  }

  // Appends only what the paths name, and the documents and arrays on the way there.
  void keep_only(bson::View document, const State& state, bool is_array, bson::Builder& out) const;

 private:
  struct Node {
    std::map<std::string, uint32_t, std::less<>> children;
    bool ends = false;
  };

  template <class Leaf>
  void append_rewritten(const bson::Element& element, std::string_view key, const State& next,
                        bson::Builder& out, const Leaf& leaf) const {
    bson::Builder inner;
    rewrite(element.document(), next, element.is_array(), inner, leaf);
    if (element.is_array())
      out.append_array(key, inner.view());
    else
      out.append(key, inner.view());
  }

  std::vector<Node> nodes_ = {Node{}};
};

// The parts of a dotted path; kConfig for an empty one and for one that begins with `$`.
Result<std::vector<std::string>> split_path(std::string_view path);

// True when `path` is `above` or lies under it: "a.b" under "a", but not "ab".
bool is_under(std::string_view path, std::string_view above);

}  // namespace tidemark
