#include "query/http/server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <thread>

#include "query/http/take_request.h"

namespace arch::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol>;

namespace {

constexpr size_t kLingerBytes = 8u << 20;

struct Shared {
  explicit Shared(Options given, Handler handler_in) : options(std::move(given)), handler(std::move(handler_in)) {}
  const Options options;
  const Handler handler;
  asio::io_context loop{1};
  std::unique_ptr<asio::thread_pool> workers;
  std::atomic<size_t> connections{0}, waiting{0};
  std::atomic<bool> stopping{false};
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Protocol::socket socket, Peer peer, Shared& shared)
      : stream_(std::move(socket)), peer_(std::move(peer)), shared_(shared) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }

  void start() { read(shared_.options.request_seconds); }

 private:
  using BeastResponse = beast::http::response<beast::http::string_body>;

  void read(int seconds) {
    parser_.emplace();
    parser_->header_limit(kHeaderBytes);
    parser_->body_limit(kBodyBytes);
    if (buffer_.size() > 0) return read_rest();
    // Until the first byte comes the connection is idle; from then on the whole request has to come in time.
    stream_.expires_after(std::chrono::seconds(seconds));
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](beast::error_code error, size_t bytes) {
                              if (error) return self->close();
                              self->buffer_.commit(bytes);
                              self->read_rest();
                            });
  }

  void read_rest() {
    stream_.expires_after(std::chrono::seconds(shared_.options.request_seconds));
    beast::http::async_read(stream_, buffer_, *parser_,
                            [self = shared_from_this()](beast::error_code error, size_t) { self->got(error); });
  }

  void got(beast::error_code failure) {
    namespace errors = beast::http;
    if (failure == errors::error::end_of_stream || failure == beast::error::timeout) return close();
    if (failure == errors::error::header_limit) return refuse(431, "too_large", "the header is too large");
    if (failure == errors::error::body_limit) return refuse(413, "too_large", "the body is too large");
    if (failure && failure.category() == errors::make_error_code(errors::error::bad_method).category())
      return refuse(400, "bad_request", "this is no HTTP request");
    if (failure) return close();
    auto message = parser_->release();
    keep_alive_ = message.keep_alive() && !shared_.stopping;
    head_ = message.method() == beast::http::verb::head;
    Request request;
    if (auto refusal = take_request(std::move(message), &request)) return refuse(std::move(*refusal));
    request.peer = peer_;
    if (shared_.waiting.fetch_add(1) >= shared_.options.max_waiting) {
      --shared_.waiting;
      return refuse(503, "busy", "too many requests wait; try again");
    }
    stream_.expires_never();
    asio::post(*shared_.workers, [self = shared_from_this(), request = std::move(request)]() mutable {
      Response response;
      try {
        response = self->shared_.handler(request);
      } catch (const std::exception&) {  // memory; handlers report everything else as values
        response = problem(500, "internal", "the request could not be answered");
      }
      --self->shared_.waiting;
      asio::post(self->shared_.loop,
                 [self, response = std::move(response)]() mutable { self->send(std::move(response)); });
    });
  }

  void refuse(int status, std::string_view code, std::string_view detail) { refuse(problem(status, code, detail)); }
  void refuse(Response refusal) {
    keep_alive_ = false;
    linger_ = true;
    send(std::move(refusal));
  }

  template <class Message>
  void fill_head(const Response& response, Message* message) const {
    message->version(11);
    message->result(static_cast<unsigned>(response.status));
    message->keep_alive(keep_alive_);
    if (!response.content_type.empty()) message->set(beast::http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) message->insert(name, value);
  }

  void send_file(const Response& response) {
    beast::error_code error;
    beast::http::file_body::value_type body;
    body.open(response.file.c_str(), beast::file_mode::scan, error);
    if (error) return refuse(503, "internal", "the file cannot be read");
    file_.emplace();
    fill_head(response, &*file_);
    file_->content_length(body.size());
    if (!head_) file_->body() = std::move(body);
    file_serializer_.emplace(*file_);
    if (head_) file_serializer_->split(true);
    write_file();
  }
  void write_file() {
    stream_.expires_after(std::chrono::seconds(shared_.options.write_seconds));
    beast::http::async_write_some(
        stream_, *file_serializer_, [self = shared_from_this()](beast::error_code error, size_t) {
          if (error) return self->close();
          const bool done =
              self->head_ ? self->file_serializer_->is_header_done() : self->file_serializer_->is_done();
          if (!done) return self->write_file();
          self->file_serializer_.reset();
          self->file_.reset();
          self->sent();
        });
  }

  void send(Response response) {
    if (!response.file.empty()) return send_file(response);
    out_.emplace();
    fill_head(response, &*out_);
    if (head_) {
      out_->content_length(response.body.size());
    } else {
      out_->body() = std::move(response.body);
      out_->prepare_payload();
      if (response.status == 204 || response.status == 304) out_->erase(beast::http::field::content_length);
    }
    serializer_.emplace(*out_);
    if (head_) serializer_->split(true);
    write_some();
  }

  // Piece by piece, so that the time limit is one of progress and not of a large answer.
  void write_some() {
    stream_.expires_after(std::chrono::seconds(shared_.options.write_seconds));
    beast::http::async_write_some(
        stream_, *serializer_, [self = shared_from_this()](beast::error_code error, size_t) {
          if (error) return self->close();
          const bool done = self->head_ ? self->serializer_->is_header_done() : self->serializer_->is_done();
          if (!done) return self->write_some();
          self->serializer_.reset();
          self->out_.reset();
          self->sent();
        });
  }

  void sent() {
    if (linger_) return linger();
    if (!keep_alive_) return close();
    read(shared_.options.idle_seconds);
  }

  // A client that still sends what was refused would be reset, and lose the answer that says why: what comes is thrown away for a
  // moment (RFC 9112 s9.6).
  void linger() {
    beast::error_code ignored;
    stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
    buffer_.clear();
    stream_.expires_after(std::chrono::seconds(2));
    throw_away(kLingerBytes);
  }
  void throw_away(size_t left) {
    stream_.async_read_some(buffer_.prepare(64u << 10),
                            [self = shared_from_this(), left](beast::error_code error, size_t bytes) {
                              if (error || bytes >= left) return self->close();
                              self->throw_away(left - bytes);
                            });
  }

  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(Protocol::socket::shutdown_both, ignored);
    stream_.close();
  }

  Stream stream_;
  const Peer peer_;
  Shared& shared_;
  beast::flat_buffer buffer_{kHeaderBytes + kBodyBytes + 4096};
  std::optional<BeastRequest> parser_;
  std::optional<BeastResponse> out_;
  std::optional<beast::http::serializer<false, beast::http::string_body>> serializer_;
  std::optional<beast::http::response<beast::http::file_body>> file_;
  std::optional<beast::http::serializer<false, beast::http::file_body>> file_serializer_;
  bool keep_alive_ = false, head_ = false, linger_ = false;
};

Peer peer_of(asio::local::stream_protocol::socket& socket) {
  Peer peer;
  peer.unix_socket = true;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
    peer.uid = credentials.uid;
  return peer;
}

Peer peer_of(asio::ip::tcp::socket& socket) {
  Peer peer;
  beast::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (!error) peer.address = endpoint.address().to_string();
  return peer;
}

template <class Socket>
class Listener {
 public:
  Listener(Shared& shared, typename Socket::protocol_type::acceptor acceptor)
      : shared_(shared), acceptor_(std::move(acceptor)), again_(shared.loop) {}
  void accept() {
    acceptor_.async_accept([this](beast::error_code error, Socket socket) {
      if (error == asio::error::operation_aborted || shared_.stopping) return;
      if (error) {  // out of descriptors: a moment later
        again_.expires_after(std::chrono::milliseconds(200));
        again_.async_wait([this](beast::error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      if (shared_.connections < shared_.options.max_connections) {
        Peer peer = peer_of(socket);
        if constexpr (std::is_same_v<Socket, asio::ip::tcp::socket>) {
          beast::error_code ignored;
          socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        }
        std::make_shared<Connection>(Protocol::socket(std::move(socket)), std::move(peer), shared_)->start();
      }
      accept();
    });
  }
  void close() {
    beast::error_code ignored;
    acceptor_.close(ignored);
    again_.cancel();
  }

 private:
  Shared& shared_;
  typename Socket::protocol_type::acceptor acceptor_;
  asio::steady_timer again_;
};

}  // namespace

struct Server::State {
  State(Options options, Handler handler) : shared(std::move(options), std::move(handler)) {}
  Shared shared;
  std::vector<std::unique_ptr<Listener<asio::ip::tcp::socket>>> tcp;
  std::vector<std::unique_ptr<Listener<asio::local::stream_protocol::socket>>> local;
  std::vector<std::string> addresses, sockets;
  std::thread thread;

  Result<void> listen_unix(const std::string& path) {
    struct stat info {};
    // One that a killed process left; a living one is met by connect.
    if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
      asio::local::stream_protocol::socket probe(shared.loop);
      beast::error_code error;
      probe.connect(asio::local::stream_protocol::endpoint(path), error);
      if (!error) return fail(Code::kExists, "somebody listens on " + path + " already");
      ::unlink(path.c_str());
    }
    beast::error_code error;
    asio::local::stream_protocol::acceptor acceptor(shared.loop);
    acceptor.open(asio::local::stream_protocol(), error);
    const mode_t before = ::umask(0117);
    if (!error) acceptor.bind(asio::local::stream_protocol::endpoint(path), error);
    ::umask(before);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return fail_errno(error.value(), "cannot listen on unix:" + path);
    sockets.push_back(path);
    addresses.push_back("unix:" + path);
    local.push_back(std::make_unique<Listener<asio::local::stream_protocol::socket>>(shared, std::move(acceptor)));
    return {};
  }

  Result<void> listen_tcp(const std::string& host, const std::string& port, const std::string& given) {
    beast::error_code error;
    asio::ip::tcp::resolver resolver(shared.loop);
    const auto found = resolver.resolve(host, port, asio::ip::tcp::resolver::passive, error);
    if (error || found.empty()) return fail(Code::kUsage, "\"" + given + "\" is no address: " + error.message());
    const auto endpoint = found.begin()->endpoint();
    asio::ip::tcp::acceptor acceptor(shared.loop);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) return fail(Code::kExists, "somebody listens on " + given + " already");
    if (error) return fail_errno(error.value(), "cannot listen on " + given);
    addresses.push_back("inet:" + host + ":" + std::to_string(acceptor.local_endpoint().port()));
    tcp.push_back(std::make_unique<Listener<asio::ip::tcp::socket>>(shared, std::move(acceptor)));
    return {};
  }
};

Server::Server(Options options, Handler handler)
    : state_(std::make_unique<State>(std::move(options), std::move(handler))) {}
Server::~Server() { stop(); }

Result<void> Server::start() {
  State& s = *state_;
  for (const std::string& address : s.shared.options.listen) {
    if (address.rfind("unix:/", 0) == 0) {
      ARCH_TRY_VOID(s.listen_unix(address.substr(5)));
      continue;
    }
    const size_t colon = address.rfind(':');
    if (address.rfind("inet:", 0) != 0 || colon < 6)
      return fail(Code::kUsage, "\"" + address + "\" is no address", "inet:HOST:PORT or unix:/PATH");
    ARCH_TRY_VOID(s.listen_tcp(address.substr(5, colon - 5), address.substr(colon + 1), address));
  }
  s.shared.workers = std::make_unique<asio::thread_pool>(s.shared.options.workers);
  for (auto& listener : s.tcp) listener->accept();
  for (auto& listener : s.local) listener->accept();
  s.thread = std::thread([&s] {
    auto work = asio::make_work_guard(s.shared.loop);
    s.shared.loop.run();
  });
  return {};
}

void Server::stop() {
  State& s = *state_;
  if (!s.thread.joinable()) return;
  s.shared.stopping = true;
  asio::post(s.shared.loop, [&s] {
    for (auto& listener : s.tcp) listener->close();
    for (auto& listener : s.local) listener->close();
  });
  for (int i = 0; i < 500 && s.shared.waiting > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the last answers leave
  s.shared.loop.stop();
  s.thread.join();
  s.shared.workers->join();
  for (const std::string& path : s.sockets) ::unlink(path.c_str());
}

std::vector<std::string> Server::addresses() const { return state_->addresses; }

}  // namespace arch::http
