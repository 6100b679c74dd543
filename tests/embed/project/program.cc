// A program outside the project that keeps mail: the example of docs and the test of the installed copy.
#include <engine/archive.h>
#include <engine/verify/verify.h>

#include <cstdio>

using namespace arch;

static Result<void> run(const std::string& directory) {
  Fs& fs = Fs::real();
  ARCH_TRY_VOID(Archive::init(fs, directory, Clock::system().now()));
  ARCH_TRY(auto archive, Archive::open(fs, Clock::system(), directory, Archive::Mode::kEngine));
  for (const char* subject : {"one", "two"}) {
    Delivery delivery;
    delivery.captured = Clock::system().now();
    delivery.channel = Channel::kPipe;
    ARCH_TRY_VOID(archive->append(delivery, "Subject: " + std::string(subject) + "\r\n\r\nHello.\r\n"));
  }
  ARCH_TRY_VOID(archive->close_journal());
  ARCH_TRY_VOID(archive->apply());
  ARCH_TRY_VOID(archive->pack(0, 0));
  ARCH_TRY_VOID(archive->for_each_message(1, [&](const MessageInfo& message) {
    auto bytes = archive->get(message.digest);
    std::printf("%s %zu bytes: %s\n", message.digest.hex().c_str(), bytes ? bytes->size() : 0,
                message.subject.c_str());
    return true;
  }));
  ARCH_TRY(VerifyReport report, verify_archive(fs, directory, {}, {}));
  std::printf("%zu faults in %llu messages\n", report.faults.size(),
              static_cast<unsigned long long>(report.messages));
  return {};
}

int main(int, char** argv) {
  auto done = run(argv[1]);
  if (!done) std::fprintf(stderr, "%s\n", describe(done.error()).c_str());
  return done ? 0 : 1;
}
