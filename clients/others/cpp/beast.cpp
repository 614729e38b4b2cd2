// Boost.Beast
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "lines.h"

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
namespace ssl = boost::asio::ssl;
using tcp = boost::asio::ip::tcp;

template <class Session>
void run(Session& session, const lines::At& at) {
    session.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
        if (lines::offered()) request.set(http::field::sec_websocket_protocol, lines::protocols());
        else request.set(http::field::authorization, lines::authorization());
    }));
    beast::error_code failed;
    session.handshake(at.host + ":" + at.port, at.path, failed);
    if (failed) return lines::error(failed.message());
    lines::say("open");
    session.write(boost::asio::buffer(std::string("hello")));
    for (beast::flat_buffer message;; message.consume(message.size())) {
        session.read(message, failed);
        // By TLS the error after a close frame may be that of the line. The close frame was heard all the same.
        if (failed && session.reason()) {
            return lines::close(session.reason().code, std::string(session.reason().reason.c_str()));
        }
        if (failed) return lines::error(failed.message());
        auto reply = lines::text(beast::buffers_to_string(message.data()));
        if (!reply.empty()) session.write(boost::asio::buffer(reply), failed);
    }
}

int main(int, char** words) {
    lines::At at(words[1]);
    boost::asio::io_context io;
    auto found = tcp::resolver(io).resolve(at.host, at.port);
    if (!at.tls) {
        websocket::stream<tcp::socket> session(io);
        boost::asio::connect(session.next_layer(), found);
        run(session, at);
        return 0;
    }
    ssl::context tls(ssl::context::tls_client);
    tls.load_verify_file(words[2]);
    tls.set_verify_mode(ssl::verify_peer);
    websocket::stream<ssl::stream<tcp::socket>> session(io, tls);
    boost::asio::connect(session.next_layer().next_layer(), found);
    session.next_layer().set_verify_callback(ssl::host_name_verification(at.host));
    session.next_layer().handshake(ssl::stream_base::client);
    run(session, at);
}
