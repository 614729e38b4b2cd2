package tutorial;

import org.springframework.web.socket.BinaryMessage;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketHttpHeaders;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.client.WebSocketClient;
import org.springframework.web.socket.handler.AbstractWebSocketHandler;

/** The client with Spring: it shakes hands with a header of its own, and keeps the session for what it sends later. */
final class SpringClient extends AbstractWebSocketHandler implements Client {
    private final WebSocketClient client;
    private final SpringConfiguration.Place place;
    private volatile WebSocketSession session;

    SpringClient(WebSocketClient client, SpringConfiguration.Place place) {
        this.client = client;
        this.place = place;
    }

    @Override
    public void start() {
        WebSocketHttpHeaders headers = new WebSocketHttpHeaders();
        headers.add("Authorization", "Bearer " + place.token());
        client.execute(this, headers, place.url()).whenComplete((opened, error) -> {
            if (error != null) {
                Stage.say(place.name(), "error", error.toString());
                Reconnect.later(this::start);
            }
        });
    }

    @Override
    public void afterConnectionEstablished(WebSocketSession opened) throws Exception {
        session = opened;
        Stage.say(place.name(), "open", "");
        sendText("hello from " + place.name());
    }

    @Override
    protected void handleTextMessage(WebSocketSession from, TextMessage message) {
        Stage.say(place.name(), "text", message.getPayload());
    }

    @Override
    protected void handleBinaryMessage(WebSocketSession from, BinaryMessage message) {
        Stage.say(place.name(), "binary", Stage.hex(message.getPayload()));
    }

    @Override
    public void handleTransportError(WebSocketSession from, Throwable error) {
        Stage.say(place.name(), "error", error.toString());
    }

    @Override
    public void afterConnectionClosed(WebSocketSession closed, CloseStatus status) {
        Stage.say(place.name(), "close", status.getCode() + " " + status.getReason());
        Reconnect.later(this::start);
    }

    @Override
    public void sendText(String text) throws Exception {
        session.sendMessage(new TextMessage(text));
    }

    @Override
    public void sendBytes(byte[] bytes) throws Exception {
        session.sendMessage(new BinaryMessage(bytes));
    }

    @Override
    public void close() throws Exception {
        session.close();
    }
}
