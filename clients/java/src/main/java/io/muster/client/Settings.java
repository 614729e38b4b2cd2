package io.muster.client;

import com.google.gson.JsonElement;
import io.muster.client.transport.Dialer;
import io.muster.client.transport.JavaWebSocketDialer;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/** What a terminal is and where it connects to. Made by {@link #of}, and changed until the terminal starts. */
public final class Settings {
    /** The room that a hello needs for the cursor, which is a text of some 50 bytes from a node. */
    private static final int CURSOR_ROOM = 256;

    private final String terminal;
    private final List<URI> urls = new ArrayList<>();
    private final Map<String, String> labels = new LinkedHashMap<>();
    private TokenSource tokenSource;
    private JsonElement will;
    private Path memory;
    private int remember = 4096;
    private String sdk = "muster-java/0.1.0";
    private Policy policy = Policy.DEFAULT;
    private Supplier<Dialer> dialer = JavaWebSocketDialer::new;

    private Settings(String terminal) {
        this.terminal = terminal;
    }

    /** A terminal of this id, which is unique in the fleet: 1 to 128 of A-Z a-z 0-9 . _ : - */
    public static Settings of(String terminal) {
        if (!terminal.matches("[A-Za-z0-9._:-]{1,128}")) {
            throw new IllegalArgumentException("a terminal's id is 1 to 128 of A-Z a-z 0-9 . _ : -");
        }
        return new Settings(terminal);
    }

    /**
     * Adds a URL such as {@code wss://example.net/ws}. After a failed attempt or a lost connection the next one is tried.
     * Fails with an {@link IllegalArgumentException} that does not repeat the URL, which may hold a secret.
     */
    public Settings url(String url) {
        urls.add(withTerminal(url));
        return this;
    }

    /** Where the token comes from. Nodes that run with {@code --insecure} need none. */
    public Settings token(TokenSource source) {
        tokenSource = Objects.requireNonNull(source);
        return this;
    }

    /** Adds a label that the hello says, such as {@code site=bj}. Labels in the token replace those of the same key. */
    public Settings label(String key, String value) {
        labels.put(key, value);
        return this;
    }

    /** The last will: published as an event if the terminal is lost without having closed. None by default. */
    public Settings will(Payload payload) {
        will = payload.asJson();
        return this;
    }

    /**
     * The file that keeps the last command ids, the cursor and the last results over a restart of the program. Without it a
     * command can run twice if the program ends while the command's ack is on its way. Its folder must exist, and the file
     * belongs to one terminal alone.
     */
    public Settings memory(Path file) {
        memory = Objects.requireNonNull(file);
        return this;
    }

    /** How many of the last command ids are remembered; 4096 by default. It must be more than can be on their way at once. */
    public Settings remember(int ids) {
        if (ids < 1) {
            throw new IllegalArgumentException("remember is " + ids + ", and must be at least 1");
        }
        remember = ids;
        return this;
    }

    /** The program's name and version, which the hello says; those of this library by default. */
    public Settings sdk(String nameAndVersion) {
        sdk = Objects.requireNonNull(nameAndVersion);
        return this;
    }

    /** How long to wait before reconnecting; {@link Policy#DEFAULT} by default. */
    public Settings policy(Policy times) {
        policy = Objects.requireNonNull(times);
        return this;
    }

    /** What connects; {@link JavaWebSocketDialer} by default, which also takes an SSLContext. */
    public Settings dialer(Dialer connects) {
        Objects.requireNonNull(connects);
        dialer = () -> connects;
        return this;
    }

    String terminal() {
        return terminal;
    }

    List<URI> urls() {
        return urls;
    }

    TokenSource tokenSource() {
        return tokenSource;
    }

    Path memory() {
        return memory;
    }

    int remember() {
        return remember;
    }

    Policy policy() {
        return policy;
    }

    Dialer dialer() {
        return dialer.get();
    }

    Outgoing hello(String cursor) {
        return Outgoing.hello(sdk, labels, cursor, will);
    }

    /** Fails with an {@link IllegalArgumentException} if the terminal could not connect with these. */
    void check() {
        if (urls.isEmpty()) {
            throw new IllegalArgumentException("there is no url: give at least one, such as ws://127.0.0.1:9000/ws");
        }
        int bytes = hello(null).bytes() + CURSOR_ROOM;
        if (bytes > NodeFrame.DEFAULT_MAX_MESSAGE) {
            throw new IllegalArgumentException("labels, will and sdk make a hello of " + bytes + " bytes; at most "
                    + NodeFrame.DEFAULT_MAX_MESSAGE + ": shorten the will");
        }
    }

    private URI withTerminal(String url) {
        String which = "url " + (urls.size() + 1);
        URI uri;
        try {
            uri = new URI(url);
        } catch (URISyntaxException error) {
            throw new IllegalArgumentException(which + " is no URL: " + error.getReason());
        }
        if (!"ws".equals(uri.getScheme()) && !"wss".equals(uri.getScheme()) || uri.getHost() == null) {
            throw new IllegalArgumentException(which + " must begin with ws:// or wss:// and name a host");
        }
        if (uri.getUserInfo() != null || uri.getFragment() != null) {
            throw new IllegalArgumentException(which + " has a user or a fragment: leave it out; the token has a setting of its own");
        }
        String path = uri.getRawPath().isEmpty() ? url.replaceFirst("(?=\\?)|$", "/") : url;
        // All letters of an id may stand in a query as they are.
        return URI.create(path + (uri.getRawQuery() == null ? "?" : "&") + "terminal_id=" + terminal);
    }
}
