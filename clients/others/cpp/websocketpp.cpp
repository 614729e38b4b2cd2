// WebSocket++
#include <sstream>
#include <websocketpp/client.hpp>
#include <websocketpp/config/asio_client.hpp>
#include <websocketpp/config/asio_no_tls_client.hpp>

#include "lines.h"

namespace asio = websocketpp::lib::asio;
using websocketpp::connection_hdl;

template <class Config>
void run(websocketpp::client<Config>& client, const std::string& url) {
    client.set_open_handler([&](connection_hdl session) {
        lines::say("open");
        client.send(session, "hello", websocketpp::frame::opcode::text);
    });
    client.set_message_handler([&](connection_hdl session, auto message) {
        auto reply = lines::text(message->get_payload());
        if (!reply.empty()) client.send(session, reply, websocketpp::frame::opcode::text);
    });
    client.set_close_handler([&](connection_hdl session) {
        auto ended = client.get_con_from_hdl(session);
        lines::close(ended->get_remote_close_code(), ended->get_remote_close_reason());
    });
    client.set_fail_handler([&](connection_hdl session) {
        auto failed = client.get_con_from_hdl(session);
        int status = failed->get_response_code();
        status ? lines::refused(status, failed->get_response().get_body()) : lines::error(failed->get_ec().message());
    });
    websocketpp::lib::error_code wrong;
    auto session = client.get_connection(url, wrong);
    if (lines::offered()) session->replace_header("Sec-WebSocket-Protocol", lines::protocols());
    else session->append_header("Authorization", lines::authorization());
    client.connect(session);
    client.run();
}

int main(int, char** words) {
    std::string url = words[1];
    if (!lines::At(url).tls) {
        websocketpp::client<websocketpp::config::asio_client> client;
        client.clear_access_channels(websocketpp::log::alevel::all);
        client.clear_error_channels(websocketpp::log::elevel::all);
        client.init_asio();
        run(client, url);
        return 0;
    }
    websocketpp::client<websocketpp::config::asio_tls_client> client;
    client.clear_access_channels(websocketpp::log::alevel::all);
    client.clear_error_channels(websocketpp::log::elevel::all);
    client.init_asio();
    client.set_tls_init_handler([&](connection_hdl) {
        auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
        tls->load_verify_file(words[2]);
        tls->set_verify_mode(asio::ssl::verify_peer);
        return tls;
    });
    run(client, url);
}
