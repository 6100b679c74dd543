// The page, its API and the assistant's endpoint: bytes as a socket would bring them, through the parser and the handlers, on a small
// archive. No input crashes them, is answered with a file from outside the archive, or with a status that HTTP does not have; without
// a token nothing of a mail comes out of /mcp.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "query/http/app.h"
#include "query/http/take_request.h"
#include "query/index/index.h"

namespace {

using namespace arch;

constexpr std::string_view kSecret = "Zanzibar-4711";  // a word of the archive's mail

struct World {
  std::string directory;
  std::unique_ptr<Archive> archive;
  std::unique_ptr<http::AccessLog> log;
  std::unique_ptr<http::App> app;

  World() {
    std::error_code error;
    const bool memory = std::filesystem::is_directory("/dev/shm", error);  // the access log syncs each line
    directory = std::string(memory ? "/dev/shm" : "/tmp") + "/arch-fuzz-http-XXXXXX";
    must(::mkdtemp(directory.data()) != nullptr);
    must(Archive::init(Fs::real(), directory + "/a", 1).has_value());
    auto opened = Archive::open(Fs::real(), Clock::system(), directory + "/a", Archive::Mode::kEngine);
    must(opened.has_value());
    archive = std::move(*opened);
    for (int i = 0; i < 3; ++i) {
      Delivery delivery;
      delivery.captured = (1'764'000'000 + i) * kNsPerSecond;
      const std::string number = std::to_string(i);
      must(archive
               ->append_staged(delivery,
                               "From: a@b.example\r\nTo: c@d.example\r\nMessage-ID: <" + number +
                                   "@b.example>\r\nSubject: facture " + std::string(kSecret) +
                                   "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
                                   "--x\r\nContent-Type: text/html\r\n\r\n<p onclick=a()>bon de commande " +
                                   number +
                                   "\r\n--x\r\nContent-Type: text/plain; name=a.txt\r\n"
                                   "Content-Disposition: attachment; filename=a.txt\r\n\r\ntexte\r\n--x--\r\n")
               .has_value());
    }
    must(archive->flush().has_value());
    must(archive->apply().has_value());
    auto writer = index::IndexWriter::open(*archive, {});
    must(writer && (*writer)->follow({}, {}));
    auto opened_log = http::AccessLog::open(directory + "/a");
    must(opened_log.has_value());
    log = std::move(*opened_log);
    app = std::make_unique<http::App>(*archive, http::AppOptions(), *log, nullptr);
  }
  ~World() {
    app.reset();
    std::error_code error;
    std::filesystem::remove_all(directory, error);
  }
  static void must(bool held) {
    if (!held) std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World world;
  http::BeastRequest parser;
  parser.header_limit(http::kHeaderBytes);
  parser.body_limit(http::kBodyBytes);
  parser.eager(true);
  boost::beast::error_code error;
  size_t at = 0;
  while (at < size && !parser.is_done()) {
    const size_t took = parser.put(boost::asio::buffer(data + at, size - at), error);
    if (error || took == 0) return 0;
    at += took;
  }
  if (!parser.is_done()) return 0;
  http::Request request;
  if (auto refusal = http::take_request(parser.release(), &request)) {
    if (refusal->status < 400) std::abort();
    return 0;
  }
  request.peer.unix_socket = size % 2 == 0;
  request.peer.uid = size % 3 == 0 ? 0 : 1'000;
  const http::Response response = world.app->answer(request);
  if (response.status < 200 || response.status > 599) std::abort();
  if (!response.file.empty() && response.file.rfind(world.directory, 0) != 0 &&
      response.file.rfind(std::filesystem::temp_directory_path().string(), 0) != 0)
    std::abort();
  for (const auto& [name, value] : response.headers)
    if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) std::abort();
  if (request.path.rfind("/mcp", 0) == 0 && response.body.find(kSecret) != std::string::npos) std::abort();
  return 0;
}
