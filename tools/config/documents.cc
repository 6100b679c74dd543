#include "tools/config/documents.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <sstream>
#include <utility>

#include "query/api/document_reader.h"

namespace arch::config {

namespace {

constexpr uint64_t kPicturesPerWorker = 20;  // within the processor time of a whole life (sandbox.cc)
// Workers in the background get the processor when nobody else wants it: what takes a second may take minutes on the clock.
constexpr uint32_t kPatience = 20;
constexpr char kBackground[] = "--background";
constexpr std::chrono::minutes kOcrStart{10};

// What a program of ours prints; nothing when it cannot be run, or fails.
std::optional<std::string> output_of(std::vector<std::string> words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // As Pool starts it: tesseract looks elsewhere for its data when the environment says so.
  char locale[] = "LC_ALL=C.UTF-8", threads[] = "OMP_THREAD_LIMIT=1";
  char* environment[] = {locale, threads, nullptr};
  pid_t child = -1;
  const int error = posix_spawnp(&child, words[0].c_str(), &files, nullptr, arguments.data(), environment);
  posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  std::string out;
  char buffer[4'096];
  for (ssize_t got = 1; error == 0 && got != 0;) {
    got = ::read(ends[0], buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    out.append(buffer, static_cast<size_t>(got));
  }
  ::close(ends[0]);
  int status = -1;
  while (error == 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (error != 0 || status != 0) return std::nullopt;
  return out;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string languages_argument(const Config& config) {
  return "--languages=" + joined(config.documents_ocr_languages, "+");
}

}  // namespace

document::Pool::Options document_readers(const Config& config, bool background) {
  document::Pool::Options options;
  options.program = document::worker_program();
  options.workers = config.documents_workers;
  options.limits.time = std::chrono::milliseconds(config.documents_time / 1'000'000);
  options.limits.memory_bytes = config.documents_memory_bytes;
  options.limits.text_bytes = config.documents_text_bytes;
  options.limits.depth = static_cast<uint32_t>(config.documents_depth);
  options.limits.expansion = static_cast<uint32_t>(config.documents_expansion);
  options.limits.ocr_pixels = config.documents_ocr_pixels;
  if (background) options.arguments = {kBackground};
  if (background) options.patience = kPatience;
  return options;
}

document::Pool::Options ocr_readers(const Config& config, bool background) {
  document::Pool::Options options = document_readers(config, background);
  options.program = document::worker_program("arch-ocr");
  options.arguments.push_back(languages_argument(config));
  options.workers = 1;
  options.limits.time = std::chrono::milliseconds(config.documents_ocr_time / 1'000'000);
  options.limits.memory_bytes = config.documents_ocr_memory_bytes;
  options.limits.ocr_pages = static_cast<uint32_t>(config.documents_ocr_pages);
  options.documents_per_worker = kPicturesPerWorker;
  options.patience = kPatience;
  options.start = kOcrStart;
  return options;
}

std::string ocr_problem(const Config& config) {
  const auto printed = output_of({document::worker_program("arch-ocr"), languages_argument(config), "--missing"});
  if (!printed) return "arch-ocr cannot be run: no picture is read";
  std::vector<std::string> missing, packages;
  std::istringstream lines(*printed);
  for (std::string line; std::getline(lines, line);) {
    missing.push_back(line);
    std::string package = "tesseract-ocr-" + line;
    for (char& c : package)
      if (c == '_') c = '-';
    packages.push_back(std::move(package));
  }
  if (missing.empty()) return {};
  return "tesseract's " + joined(missing, ", ") + (missing.size() == 1 ? " is" : " are") + " not installed here: " +
         (missing.size() == config.documents_ocr_languages.size() ? "no picture is read"
                                                                  : "pictures are read without") +
         " (apt-get install " + joined(packages, " ") + ")";
}

void read_documents(const Config& config, std::function<void(const Error&)> failed, api::EngineOptions* options) {
  if (!config.documents_read) return;
  const bool background = !options->waited_for;
  api::StoppableReader documents =
      api::document_reader(document_readers(config, background), config.documents_ocr, failed);
  options->index.read_document = std::move(documents.read);
  options->index.reading_threads = config.documents_workers;
  options->stop_readers = documents.stop;
  if (!config.documents_ocr) return;
  api::StoppableReader ocr = api::ocr_reader(ocr_readers(config, background), std::move(failed));
  options->ocr = std::move(ocr.read);
  options->stop_readers = [documents = std::move(documents.stop), ocr = std::move(ocr.stop)] {
    documents();
    ocr();
  };
}

}  // namespace arch::config
