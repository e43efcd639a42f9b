// Short and long options in any order, and file names between them.
#include <fmt/format.h>

#include <algorithm>

#include "img/commands.h"

namespace xlat::img {

Arguments::Arguments(const Words& words, std::string_view letters, std::vector<std::string_view> names) {
  names.insert(names.end(), {"object=", "help"});
  for (std::size_t n = 0; n < words.size() && wrong_.empty(); ++n) {
    const std::string& word = words[n];
    if (word == "--") {
      files_.insert(files_.end(), words.begin() + static_cast<std::ptrdiff_t>(n) + 1, words.end());
      return;
    }
    if (word.starts_with("--")) {
      take_long(words, n, names);
    } else if (word.size() > 1 && word[0] == '-') {
      take_short(words, n, letters);
    } else {
      files_.push_back(word);
    }
  }
}

void Arguments::take_long(const Words& words, std::size_t& n, const std::vector<std::string_view>& names) {
  const std::string& word = words[n];
  const auto equals = word.find('=');
  const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
  for (const std::string_view known : names) {
    const bool valued = known.ends_with('=');
    if ((valued ? known.substr(0, known.size() - 1) : known) != name) continue;
    if (!valued && equals == std::string::npos) {
      options_[name].emplace_back();
    } else if (valued && equals != std::string::npos) {
      options_[name].push_back(word.substr(equals + 1));
    } else if (valued && n + 1 < words.size()) {
      options_[name].push_back(words[++n]);
    } else {
      wrong_ = valued ? fmt::format("missing argument for option '{}'", word)
                      : fmt::format("unrecognized option '{}'", word);
    }
    return;
  }
  wrong_ = fmt::format("unrecognized option '{}'", word);
}

void Arguments::take_short(const Words& words, std::size_t& n, std::string_view letters) {
  const std::string word = words[n];
  for (std::size_t k = 1; k < word.size(); ++k) {
    const std::string name(1, word[k]);
    const auto known = name == "h" ? std::string_view::npos : letters.find(word[k]);
    if (name == "h") {
      options_["help"].emplace_back();
      continue;
    }
    if (known == std::string_view::npos || word[k] == ':') {
      wrong_ = fmt::format("unrecognized option '{}'", word);
      return;
    }
    if (known + 1 == letters.size() || letters[known + 1] != ':') {
      options_[name].emplace_back();
    } else if (k + 1 < word.size()) {
      options_[name].push_back(word.substr(k + 1));
      return;
    } else if (n + 1 < words.size()) {
      options_[name].push_back(words[++n]);
      return;
    } else {
      wrong_ = fmt::format("missing argument for option '{}'", word);
    }
  }
}

std::string Arguments::get(const std::string& option, std::string otherwise) const {
  const auto found = options_.find(option);
  return found == options_.end() ? otherwise : found->second.back();
}

std::vector<std::string> Arguments::all(const std::string& option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace xlat::img
