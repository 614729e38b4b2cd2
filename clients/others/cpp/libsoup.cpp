// libsoup 3, of GNOME. Its limit of a message, 128 KiB by default, is less than a command may have.
#include <libsoup/soup.h>

#include "lines.h"

static GMainLoop* loop;
static SoupMessage* request;

static void hear(SoupWebsocketConnection* session, gint, GBytes* message, gpointer) {
    gsize size;
    const auto* bytes = static_cast<const char*>(g_bytes_get_data(message, &size));
    auto reply = lines::text(std::string(bytes, size));
    if (!reply.empty()) soup_websocket_connection_send_text(session, reply.c_str());
}

static void closed(SoupWebsocketConnection* session, gpointer) {
    const char* reason = soup_websocket_connection_get_close_data(session);
    lines::close(soup_websocket_connection_get_close_code(session), reason ? reason : "");
    g_main_loop_quit(loop);
}

static void connected(GObject* from, GAsyncResult* result, gpointer) {
    GError* failed = nullptr;
    auto* session = soup_session_websocket_connect_finish(SOUP_SESSION(from), result, &failed);
    if (!session) {
        int status = soup_message_get_status(request);
        status ? lines::refused(status, "") : lines::error(failed->message);
        return g_main_loop_quit(loop);
    }
    lines::say("open");
    soup_websocket_connection_set_max_incoming_payload_size(session, 1 << 20);
    g_signal_connect(session, "message", G_CALLBACK(hear), nullptr);
    g_signal_connect(session, "closed", G_CALLBACK(closed), nullptr);
    soup_websocket_connection_send_text(session, "hello");
}

int main(int, char** words) {
    loop = g_main_loop_new(nullptr, FALSE);
    auto* client = soup_session_new();
    if (lines::At(words[1]).tls) {
        soup_session_set_tls_database(client, g_tls_file_database_new(words[2], nullptr));
    }
    request = soup_message_new("GET", words[1]);
    auto token = lines::authorization();
    if (!token.empty()) soup_message_headers_append(soup_message_get_request_headers(request), "Authorization", token.c_str());
    auto bearer = lines::offered() ? std::string("muster.bearer.") + std::getenv("TOKEN") : "";
    const char* offered[] = {"muster.plain", bearer.c_str(), nullptr};
    soup_session_websocket_connect_async(client, request, nullptr, lines::offered() ? const_cast<char**>(offered) : nullptr,
                                         G_PRIORITY_DEFAULT, nullptr, connected, nullptr);
    g_main_loop_run(loop);
}
