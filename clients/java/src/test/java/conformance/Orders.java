package conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.muster.client.Command;
import io.muster.client.Condition;
import io.muster.client.Payload;
import io.muster.client.SendException;
import io.muster.client.Terminal;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/** The commands of the kit. */
final class Orders {
    /** A command may come before the method that starts the terminal has returned. */
    private final CompletableFuture<Terminal> terminal = new CompletableFuture<>();

    void take(Terminal started) {
        terminal.complete(started);
    }

    void run(Command command) {
        switch (command.name()) {
            case "echo" -> command.succeed(command.payload());
            case "fail" -> command.fail(command.payload());
            case "progress" -> {
                command.progress(command.payload());
                command.succeed(Payload.NULL);
            }
            case "health" -> {
                terminal.join().health(Condition.DEGRADED, numbers(command.payload().asJson().getAsJsonObject()));
                command.succeed(Payload.NULL);
            }
            case "event" -> event(command);
            case "large" -> command.succeed(Payload.text("x".repeat(command.payload().asJson().getAsInt())));
            case "quiet" -> { }
            case "die" -> Runtime.getRuntime().halt(9);
            case "leave" -> {
                command.succeed(Payload.NULL);
                terminal.join().close();
            }
            default -> command.reject();
        }
    }

    private void event(Command command) {
        JsonObject event = command.payload().asJson().getAsJsonObject();
        String name = event.get("name").getAsString();
        JsonElement payload = event.get("payload");
        Payload data = payload == null ? Payload.NULL : Payload.json(payload);
        try {
            if (event.has("id")) {
                terminal.join().event(event.get("id").getAsString(), name, data);
            } else {
                terminal.join().event(name, data);
            }
        } catch (SendException why) {
            command.fail(Payload.NULL);
            throw why;
        }
        command.succeed(Payload.NULL);
    }

    private static Map<String, Number> numbers(JsonObject object) {
        Map<String, Number> numbers = new TreeMap<>();
        object.entrySet().forEach(each -> numbers.put(each.getKey(), each.getValue().getAsNumber()));
        return numbers;
    }
}
