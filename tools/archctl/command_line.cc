#include "tools/archctl/command_line.h"

#include <cstdlib>

#include "tools/common/text.h"

namespace arch::ctl {

Result<uint64_t> Words::number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most) const {
  if (!has(name)) return otherwise;
  std::string text = value(name);
  bool digits = !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
  uint64_t number = digits ? std::strtoull(text.c_str(), nullptr, 10) : 0;
  if (!digits || number < least || number > most)
    return fail(Code::kUsage, "--" + std::string(name) + ": \"" + text + "\" is no number from " +
                                  std::to_string(least) + " to " + std::to_string(most));
  return number;
}

namespace {

const Option* find_option(const Command* command, std::string_view name, char letter) {
  auto in = [&](const std::vector<Option>& options) -> const Option* {
    for (const Option& option : options)
      if ((!name.empty() && option.name == name) || (letter != 0 && option.letter == letter)) return &option;
    return nullptr;
  };
  if (command != nullptr)
    if (const Option* option = in(command->options)) return option;
  return in(common_options());
}

std::string near_option(const Command* command, std::string_view name) {
  std::vector<std::string> known;
  if (command != nullptr)
    for (const Option& option : command->options) known.emplace_back(option.name);
  for (const Option& option : common_options()) known.emplace_back(option.name);
  return tool::nearest(name, known);
}

}  // namespace

Result<Words> parse(const std::vector<std::string>& words) {
  Words parsed;
  auto bad = [&](const std::string& what, const std::string& hint = {}) {
    return fail(Code::kUsage, what,
                hint.empty()
                    ? "see archctl " + (parsed.command ? std::string(parsed.command->name) + " " : "") + "--help"
                    : hint);
  };
  bool options_ended = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!options_ended && word == "--") {
      options_ended = true;
      continue;
    }
    if (options_ended || word.size() < 2 || word[0] != '-') {
      if (parsed.command != nullptr) {
        parsed.arguments.push_back(word);
        continue;
      }
      if (word == "help") {  // archctl help [COMMAND]
        parsed.options["help"];
        continue;
      }
      parsed.command = find_command(word);
      if (parsed.command != nullptr) continue;
      std::vector<std::string> names;
      for (const Command& command : commands()) names.emplace_back(command.name);
      std::string near = tool::nearest(word, names);
      return bad("unknown command \"" + word + "\"",
                 near.empty() ? "archctl --help lists them" : "did you mean " + near + "?");
    }
    std::string name, value;
    bool has_value = false;
    const Option* option = nullptr;
    if (word[1] == '-') {
      size_t equals = word.find('=');
      has_value = equals != std::string::npos;
      name = word.substr(2, has_value ? equals - 2 : equals);
      if (has_value) value = word.substr(equals + 1);
      option = find_option(parsed.command, name, 0);
    } else {
      option = find_option(parsed.command, {}, word[1]);
      has_value = word.size() > 2;
      if (has_value) value = word.substr(2);
    }
    if (option == nullptr) {
      std::string near = name.empty() ? "" : near_option(parsed.command, name);
      std::string hint = near.empty() ? "" : "did you mean --" + near + "?";
      if (near.empty() && parsed.command != nullptr && parsed.command->name == "search")
        hint = "put -- before a query that begins with a minus sign";
      return bad("unknown option " + word.substr(0, word.find('=')), hint);
    }
    if (option->value.empty() && has_value) return bad("--" + std::string(option->name) + " takes no value");
    if (!option->value.empty() && !has_value) {
      if (i + 1 == words.size())
        return bad("--" + std::string(option->name) + " wants " + std::string(option->value));
      value = words[++i];
    }
    parsed.options[std::string(option->name)] = value;
  }
  return parsed;
}

std::string archive_of(const Words& words, const char* environment, const std::string& data_dir) {
  if (words.has("archive")) return words.value("archive");
  return archive_is_configured(words, environment) ? data_dir : environment;
}

bool archive_is_configured(const Words& words, const char* environment) {
  return !words.has("archive") && (environment == nullptr || *environment == '\0');
}

}  // namespace arch::ctl
