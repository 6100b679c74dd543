// Runs a fuzz target without libFuzzer: every file of its corpus as it is, then changed ones, by a fixed seed, for as many rounds as
// asked. So the targets are built and run with every compiler, and a crash that was found stays found: its input is in the corpus.
//
//   fuzz_NAME [--rounds=N] FILE|DIRECTORY…        (ARCH_SEED=n draws other changes)
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kMaxInput = 1u << 16;

std::string now;  // what is being run, for the one who looks at the core

void run(const std::string& bytes) {
  now = bytes;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(now.data()), now.size());
}

std::string change(std::string bytes, const std::string& other, std::mt19937_64& random) {
  for (uint64_t left = 1 + random() % 5; left > 0; --left) {
    const size_t at = bytes.empty() ? 0 : random() % bytes.size();
    const size_t length = std::min<size_t>(1 + random() % 30, bytes.size() - at);
    switch (random() % 6) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << random() % 8);
        break;
      case 1:
        bytes.erase(at, length);
        break;
      case 2:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 3:
        bytes.insert(at, 1 + random() % 3, static_cast<char>("\0\r\n.-\"\xff "[random() % 8]));
        break;
      case 4:
        if (!other.empty()) bytes.insert(at, other.substr(random() % other.size(), 1 + random() % 60));
        break;
      default:
        for (size_t i = at; i < at + length; ++i) bytes[i] = static_cast<char>(random());
    }
  }
  bytes.resize(std::min(bytes.size(), kMaxInput));
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  size_t rounds = 2'000;
  std::vector<std::string> seeds;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--rounds=", 0) == 0) {
      rounds = std::strtoull(word.c_str() + 9, nullptr, 10);
      continue;
    }
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(word)) {
      for (const auto& entry : std::filesystem::directory_iterator(word)) files.push_back(entry.path());
      std::sort(files.begin(), files.end());
    } else {
      files.push_back(word);
    }
    for (const auto& path : files) {
      std::ifstream in(path, std::ios::binary);
      seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "no corpus given\n");
    return 64;
  }
  for (const std::string& seed : seeds) run(seed);
  const char* wanted = std::getenv("ARCH_SEED");
  std::mt19937_64 random(wanted == nullptr ? 1 : std::strtoull(wanted, nullptr, 10));
  for (size_t round = 0; round < rounds; ++round)
    run(change(seeds[random() % seeds.size()], seeds[random() % seeds.size()], random));
  std::printf("%zu files, %zu changed ones\n", seeds.size(), rounds);
  return 0;
}
