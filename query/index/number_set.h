// Sets of message numbers: what posting lists, dates and queries give. A rising list while it is sparse, one bit for each number
// up to the highest when it is dense, so that common words cost by the size of the archive and not by what they find.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace arch::index {

/// Rising, each once.
using Numbers = std::vector<uint64_t>;

/// A value. Which of the two forms it has is its own affair.
class NumberSet {
 public:
  NumberSet() = default;
  NumberSet(Numbers rising);  // NOLINT(google-explicit-constructor): a list is a set
  /// first..last; empty when last < first.
  static NumberSet range(uint64_t first, uint64_t last);
  /// Bit i of `words` is number i.
  static NumberSet of_bits(std::vector<uint64_t> words);

  uint64_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  bool contains(uint64_t number) const;
  uint64_t highest() const;  ///< 0 when empty
  Numbers list() const;
  size_t bytes() const { return (list_.capacity() + bits_.capacity()) * sizeof(uint64_t); }

  /// Adds numbers in any order, also known ones.
  void add(const Numbers& more);
  void remove_above(uint64_t last);

  /// Walks from the highest down; ends when `each` returns false. Of a dense set skip(first, last) may say beforehand that the numbers
  /// first..last need not be seen.
  template <class Each, class Skip>
  void falling(const Each& each, const Skip& skip) const {
    for (size_t i = list_.size(); i-- > 0;)
      if (!each(list_[i])) return;
    for (size_t i = bits_.size(); i-- > 0;) {
      if (bits_[i] == 0 || skip(uint64_t{i} * 64, uint64_t{i} * 64 + 63)) continue;
      for (uint64_t word = bits_[i]; word != 0;) {
        const int bit = 63 - std::countl_zero(word);
        if (!each(i * 64 + static_cast<uint64_t>(bit))) return;
        word ^= uint64_t{1} << bit;
      }
    }
  }
  template <class Each>
  void falling(const Each& each) const {
    falling(each, [](uint64_t, uint64_t) { return false; });
  }

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = uint64_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const uint64_t*;
    using reference = uint64_t;
    Iterator() = default;
    uint64_t operator*() const {
      return set_->dense() ? at_ * 64 + static_cast<uint64_t>(std::countr_zero(word_)) : set_->list_[at_];
    }
    Iterator& operator++() {
      if (!set_->dense()) {
        ++at_;
        return *this;
      }
      word_ &= word_ - 1;
      settle();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_ && word_ == other.word_; }
    bool operator!=(const Iterator& other) const { return !(*this == other); }

   private:
    friend class NumberSet;
    Iterator(const NumberSet* set, size_t at) : set_(set), at_(at) {
      if (!set->dense() || at == set->bits_.size()) return;
      word_ = set->bits_[at];
      settle();
    }
    void settle() {
      while (word_ == 0 && ++at_ < set_->bits_.size()) word_ = set_->bits_[at_];
    }
    const NumberSet* set_ = nullptr;
    size_t at_ = 0;
    uint64_t word_ = 0;
  };
  using value_type = uint64_t;
  using const_iterator = Iterator;
  using iterator = Iterator;
  Iterator begin() const { return Iterator(this, 0); }
  Iterator end() const { return Iterator(this, dense() ? bits_.size() : list_.size()); }

  friend NumberSet intersect(const NumberSet& a, const NumberSet& b);
  friend NumberSet subtract(const NumberSet& from, const NumberSet& what);
  friend NumberSet unite(std::vector<NumberSet> sets);
  friend bool operator==(const NumberSet& a, const NumberSet& b);

 private:
  bool dense() const { return !bits_.empty(); }
  bool bit(uint64_t number) const {
    return number / 64 < bits_.size() && (bits_[number / 64] >> (number % 64) & 1) != 0;
  }
  void set_bits(const Numbers& numbers);
  void count_bits();
  void settle();      // into the form that its density wants
  void make_dense();  // from a list

  // Of a set that is not empty exactly one is not empty; the last word of bits_ is not 0.
  Numbers list_;
  std::vector<uint64_t> bits_;
  uint64_t count_ = 0;
};

NumberSet intersect(const NumberSet& a, const NumberSet& b);
NumberSet subtract(const NumberSet& from, const NumberSet& what);
NumberSet unite(std::vector<NumberSet> sets);
NumberSet unite(const NumberSet& a, const NumberSet& b);

}  // namespace arch::index
