// The contexts that translations were made for, by number. Real-mode programs have one for each code segment.
#pragma once

#include <unordered_map>
#include <vector>

#include "jit/x64/translation.h"

namespace xlat::jit::x64 {

class ContextTable {
 public:
  // Beyond so many the engine forgets all translations and begins again.
  static constexpr std::size_t kMost = 1 << 16;

  // Numbers count from 1.
  const Context& operator[](u32 number) const { return contexts_[number - 1]; }
  std::size_t size() const { return contexts_.size(); }
  // 0: it is a new one.
  u32 find(const Context& context) const {
    const auto found = numbers_.find(context);
    return found == numbers_.end() ? 0 : found->second;
  }
  u32 add(const Context& context) {
    contexts_.push_back(context);
    return numbers_[context] = static_cast<u32>(contexts_.size());
  }
  void clear() {
    contexts_.clear();
    numbers_.clear();
  }

 private:
  struct Hash {
    std::size_t operator()(const Context& c) const {
      const u64 place = u64{c.cs_limit} << 32 | c.cs_base;
      return (place ^ (u64{c.mode.key()} << 8 | c.flat)) * 0x9e3779b97f4a7c15 >> 16;
    }
  };
  std::vector<Context> contexts_;
  std::unordered_map<Context, u32, Hash> numbers_;
};

}  // namespace xlat::jit::x64
