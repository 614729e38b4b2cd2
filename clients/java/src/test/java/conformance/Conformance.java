package conformance;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.muster.client.Command;
import io.muster.client.ConnectionEnd;
import io.muster.client.ConnectionEnd.Kind;
import io.muster.client.Gap;
import io.muster.client.Payload;
import io.muster.client.Policy;
import io.muster.client.Program;
import io.muster.client.SendException;
import io.muster.client.Settings;
import io.muster.client.Terminal;
import io.muster.client.TokenSource;
import io.muster.client.Welcome;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the kit starts: it does what the commands of the kit ask, and prints what a program sees. */
public final class Conformance implements Program {
    private static final Gson GSON = new Gson();

    private final Orders orders = new Orders();
    private boolean isOnline;

    public static void main(String[] args) throws Exception {
        Conformance program = new Conformance();
        try (Terminal terminal = Terminal.start(settings(), program)) {
            program.take(terminal);
            terminal.join();
        }
        // A token source that hangs has a thread of its own.
        System.exit(0);
    }

    /** The terminal that the commands are about. */
    public void take(Terminal terminal) {
        orders.take(terminal);
    }

    /** What the kit's variables say, for a client of any library. */
    public static Settings settings() {
        Settings settings = Settings.of(System.getenv("MUSTER_TERMINAL"))
                .token(TokenSource.file(Path.of(System.getenv("MUSTER_TOKEN_FILE"))))
                .memory(Path.of(System.getenv("MUSTER_STATE"), "memory"))
                .policy(policy())
                .label("kit", "yes");
        for (String url : System.getenv("MUSTER_URL").split(",")) {
            settings.url(url);
        }
        return settings;
    }

    private static Policy policy() {
        JsonObject times = JsonParser.parseString(System.getenv("MUSTER_POLICY")).getAsJsonObject();
        return new Policy(
                millis(times, "first_ms"),
                millis(times, "cap_ms"),
                millis(times, "stable_ms"),
                millis(times, "slow_ms"),
                millis(times, "hint_cap_ms"),
                millis(times, "deadline_ms"));
    }

    private static Duration millis(JsonObject times, String field) {
        return Duration.ofMillis(times.get(field).getAsLong());
    }

    static synchronized void saw(String what, Object... pairs) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("saw", what);
        for (int at = 0; at < pairs.length; at += 2) {
            line.put((String) pairs[at], pairs[at + 1]);
        }
        System.out.println(GSON.toJson(line));
        System.out.flush();
    }

    @Override
    public void onCommand(Command command) {
        Payload payload = command.payload();
        saw("command", "id", command.id().toString(), "name", command.name(),
                payload.isBytes() ? "payload_base64" : "payload",
                payload.isBytes() ? Base64.getEncoder().encodeToString(payload.asBytes()) : payload.asJson());
        try {
            orders.run(command);
        } catch (SendException why) {
            onNotSent(why);
        }
    }

    @Override
    public void onOnline(Welcome welcome) {
        isOnline = true;
        saw("open", "resumed", welcome.resumed());
    }

    @Override
    public void onGap(Gap gap) {
        saw("gap", "from", gap.from(), "to", gap.to());
    }

    @Override
    public void onEventStored(String id) {
        saw("stored", "id", id);
    }

    @Override
    public void onError(String code, String message) {
        saw("error", "code", code);
    }

    @Override
    public void onNotSent(SendException why) {
        if (why.isTooLarge()) {
            saw("too_large", "bytes", why.bytes(), "limit", why.limit());
        }
    }

    @Override
    public void onTokenUnavailable(String why) {
        System.err.println(why);
    }

    @Override
    public void onOffline(ConnectionEnd end, Duration retryIn) {
        System.err.println(end + "; again in " + retryIn.toMillis() + " ms");
        tell(end);
    }

    @Override
    public void onGone(ConnectionEnd end) {
        tell(end);
        saw("gone");
    }

    private void tell(ConnectionEnd end) {
        if (end.kind() == Kind.REFUSED) {
            saw("refused", "status", end.number());
        } else if (isOnline && end.kind() != Kind.LEFT) {
            saw("close", "code", end.number());
        } else if (end.kind() != Kind.LEFT) {
            saw("refused");
        }
        isOnline = false;
    }
}
