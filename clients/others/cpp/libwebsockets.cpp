// libwebsockets. It hands a message over in parts, and writes only when it says that the line has room.
#include <libwebsockets.h>

#include <vector>

#include "lines.h"

static std::string pending = "hello", parts;
static bool over = false;

static int hear(lws* session, lws_callback_reasons why, void*, void* data, size_t size) {
    switch (why) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER: {
        auto** at = static_cast<unsigned char**>(data);
        auto value = lines::authorization();
        const auto* name = reinterpret_cast<const unsigned char*>("authorization:");
        const auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
        if (value.empty()) return 0;
        return lws_add_http_header_by_name(session, name, bytes, int(value.size()), at, *at + size);
    }
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        lines::say("open");
        lws_callback_on_writable(session);
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        parts.append(static_cast<char*>(data), size);
        if (lws_is_final_fragment(session) && !lws_remaining_packet_payload(session)) {
            pending = lines::text(parts);
            parts.clear();
            if (!pending.empty()) lws_callback_on_writable(session);
        }
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        if (!pending.empty()) {
            std::vector<unsigned char> room(LWS_PRE + pending.size());
            std::copy(pending.begin(), pending.end(), room.begin() + LWS_PRE);
            lws_write(session, room.data() + LWS_PRE, pending.size(), LWS_WRITE_TEXT);
            pending.clear();
        }
        break;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: {
        auto* bytes = static_cast<unsigned char*>(data);
        if (size >= 2) lines::close(bytes[0] << 8 | bytes[1], std::string(bytes + 2, bytes + size));
        break;
    }
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        lines::error(data ? std::string(static_cast<char*>(data), size) : "");
        over = true;
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        lines::close(0, "");
        over = true;
        break;
    default:
        break;
    }
    return 0;
}

int main(int, char** words) {
    lines::At at(words[1]);
    lws_set_log_level(0, nullptr);
    auto offered = lines::protocols();
    const lws_protocols protocols[] = {{"muster.plain", hear, 0, 65536, 0, nullptr, 0}, {nullptr, nullptr, 0, 0, 0, nullptr, 0}};
    lws_context_creation_info settings = {};
    settings.port = CONTEXT_PORT_NO_LISTEN;
    settings.protocols = protocols;
    settings.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    settings.client_ssl_ca_filepath = at.tls ? words[2] : nullptr;
    lws_context* context = lws_create_context(&settings);
    lws_client_connect_info to = {};
    to.context = context;
    to.address = at.host.c_str();
    to.host = at.host.c_str();
    to.port = std::stoi(at.port);
    to.path = at.path.c_str();
    to.ssl_connection = at.tls ? LCCSCF_USE_SSL : 0;
    to.protocol = offered.empty() ? nullptr : offered.c_str();
    to.local_protocol_name = "muster.plain";
    lws_client_connect_via_info(&to);
    while (!over && lws_service(context, 0) >= 0) {}
    lws_context_destroy(context);
}
