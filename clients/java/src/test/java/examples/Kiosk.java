package examples;

import io.muster.client.Command;
import io.muster.client.Condition;
import io.muster.client.Payload;
import io.muster.client.Program;
import io.muster.client.Settings;
import io.muster.client.Terminal;
import io.muster.client.TokenSource;
import java.nio.file.Path;
import java.util.Map;

/** A terminal that answers:  java … examples.Kiosk URL TERMINAL TOKEN_FILE MEMORY_FILE */
public final class Kiosk implements Program {
    public static void main(String[] args) throws Exception {
        Settings settings = Settings.of(args[1]).url(args[0])
                .token(TokenSource.file(Path.of(args[2])))
                .memory(Path.of(args[3]))
                .label("kind", "kiosk");
        try (Terminal terminal = Terminal.start(settings, new Kiosk())) {
            terminal.health(Condition.OK, Map.of("temperature", 41.5));
            terminal.event("started", Payload.NULL);
            terminal.join();
        }
    }

    @Override
    public void onCommand(Command command) {
        switch (command.name()) {
            case "show" -> {
                System.out.println(command.payload().asText());
                command.succeed(Payload.text("shown"));
            }
            default -> command.reject();
        }
    }
}
