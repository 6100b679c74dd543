// Claim   A set of numbers is that set in either of its forms and after any operation; a shard's columns say what was written.
// Method  Random sets, sparse and dense and beside each other, against std::set.
// Teeth   Every operation's result is compared whole, and asked one by one.
#include "query/index/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "query/index/number_set.h"

namespace arch::index {
namespace {

using Model = std::set<uint64_t>;

Numbers list_of(const Model& model) { return {model.begin(), model.end()}; }

void expect_same(const NumberSet& set, const Model& model) {
  ASSERT_EQ(set.size(), model.size());
  ASSERT_EQ(set.empty(), model.empty());
  ASSERT_EQ(set.list(), list_of(model));
  ASSERT_EQ(Numbers(set.begin(), set.end()), list_of(model));
  ASSERT_EQ(set.highest(), model.empty() ? 0 : *model.rbegin());
  ASSERT_TRUE(set == NumberSet(list_of(model)));
  Numbers falling;
  set.falling([&](uint64_t number) {
    falling.push_back(number);
    return true;
  });
  std::reverse(falling.begin(), falling.end());
  ASSERT_EQ(falling, list_of(model));
  for (uint64_t number : {0, 1, 63, 64, 65, 4095, 4096, 99'999'999})
    ASSERT_EQ(set.contains(number), model.count(number) == 1);
}

TEST(NumberSets, AreWhatTheirOperationsSay) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto draw = [&random] {
      const uint64_t span = 1 + random() % 20'000, count = random() % 4 == 0 ? random() % 20 : random() % 8'000;
      const uint64_t from = random() % 3'000;
      Model model;
      for (uint64_t i = 0; i < count; ++i) model.insert(from + random() % span);
      return model;
    };
    const Model a = draw(), b = draw(), c = draw();
    const NumberSet x(list_of(a)), y(list_of(b)), z(list_of(c));
    expect_same(x, a);
    Model both, less, sum = a;
    for (uint64_t each : a) (b.count(each) != 0 ? both : less).insert(each);
    sum.insert(b.begin(), b.end());
    expect_same(intersect(x, y), both);
    expect_same(subtract(x, y), less);
    expect_same(unite(x, y), sum);
    NumberSet added = x;
    Numbers more = list_of(b);
    std::shuffle(more.begin(), more.end(), random);
    added.add(more);
    expect_same(added, sum);
    sum.insert(c.begin(), c.end());
    expect_same(unite(std::vector<NumberSet>{x, y, z}), sum);
    const uint64_t last = random() % 25'000;
    Model cut(sum.begin(), sum.upper_bound(last));
    NumberSet shorter(list_of(sum));
    shorter.remove_above(last);
    expect_same(shorter, cut);
    const uint64_t first = random() % 5'000, end = random() % 9'000;
    Model run;
    for (uint64_t each = first; each <= end; ++each) run.insert(each);
    expect_same(NumberSet::range(first, end), run);
  }
}

}  // namespace
}  // namespace arch::index
