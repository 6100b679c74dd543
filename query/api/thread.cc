// A thread as the tree of its answers.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "query/api/api.h"

namespace arch::api {
namespace {

constexpr size_t kHeaderBytes = 256u << 10;  // of a message, where its references stand

Result<MessageInfo> member(const Archive& archive, const std::string& id) {
  if (auto prefix = DigestPrefix::parse(id)) {
    auto digest = archive.resolve(*prefix);
    if (digest) return archive.info(*digest);
    if (digest.error().code != Code::kNotFound) return tl::unexpected<Error>(std::move(digest).error());
  }
  std::string message_id = id;
  if (message_id.size() > 2 && message_id.front() == '<' && message_id.back() == '>')
    message_id = message_id.substr(1, message_id.size() - 2);
  ARCH_TRY(std::vector<uint64_t> numbers, archive.by_message_id(message_id));
  if (numbers.empty())
    return fail(Code::kNotFound, "there is no mail \"" + id + "\"",
                "give a Message-ID, or 8 digits or more of an id");
  return archive.info(numbers.front());
}

struct Node {
  ThreadEntry entry;
  std::vector<std::string> references;
  std::vector<size_t> answers;
  bool answer = false;
};

bool older(const Node& a, const Node& b) {
  return a.entry.info.date != b.entry.info.date ? a.entry.info.date < b.entry.info.date
                                                : a.entry.info.number < b.entry.info.number;
}

}  // namespace

Result<ThreadView> view_thread(const Archive& archive, const std::string& id) {
  ThreadView view;
  ARCH_TRY(MessageInfo one, member(archive, id));
  view.thread = one.thread;
  ARCH_TRY(std::vector<uint64_t> numbers, archive.by_thread(one.thread));
  ARCH_TRY(std::vector<MessageInfo> infos, archive.infos(numbers));

  std::vector<Node> nodes;
  std::unordered_map<uint64_t, size_t> by_key;  // copies of a mail are one entry
  for (MessageInfo& info : infos) {
    auto [known, fresh] = by_key.try_emplace(info.mail_key, nodes.size());
    if (!fresh) {
      nodes[known->second].entry.copies.push_back(info.digest);
      continue;
    }
    nodes.emplace_back();
    nodes.back().entry.info = std::move(info);
  }
  view.total = nodes.size();
  std::sort(nodes.begin(), nodes.end(), older);
  if (nodes.size() > kThreadEntries)
    nodes.erase(nodes.begin(), nodes.end() - static_cast<std::ptrdiff_t>(kThreadEntries));

  std::unordered_map<std::string, size_t> by_id;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!nodes[i].entry.info.message_id.empty()) by_id.emplace(nodes[i].entry.info.message_id, i);
    auto bytes = archive.get(nodes[i].entry.info.digest);
    if (!bytes) continue;  // `verify` tells; it stands without its place
    nodes[i].references = mime::parse_fields(std::string_view(*bytes).substr(0, kHeaderBytes)).references;
  }
  std::set<std::string> missing;
  for (size_t i = 0; i < nodes.size(); ++i) {
    // The nearest one that is here: In-Reply-To stands last. What is younger is no answer of it, whatever it says.
    for (auto name = nodes[i].references.rbegin(); name != nodes[i].references.rend(); ++name) {
      auto parent = by_id.find(*name);
      if (parent == by_id.end()) {
        missing.insert(*name);
      } else if (!nodes[i].answer && parent->second < i) {
        nodes[parent->second].answers.push_back(i);
        nodes[i].answer = true;
      }
    }
  }
  view.missing = missing.size();
  // Depth first, without recursion: a thread may be as deep as it is long.
  std::vector<std::pair<size_t, size_t>> open;  // node, depth
  for (size_t i = nodes.size(); i-- > 0;)
    if (!nodes[i].answer) open.emplace_back(i, 0);
  while (!open.empty()) {
    auto [at, depth] = open.back();
    open.pop_back();
    nodes[at].entry.depth = depth;
    view.entries.push_back(std::move(nodes[at].entry));
    for (auto answer = nodes[at].answers.rbegin(); answer != nodes[at].answers.rend(); ++answer)
      open.emplace_back(*answer, depth + 1);
  }
  return view;
}

}  // namespace arch::api
